using System.Text;
using Streaming.Core.Events;
using Streaming.Core.Feeds;
using Streaming.Core.Log;
using Streaming.Core.Wire;
using Streaming.Learning.Deep;
using Streaming.Users;

namespace Streaming.Node;

/// <summary>An event of a user's as the log has it.</summary>
/// <param name="Position">Where it is in the log that was read.</param>
/// <param name="TimeMs">The record's time, Unix ms.</param>
/// <param name="Json">As it was sent, or as the look-up wrote it.</param>
public sealed record PastEvent(LogPosition Position, long TimeMs, string Json);

/// <summary>A page of a list as the log says that it was sent.</summary>
/// <param name="RequestId">The look-up's.</param>
/// <param name="Arm">Whose list it was.</param>
/// <param name="ListVersion">The list's number at the node that sent it.</param>
/// <param name="TimeMs">The record's time, Unix ms.</param>
public sealed record PastServed(string RequestId, string Arm, long ListVersion, long TimeMs);

/// <summary>
/// Rebuilds a node as it was at a moment from another node's log: events, catalogue and experiments are played in order of their times into a node that
/// nothing else drives, whose own log and stores are thrown away afterwards. What the users' machines keep is what it was then. Models learn the
/// same examples in the same order, in rounds of one length instead of those that the live node's timing cut, so their weights differ in the last digits. Deep models learn
/// anew too: versions on <c>models</c> are not taken over, but noted as <see cref="Published"/>.
/// </summary>
public sealed class TimeTravel : IDisposable
{
    private readonly StreamingNode _node;
    private readonly MergedTopic _events;
    private readonly MergedTopic _items;
    private readonly MergedTopic _experiments;
    private readonly MergedTopic _models;
    private readonly byte[] _user;
    private readonly int _eventsMax;
    private readonly int _roundRecords;
    private readonly Queue<PastEvent> _behind = new();
    private readonly List<LogEntry> _round = [];
    private bool _hasEvent;
    private bool _hasItem;
    private bool _hasExperiment;
    private bool _hasModel;
    private readonly SortedDictionary<string, long> _published = new(StringComparer.Ordinal);
    private readonly Dictionary<string, PastServed> _served = [];

    /// <param name="source">The log; nothing is written to it.</param>
    /// <param name="node">Fresh, of the same settings, on a log of its own.</param>
    /// <param name="user">Whose events are kept.</param>
    /// <param name="eventsMax">How many, the newest.</param>
    /// <param name="roundRecords">Events per round.</param>
    public TimeTravel(IEventLog source, StreamingNode node, string user, int eventsMax, int roundRecords = ReplayRunner.RoundRecordsDefault)
    {
        (_node, _eventsMax, _roundRecords) = (node, eventsMax, roundRecords);
        _user = Encoding.UTF8.GetBytes(user);
        (_events, _items, _experiments) = (new MergedTopic(source, Topics.Events), new MergedTopic(source, Topics.Items), new MergedTopic(source, Topics.Experiments));
        (_hasEvent, _hasItem, _hasExperiment) = (_events.Next(), _items.Next(), _experiments.Next());
        _models = new MergedTopic(source, Topics.Models);
        _hasModel = _models.Next();
        FirstMs = _hasEvent ? _events.TimeMs : null;
    }

    /// <summary>Time of the oldest event that the log still has; null for an empty one. What came before it is not known.</summary>
    public long? FirstMs { get; }

    /// <summary>Time of the last event played.</summary>
    public long ClockMs { get; private set; }

    /// <summary>Events played.</summary>
    public long Played { get; private set; }

    /// <summary>The user's newest events up to now, oldest first, of all kinds.</summary>
    public IReadOnlyCollection<PastEvent> Behind => _behind;

    /// <summary>By deep model, the newest version that the log says was published by now.</summary>
    public IReadOnlyDictionary<string, long> Published => _published;

    /// <summary>The last page of an own list that the log says was sent to the user on a surface; null for none.</summary>
    /// <param name="surface">Empty for the default one.</param>
    public PastServed? ServedOn(string surface) => _served.GetValueOrDefault(surface);

    /// <summary>Plays every record whose time is not after this moment.</summary>
    /// <param name="untilMs">Unix ms; not before the moment that was last asked for.</param>
    /// <param name="progress">Told the share of the log that has been read, 0 to 1.</param>
    /// <param name="cancel">Stops between rounds.</param>
    public async Task AdvanceAsync(long untilMs, Action<double>? progress, CancellationToken cancel)
    {
        while (_hasEvent && _events.TimeMs <= untilMs)
        {
            cancel.ThrowIfCancellationRequested();
            for (_round.Clear(); _hasEvent && _events.TimeMs <= untilMs && _round.Count < _roundRecords; _hasEvent = _events.Next())
            {
                _round.Add(Copy(_events));
                ClockMs = Math.Max(ClockMs, _events.TimeMs);
                if (_events.Key.Span.SequenceEqual(_user)) Keep();
            }
            Played += _round.Count;
            var events = _round.ToArray();
            // The catalogue and the experiments first, as they were when these events came.
            await CatchUpAsync(ClockMs).ConfigureAwait(false);
            await _node.Log.AppendAsync(Topics.Events, events, cancel).ConfigureAwait(false);
            await RoundAsync(cancel).ConfigureAwait(false);
            progress?.Invoke(_events.Share);
        }
        await CatchUpAsync(untilMs).ConfigureAwait(false);
        ClockMs = Math.Max(ClockMs, Math.Min(untilMs, LastMs));
        while (await RoundAsync(cancel).ConfigureAwait(false) > 0)
        {
            // Until the catalogue is applied and no list waits.
        }
    }

