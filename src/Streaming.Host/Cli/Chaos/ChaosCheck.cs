using Streaming.Core.Events;
using Streaming.Core.Examples;
using Streaming.Core.Ids;
using Streaming.Core.Log;
using Streaming.Node;
using Streaming.Users;

namespace Streaming.Host.Cli.Chaos;

/// <summary>What became of all events, told from the log and the users' states alone.</summary>
internal sealed record ChaosOutcome
{
    /// <summary>Events that the node acknowledged.</summary>
    public long Accepted { get; set; }

    /// <summary>Of them and of those without an answer: in a user's state, or set aside by the actor as they should be.</summary>
    public long Applied { get; set; }

    /// <summary>Acknowledged, and missing in the log, in the user's state or among what was set aside.</summary>
    public long Lost { get; set; }

    /// <summary>Applied more than once.</summary>
    public long Doubled { get; set; }

    /// <summary>Never answered, whatever became of them.</summary>
    public long Unknown { get; set; }

    /// <summary>Never answered, and in the log all the same.</summary>
    public long UnknownInLog { get; set; }

    /// <summary>Events that lie in the log more than once, because their sender got no answer and sent them again.</summary>
    public long Resent { get; set; }

    /// <summary>Refused at the door.</summary>
    public long Refused { get; set; }

    /// <summary>Records set aside, each counted once however often it was written.</summary>
    public long DeadLetters { get; set; }

    /// <summary>Clicks that are in a state without a learning example having left for them.</summary>
    public long ExamplesLost { get; set; }

    /// <summary>Impressions and clicks with more than one example, repeats of the same example counted once.</summary>
    public long ExamplesDoubled { get; set; }

    public bool Holds => Lost == 0 && Doubled == 0 && ExamplesLost == 0 && ExamplesDoubled == 0;

    /// <summary>Some of the events that were lost or doubled, for the one who looks.</summary>
    public List<string> Findings { get; } = [];

    public void Find(string finding)
    {
        if (Findings.Count < 20) Findings.Add(finding);
    }
}

/// <summary>
/// Holds the senders' ledgers against the log and the users' states. Every event has an item of its own, so a user's marks say of each
/// event how often it was applied; the user's count of events says the same of all together. None of the node's counters is read.
/// </summary>
internal sealed class ChaosCheck(IReadOnlyList<ChaosLedger> ledgers)
{
    private readonly ChaosOutcome _outcome = new();
    private readonly Dictionary<ChaosId, int> _inLog = [];
    private readonly Dictionary<string, long> _served = [];
    private readonly HashSet<ChaosId> _aside = [];
    private readonly Dictionary<ulong, HashSet<(string User, LogPosition Source, int Ordinal)>> _examples = [];

    /// <summary>Checks a node that has taken in all of its log and does not run.</summary>
    public async Task<ChaosOutcome> RunAsync(StreamingNode node, CancellationToken cancel)
    {
        await ReadEventsAsync(node.Log, cancel).ConfigureAwait(false);
        await ReadDeadLettersAsync(node.Log, cancel).ConfigureAwait(false);
        await ReadExamplesAsync(node.Log, cancel).ConfigureAwait(false);
        foreach (var ledger in ledgers)
        {
            var applied = new int[ledger.Count];
            for (var user = 0; user < ledger.Users; user++)
            {
                var first = user;
                var events = await node.AskUserAsync(ledger.UserOf(user), state => Count(state, ledger, first, applied), cancel).ConfigureAwait(false);
                CheckTotal(ledger, user, events, applied);
            }
            for (var number = 0; number < ledger.Count; number++) CheckEvent(ledger, number, applied[number]);
        }
        return _outcome;
    }

    /// <summary>Fills in how often each event of a user was applied; returns the user's own count of events.</summary>
    private static long Count(UserState? state, ChaosLedger ledger, int user, int[] applied)
    {
        if (state is null) return 0;
        for (var number = user; number < ledger.Count; number += ledger.Users)
        {
            if (!state.Marks.TryGetValue(StableHash.Of(new ChaosId(ledger.Sender, number).ToString()), out var marks)) continue;
            applied[number] = ledger.KindOf(number) == ChaosKind.Impression ? marks.Seen : marks.Clicked;
        }
        return state.Events;
    }

