using System.Diagnostics;
using Streaming.Actors;
using Streaming.Core.Items;
using Streaming.Core.Log;
using Streaming.Core.Threads;

namespace Streaming.Node;

/// <summary>Offsets before which a round reads, per partition: where a replay cuts its rounds.</summary>
internal sealed record RoundLimits(long[] Events, long[] Items);

/// <summary>
/// The node's heartbeat. A round takes what the log holds, in phases with a barrier between them: catalogue, user actors (in
/// parallel, models frozen), learning (one thread, in a fixed order), lists (in parallel, models frozen again). So actors never
/// see a half-applied model, and a round is a function of the records it took: where a replay cuts its rounds at fixed records,
/// the same log gives the same state, bit for bit, however many threads ran it.
/// </summary>
internal sealed class Rounds : IDisposable
{
    private readonly IThreads _threads;
    private readonly IUserHost _host;
    private readonly ModelSet _models;
    private readonly PartitionSink[] _sinks;
    private readonly RoundOutputs _outputs;
    private readonly IEventLog _log;
    private readonly ILogReader?[] _events;
    private readonly long[] _positions;
    private readonly ILogReader[] _items;
    private readonly LogBatch _batch = new();
    private readonly LearningOrder _order = new();
    private readonly int _eventsMax;
    private readonly int _listsMax;

    public Rounds(
        IThreads threads, IEventLog log, IUserHost host, ModelSet models, PartitionSink[] sinks, RoundOutputs outputs, long[] events, long[] items,
        int eventsMax, int listsMax)
    {
        _threads = threads;
        _host = host;
        _models = models;
        _sinks = sinks;
        _outputs = outputs;
        _eventsMax = eventsMax;
        _listsMax = listsMax;
        _log = log;
        _positions = [.. events];
        _events = new ILogReader?[events.Length];
        _items = [.. items.Select((offset, p) => log.OpenReader(Topics.Items, p, offset))];
    }

    /// <summary>Next offset to read per partition of <c>events</c>: every record before it is in the state.</summary>
    public long[] EventPositions => [.. _events.Select((r, p) => r?.Offset ?? _positions[p])];

    /// <summary>What the next round learns, besides its own.</summary>
    public LearningOrder Order => _order;

    /// <summary>Next offset to read per partition of <c>items</c>.</summary>
    public long[] ItemPositions => [.. _items.Select(r => r.Offset)];

    public long Count { get; private set; }

    /// <summary>Lists that the last round left for the next.</summary>
    public int ListsWaiting { get; private set; }

    /// <summary>Whether the last round built the lists that only showing made stale.</summary>
    public bool Quiet { get; private set; }

    /// <summary>Whether the last round did nothing, because the log did not take what the one before had derived.</summary>
    public bool WasHeldBack { get; private set; }

    /// <summary>Records of <c>events</c> taken so far by this process.</summary>
    public long Records { get; private set; }

    /// <summary>Ticks of the wall clock spent per phase, for the benchmarks: read, users, learning, lists.</summary>
    public long[] PhaseTicks { get; } = new long[4];

    /// <summary>
    /// Runs one round; returns the number of records taken plus lists left waiting, 0 when there was nothing to do.
    /// </summary>
    /// <param name="limits">Where to stop reading; null takes what is there up to the round's bound.</param>
    /// <param name="nowMs">Time of the lists: the wall clock live, the event clock in a replay.</param>
    /// <param name="receivedMs">When the records reached the node, if not at their own time (replay); else 0.</param>
    /// <param name="quiet">Whether to build the lists that only showing made stale; null for as the load says.</param>
    public int Run(RoundLimits? limits, long nowMs, long receivedMs, bool? quiet = null)
    {
        // Nothing further until the log has what the last round derived; the caller comes again.
        WasHeldBack = !_outputs.Settle();
        if (WasHeldBack) return 1;
        var started = Stopwatch.GetTimestamp();
        ApplyItems(limits);
        _models.Catalog.Pass(nowMs);
        var taken = ReadEvents(limits, receivedMs);
        var read = Stopwatch.GetTimestamp();
        _threads.Block(_host.DrainAsync(CancellationToken.None));
        var users = Stopwatch.GetTimestamp();
        var append = _outputs.AppendAsync(patient: limits is null); // beside the learning
        Learn(nowMs);
        _threads.Block(append);
        var learned = Stopwatch.GetTimestamp();
        // Lists that only showing made stale wait, coalescing, while there is more to do; a replay's rounds are all alike.
        Quiet = quiet ?? (limits is not null || taken < _eventsMax / 4);
        var waiting = ListsWaiting = _threads.Block(_host.RefreshAsync(nowMs, _listsMax, Quiet, CancellationToken.None));
        PhaseTicks[0] += read - started;
        PhaseTicks[1] += users - read;
        PhaseTicks[2] += learned - users;
        _outputs.Commit(EventPositions, ItemPositions, patient: limits is null);
        PhaseTicks[3] += Stopwatch.GetTimestamp() - learned;
        if (taken > 0) Count++;
        Records += taken;
        return taken + waiting;
    }

    /// <summary>Reads this partition of <c>events</c> from now on.</summary>
    public void Open(int partition, long offset) => _events[partition] = _log.OpenReader(Topics.Events, partition, offset);

    /// <summary>Reads it no more.</summary>
    public void Close(int partition)
    {
        if (_events[partition] is not { } reader) return;
        _positions[partition] = reader.Offset;
        reader.Dispose();
        _events[partition] = null;
    }

    public void Dispose()
    {
        foreach (var reader in _events) reader?.Dispose();
        foreach (var reader in _items) reader.Dispose();
    }

    private void ApplyItems(RoundLimits? limits)
    {
        for (var p = 0; p < _items.Length; p++)
        {
            while (_items[p].Read(_batch, 1024, limits?.Items[p] ?? long.MaxValue) > 0)
            {
                for (var i = 0; i < _batch.Count; i++)
                {
                    if (ItemParser.TryParse(_batch.Value(i).Span, _batch.TimeMs(i), out var change, out var reason)) _models.Apply(change);
                    else DeadLetterItem(p, i, reason);
                }
            }
        }
    }

    private void DeadLetterItem(int partition, int index, string reason)
    {
        _outputs.DeadLetterItem(new LogPosition(partition, _batch.Offset(index)), _batch.TimeMs(index), _batch.Value(index).Span, reason);
        _models.ItemDeadLetters++;
    }

    private int ReadEvents(RoundLimits? limits, long receivedMs)
    {
        var taken = 0;
        var open = _events.Count(r => r is not null);
        var perPartition = limits is null ? Math.Max(1, _eventsMax / Math.Max(1, open)) : int.MaxValue;
        for (var p = 0; p < _events.Length; p++)
        {
            if (_events[p] is not { } reader) continue;
            for (var left = perPartition; left > 0;)
            {
                var read = reader.Read(_batch, Math.Min(left, 1024), limits?.Events[p] ?? long.MaxValue);
                if (read == 0) break;
                _batch.ReceivedMs = receivedMs;
                _threads.Block(_host.TellAsync(_batch));
                left -= read;
                taken += read;
            }
        }
        return taken;
    }

    /// <summary>Learns the round's examples in an order that thread timing does not touch.</summary>
    private void Learn(long nowMs)
    {
        for (var p = 0; p < _sinks.Length; p++)
        {
            _order.Add(p, _sinks[p].Records);
            _sinks[p].Records.Clear();
        }
        _order.Take(_models.Learn);
        _models.Refresh(nowMs);
    }
}