    /// <summary>A question about the user as they are now; null state where they are unknown.</summary>
    public Task<T> AskAsync<T>(string user, Func<UserState?, T> question, CancellationToken cancel) => _node.AskUserAsync(user, question, cancel);

    /// <inheritdoc cref="StreamingNode.AskModelsAsync"/>
    public Task<T> AskModelsAsync<T>(Func<ModelSet, T> question, CancellationToken cancel) => AnsweredAsync(_node.AskModelsAsync(question), cancel);

    /// <summary>The user's list on a surface as of now, built where it is not in the cache.</summary>
    /// <param name="user">Their id.</param>
    /// <param name="surface">Empty for the default one.</param>
    /// <param name="arm">By whose policy; null for the user's own arm.</param>
    /// <param name="cancel">Ends the wait.</param>
    /// <returns>The list, and whether it is the user's own; null where there is none at all.</returns>
    public async Task<(FeedList List, bool IsOwn)?> ListAsync(string user, string surface, string? arm, CancellationToken cancel)
    {
        var bytes = new ByteWriter(16 * 1024);
        var request = new FeedRequest(user, surface, [], null, 0, arm ?? _node.Lookup.ArmOf(user, surface), IsForced: arm is not null);
        var outcome = await AnsweredAsync(_node.Lookup.FindAsync(request, bytes, cancel).AsTask(), cancel).ConfigureAwait(false);
        return outcome is FeedOutcome.Own or FeedOutcome.Segment ? (FeedListCodec.Read(bytes.WrittenSpan), outcome == FeedOutcome.Own) : null;
    }

    /// <inheritdoc cref="StreamingNode.ExplainAsync"/>
    public Task<IReadOnlyList<ExplainedItem>?> ExplainAsync(string user, string surface, string arm, IReadOnlyList<string> items, CancellationToken cancel) =>
        AnsweredAsync(_node.ExplainAsync(user, surface, arm, items, ClockMs, cancel), cancel);

    public void Dispose()
    {
        _events.Dispose();
        _items.Dispose();
        _experiments.Dispose();
        _models.Dispose();
    }

    /// <summary>Of the log's last record; nothing is known of later moments.</summary>
    private long LastMs => _hasEvent ? long.MaxValue : ClockMs;

    private static LogEntry Copy(MergedTopic from) => new(from.Key.ToArray(), from.Value.ToArray(), from.TimeMs, from.Position.Partition);

    private void Keep()
    {
        if (EventParser.TryParse(_events.Value.Span, _events.TimeMs, out var e, out _) && e.Kind == EventKind.Served
            && e.RequestId is { } id && RequestId.TryParse(id, out var arm, out var version, out var _))
            _served[e.Surface] = new PastServed(id, arm.ToString(), version, _events.TimeMs);
        if (_eventsMax == 0) return;
        if (_behind.Count == _eventsMax) _behind.Dequeue();
        _behind.Enqueue(new PastEvent(_events.Position, _events.TimeMs, Encoding.UTF8.GetString(_events.Value.Span)));
    }

    private async Task CatchUpAsync(long untilMs)
    {
        _round.Clear();
        for (; _hasItem && _items.TimeMs <= untilMs; _hasItem = _items.Next()) _round.Add(Copy(_items));
        if (_round.Count > 0) await _node.Log.AppendAsync(Topics.Items, _round.ToArray()).ConfigureAwait(false);
        _round.Clear();
        for (; _hasExperiment && _experiments.TimeMs <= untilMs; _hasExperiment = _experiments.Next()) _round.Add(Copy(_experiments));
        if (_round.Count > 0) await _node.Log.AppendAsync(Topics.Experiments, _round.ToArray()).ConfigureAwait(false);
        for (; _hasModel && _models.TimeMs <= untilMs; _hasModel = _models.Next()) Note();
    }

    /// <summary>A version was there with its last piece; a worker that began anew counts from the start again.</summary>
    private void Note()
    {
        try
        {
            var head = ModelRecordCodec.Read(_models.Value.Span, out _);
            if (head.Chunk == head.Chunks - 1) _published[head.Model] = head.Version;
        }
        catch (FormatException)
        {
            // A node passes over it too.
        }
    }

    /// <summary>Without limits of its own it would see the whole log of the node, which is what has been played.</summary>
    private Task<int> RoundAsync(CancellationToken cancel) => _node.RoundAsync(null, ClockMs, 0, cancel);

    /// <summary>Questions to the models, and lists that are missing, are seen to by rounds.</summary>
    private async Task<T> AnsweredAsync<T>(Task<T> asked, CancellationToken cancel)
    {
        while (!asked.IsCompleted) await RoundAsync(cancel).ConfigureAwait(false);
        return await asked.ConfigureAwait(false);
    }
}
