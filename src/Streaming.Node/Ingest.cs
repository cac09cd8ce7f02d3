using System.Diagnostics;
using System.Text;
using Streaming.Core.Events;
using Streaming.Core.Ids;
using Streaming.Core.Items;
using Streaming.Core.Log;
using Streaming.Core.Metrics;
using Streaming.Core.Wire;

namespace Streaming.Node;

/// <summary>What became of one submitted record: its durable position, or the reason why it was set aside.</summary>
/// <param name="Position">Where the record lies; meaningless when <see cref="Problem"/> is set.</param>
/// <param name="EventId">The record's own id, if it has one.</param>
/// <param name="Problem">Null when accepted.</param>
public readonly record struct IngestOutcome(LogPosition Position, string? EventId, string? Problem);

/// <summary>The way into the log: validates, keys, appends, and answers only when the records are durable.</summary>
public sealed class Ingest
{
    private const int RecentIdsMax = 100_000;

    private readonly IEventLog _log;
    private readonly TimeProvider _time;
    private readonly AsyncSignal _signal;
    private readonly Admission _admission;
    private readonly int _recordBytesMax;
    private readonly RecentPositions _recent = new(RecentIdsMax);
    private long _accepted;
    private long _rejected;

    internal Ingest(IEventLog log, TimeProvider time, AsyncSignal signal, Admission admission, int recordBytesMax)
    {
        _log = log;
        _time = time;
        _signal = signal;
        _admission = admission;
        _recordBytesMax = recordBytesMax;
    }

    /// <summary>Events accepted by this process.</summary>
    public long Accepted => Interlocked.Read(ref _accepted);

    /// <summary>Events and items rejected by this process; each is in <c>dead-letter</c>.</summary>
    public long Rejected => Interlocked.Read(ref _rejected);

    /// <summary>Whether new events should come now: else answer "try again later".</summary>
    public AdmissionState State => _admission.State;

    /// <summary>While it is, nothing more is taken from the door; what is in the log goes on, and so do look-ups.</summary>
    public bool IsPaused
    {
        get => _admission.IsPaused;
        set => _admission.IsPaused = value;
    }

    /// <summary>True when the actors are so far behind that new events should wait.</summary>
    public bool IsOverloaded => _admission.IsBehind;

    /// <inheritdoc cref="EventsAsync(IReadOnlyList{ReadOnlyMemory{byte}}, string?, CancellationToken)"/>
    public Task<IngestOutcome[]> EventsAsync(IReadOnlyList<ReadOnlyMemory<byte>> events, CancellationToken cancel = default) => EventsAsync(events, null, cancel);

    /// <summary>
    /// Appends events, each one JSON object. A bad one is set aside with its reason and does not stop the others.
    /// </summary>
    /// <param name="events">The records.</param>
    /// <param name="idempotencyKey">
    /// Names the batch, so that it changes nothing when it is sent again: events without an id of their own have one of this, their place in the batch and what they say, so that another batch under the same key loses nothing.
    /// </param>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="EventLogException">The log cannot take them; none may be assumed stored.</exception>
    public async Task<IngestOutcome[]> EventsAsync(IReadOnlyList<ReadOnlyMemory<byte>> events, string? idempotencyKey, CancellationToken cancel = default)
    {
        var now = Now();
        using var appending = StreamingTraces.Source.StartActivity("append events", ActivityKind.Producer);
        var trace = appending is { Recorded: true } ? appending.Id : null;
        var outcomes = new IngestOutcome[events.Count];
        var entries = new List<LogEntry>(events.Count);
        var at = new List<int>(events.Count);
        List<LogEntry>? bad = null;
        for (var i = 0; i < events.Count; i++)
        {
            if (!EventParser.TryParse(events[i].Span, now, out var e, out var reason) || e.Kind == EventKind.Tick)
            {
                // A tick may say what actions weigh, which is for operators.
                reason ??= "type is 'tick', which only the node itself writes";
                (bad ??= []).Add(DeadLetterOf(events[i].Span, reason, now));
                outcomes[i] = new IngestOutcome(default, null, reason);
                continue;
            }
            var id = e.EventId;
            var json = events[i];
            if (id is null && idempotencyKey is not null) json = With("event_id", id = $"{idempotencyKey}#{i}#{StableHash.Of(json.Span):x16}", json);
            if (trace is not null && !StreamingTraces.TryFind(json.Span, out _)) json = With(StreamingTraces.Member, trace, json);
            entries.Add(new LogEntry(Encoding.UTF8.GetBytes(e.User), json, now));
            outcomes[i] = new IngestOutcome(default, id, null);
            at.Add(i);
        }
        if (bad is not null)
        {
            await _log.AppendAsync(Topics.DeadLetter, bad.ToArray(), cancel);
            Interlocked.Add(ref _rejected, bad.Count);
        }
        if (entries.Count == 0) return outcomes;
        var positions = await _log.AppendAsync(Topics.Events, entries.ToArray(), cancel);
        for (var i = 0; i < positions.Length; i++)
        {
            outcomes[at[i]] = outcomes[at[i]] with { Position = positions[i] };
            if (outcomes[at[i]].EventId is { } id) _recent.Add(id, positions[i]);
        }
        Interlocked.Add(ref _accepted, entries.Count);
        _signal.Set();
        return outcomes;
    }