    private void CheckEvent(ChaosLedger ledger, int number, int applied)
    {
        var id = new ChaosId(ledger.Sender, number);
        var (kind, answer, inLog) = (ledger.KindOf(number), ledger.AnswerOf(number), _inLog.GetValueOrDefault(id));
        if (inLog > 1) _outcome.Resent++;
        switch (answer)
        {
            case ChaosAnswer.Acknowledged: _outcome.Accepted++; break;
            case ChaosAnswer.Refused: _outcome.Refused++; break;
            default:
                _outcome.Unknown++;
                if (inLog > 0) _outcome.UnknownInLog++;
                break;
        }
        if (answer == ChaosAnswer.Acknowledged && inLog == 0) Lose(id, "was acknowledged and is not in the log");
        else if (kind is ChaosKind.Malformed or ChaosKind.Unweighted)
        {
            if (applied > 0) Double(id, "should not have been applied at all");
            var due = kind == ChaosKind.Malformed ? answer == ChaosAnswer.Refused : inLog > 0;
            if (due && !_aside.Contains(id)) Lose(id, "is not among what was set aside");
            else if (due && kind == ChaosKind.Unweighted) _outcome.Applied++;
        }
        else if (inLog > 0 && applied == 0) Lose(id, "is in the log and not in the user's state");
        else if (applied > 1) Double(id, $"was applied {applied} times");
        else if (applied == 1 && inLog == 0) Double(id, "is in the user's state and not in the log");
        else if (applied == 1)
        {
            _outcome.Applied++;
            CheckExample(id, kind);
        }
    }

    /// <summary>A click teaches at once; an impression when its window has ended, which may be after the end of the run.</summary>
    private void CheckExample(ChaosId id, ChaosKind kind)
    {
        var examples = _examples.GetValueOrDefault(StableHash.Of(id.ToString()))?.Count ?? 0;
        if (examples == 0 && kind == ChaosKind.Click)
        {
            _outcome.ExamplesLost++;
            _outcome.Find($"{id} is a click without an example");
        }
        if (examples < 2) return;
        _outcome.ExamplesDoubled++;
        _outcome.Find($"{id} has {examples} examples");
    }

    /// <summary>The user's own count of events: finds what an item's marks cannot show, the node's own records applied twice for example.</summary>
    private void CheckTotal(ChaosLedger ledger, int user, long events, int[] applied)
    {
        var name = ledger.UserOf(user);
        var expected = _served.GetValueOrDefault(name);
        for (var number = user; number < ledger.Count; number += ledger.Users) expected += applied[number];
        if (events == expected) return;
        if (events > expected) _outcome.Doubled += events - expected;
        else _outcome.Lost += expected - events;
        _outcome.Find($"{name} counts {events} events; its items and the served lists in the log say {expected}");
    }

    private void Lose(ChaosId id, string how)
    {
        _outcome.Lost++;
        _outcome.Find($"{id} {how}");
    }

    private void Double(ChaosId id, string how)
    {
        _outcome.Doubled++;
        _outcome.Find($"{id} {how}");
    }

    private Task ReadEventsAsync(IEventLog log, CancellationToken cancel) => ReadAsync(log, Topics.Events, (batch, i) =>
    {
        if (!EventParser.TryParse(batch.Value(i).Span, batch.TimeMs(i), out var e, out _)) return;
        if (e.Kind == EventKind.Served) _served[e.User] = _served.GetValueOrDefault(e.User) + 1;
        if (ChaosId.TryParse(e.EventId, out var id)) _inLog[id] = _inLog.GetValueOrDefault(id) + 1;
    }, cancel);

    private async Task ReadDeadLettersAsync(IEventLog log, CancellationToken cancel)
    {
        var seen = new HashSet<(string, LogPosition, string)>();
        await ReadAsync(log, Topics.DeadLetter, (batch, i) =>
        {
            var letter = DeadLetter.Read(batch.Value(i));
            var payload = System.Text.Encoding.UTF8.GetString(letter.Payload.Span);
            // One refused at the door has no position; its payload names it.
            if (seen.Add((letter.Topic, letter.Source, letter.Source.Offset < 0 ? payload : ""))) _outcome.DeadLetters++;
            using var json = System.Text.Json.JsonDocument.Parse(payload);
            if (ChaosId.TryParse(json.RootElement.GetProperty("event_id").GetString(), out var id)) _aside.Add(id);
        }, cancel).ConfigureAwait(false);
    }

    private Task ReadExamplesAsync(IEventLog log, CancellationToken cancel) => ReadAsync(log, Topics.Examples, (batch, i) =>
    {
        if (ExampleCodec.Read(batch.Value(i).Span).Example is not { IsCorrection: false } example) return;
        if (!_examples.TryGetValue(example.ItemKey, out var names)) _examples.Add(example.ItemKey, names = []);
        names.Add((example.User, example.Source, example.Ordinal));
    }, cancel);

    private static async Task ReadAsync(IEventLog log, string topic, Action<LogBatch, int> each, CancellationToken cancel)
    {
        var batch = new LogBatch();
        for (var p = 0; p < log.PartitionCount(topic); p++)
        {
            var range = await log.RangeAsync(topic, p, cancel).ConfigureAwait(false);
            using var reader = log.OpenReader(topic, p, range.Earliest);
            while (reader.Offset < range.End)
            {
                cancel.ThrowIfCancellationRequested();
                if (reader.Read(batch, 1000, range.End) == 0) await reader.WaitAsync(TimeSpan.FromSeconds(1), cancel).ConfigureAwait(false);
                for (var i = 0; i < batch.Count; i++) each(batch, i);
            }
        }
    }
}