    /// <summary>The object with a member put first; it is known to be one, and not to have that member.</summary>
    private static ReadOnlyMemory<byte> With(string name, string value, ReadOnlyMemory<byte> json)
    {
        var into = new ByteWriter(json.Length + name.Length + value.Length + 16);
        into.Byte((byte)'{');
        into.JsonString(name);
        into.Byte((byte)':');
        into.JsonString(value);
        into.Raw(","u8);
        into.Raw(json.Span[(json.Span.IndexOf((byte)'{') + 1)..]);
        return into.WrittenMemory;
    }

    /// <summary>Appends one event of the node's own making or of a typed caller.</summary>
    public async Task<LogPosition> EventAsync(UserEvent e, CancellationToken cancel = default)
    {
        var json = new ByteWriter();
        EventWriter.Write(e, json);
        var outcome = (await EventsAsync([json.WrittenMemory], cancel))[0];
        return outcome.Problem is null ? outcome.Position : throw new ArgumentException(outcome.Problem, nameof(e));
    }

    /// <summary>Appends catalogue changes, each one JSON object. A bad one is set aside with its reason.</summary>
    public async Task<IngestOutcome[]> ItemsAsync(IReadOnlyList<ReadOnlyMemory<byte>> items, CancellationToken cancel = default)
    {
        var now = Now();
        var outcomes = new IngestOutcome[items.Count];
        var entries = new List<LogEntry>(items.Count);
        var at = new List<int>(items.Count);
        var bad = new List<LogEntry>();
        for (var i = 0; i < items.Count; i++)
        {
            if (ItemParser.TryParse(items[i].Span, now, out var change, out var reason))
            {
                entries.Add(new LogEntry(Encoding.UTF8.GetBytes(change.Id), items[i], now));
                at.Add(i);
            }
            else
            {
                bad.Add(DeadLetterOf(items[i].Span, reason, now));
                outcomes[i] = new IngestOutcome(default, null, reason);
            }
        }
        if (bad.Count > 0) await _log.AppendAsync(Topics.DeadLetter, bad.ToArray(), cancel);
        Interlocked.Add(ref _rejected, bad.Count);
        if (entries.Count == 0) return outcomes;
        var positions = await _log.AppendAsync(Topics.Items, entries.ToArray(), cancel);
        for (var i = 0; i < positions.Length; i++) outcomes[at[i]] = new IngestOutcome(positions[i], null, null);
        _signal.Set();
        return outcomes;
    }

    /// <summary>
    /// The position that a caller's "not older than" names: a token "partition:offset" as an append answered it, or the id of an
    /// event that this node took lately.
    /// </summary>
    public bool TryResolve(string after, out LogPosition position) =>
        _recent.TryGet(after, out position) || LogPosition.TryParse(after, out position);

    private LogEntry DeadLetterOf(ReadOnlySpan<byte> payload, string reason, long nowMs)
    {
        // What could not be a record anyway may be larger than the log takes: its start says enough.
        if (payload.Length > 2 * EventLimits.RecordBytesMax)
        {
            reason += $" (only the first {2 * EventLimits.RecordBytesMax} bytes are kept)";
            payload = payload[..(2 * EventLimits.RecordBytesMax)];
        }
        var into = new ByteWriter();
        SetAside.Write(reason, "ingest", new LogPosition(-1, -1), nowMs, payload, _recordBytesMax, into);
        return new LogEntry(default, into.WrittenMemory, nowMs, 0);
    }

    private long Now() => _time.GetUtcNow().ToUnixTimeMilliseconds();

    /// <summary>Positions of the last events by id; bounded, oldest forgotten first.</summary>
    private sealed class RecentPositions(int max)
    {
        private readonly Dictionary<string, LogPosition> _byId = new(StringComparer.Ordinal);
        private readonly Queue<string> _order = new();

        public void Add(string id, LogPosition position)
        {
            lock (_byId)
            {
                if (!_byId.TryAdd(id, position)) return;
                _order.Enqueue(id);
                if (_order.Count > max) _byId.Remove(_order.Dequeue());
            }
        }

        public bool TryGet(string id, out LogPosition position)
        {
            lock (_byId) return _byId.TryGetValue(id, out position);
        }
    }
}
