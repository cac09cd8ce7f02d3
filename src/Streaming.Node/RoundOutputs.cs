using Streaming.Core.Log;
using Streaming.Core.Threads;
using Streaming.Core.Wire;

namespace Streaming.Node;

/// <summary>
/// Makes durable what a round derives. On a log with transactions the examples, dead letters, changed users and input positions of a round are
/// one commit at its end; on any other the first two are appended while the round learns, and a crash repeats those after the last
/// checkpoint. A log that refuses does not end the node: what was derived is kept and tried again before the next round, look-ups go on from
/// the cache meanwhile, and a notice says what is wrong.
/// </summary>
internal sealed class RoundOutputs
{
    /// <summary>Whose positions the transactions move. The node's other group tells retention what the checkpoints still need.</summary>
    public const string Group = "outputs";

    private const int RefusalsPerNotice = 20;

    /// <summary>Bad records of the catalogue that another node has to tell of; enough for what it can be behind.</summary>
    private const int HeldLettersMax = 1_000;
    private static readonly TimeSpan RetryInterval = TimeSpan.FromMilliseconds(250);

    private readonly IThreads _threads;
    private readonly TimeProvider _time;
    private readonly IEventLog _log;
    private readonly ITransactionalLog? _transactions;
    private readonly PartitionSink[] _sinks;
    private readonly int _recordBytesMax;
    private readonly Action<NodeNotice> _notice;
    private readonly long[] _settledItems;
    private readonly List<LogEntry> _examples = [];
    private readonly List<LogEntry> _deadLetters = [];
    private readonly List<LogEntry> _itemLetters = [];
    private readonly List<LogEntry> _states = [];
    private readonly List<LogEntry> _feeds = [];
    private readonly Predicate<int>? _leads;
    private readonly Queue<(LogPosition Source, LogEntry Letter)> _heldLetters = new();
    private long[] _events;
    private long[] _items;
    private Func<Task>? _refused;
    private int _refusals;

    /// <param name="threads">Of the rounds.</param>
    /// <param name="time">Of the pauses between tries.</param>
    /// <param name="log">Where to.</param>
    /// <param name="transactions">The same log, begun, where the node commits rounds; else null.</param>
    /// <param name="sinks">Of the shards.</param>
    /// <param name="events">Offsets of <c>events</c> that an earlier run has committed, per partition: what records before them release is not written again.</param>
    /// <param name="items">The same of <c>items</c>.</param>
    /// <param name="recordBytesMax">The largest record that the log takes.</param>
    /// <param name="notice">Told when the log refuses, and when it takes records again.</param>
    /// <param name="leads">Where nodes share the shards: which partitions are this one's at the time. Null for all, for good.</param>
    public RoundOutputs(
        IThreads threads, TimeProvider time, IEventLog log, ITransactionalLog? transactions, PartitionSink[] sinks, long[] events, long[] items,
        int recordBytesMax, Action<NodeNotice> notice, Predicate<int>? leads = null)
    {
        _leads = leads;
        (_threads, _time) = (threads, time);
        (_log, _transactions, _sinks, _recordBytesMax, _notice) = (log, transactions, sinks, recordBytesMax, notice);
        (_events, _items, _settledItems) = (events, items, [.. items]);
    }

    /// <summary>Once cancelled, a log that refuses is an error instead of a reason to wait: the node is being stopped.</summary>
    public CancellationToken Stopping { get; set; }

    public void DeadLetterItem(LogPosition source, long timeMs, ReadOnlySpan<byte> payload, string reason)
    {
        if (source.Offset < _settledItems[source.Partition]) return;
        var into = new ByteWriter();
        SetAside.Write(reason, Topics.Items, source, timeMs, payload, _recordBytesMax, into);
        var letter = new LogEntry(default, into.WrittenMemory, timeMs, 0);
        if (_leads?.Invoke(source.Partition) != false)
        {
            _itemLetters.Add(letter);
            return;
        }
        // Every node reads the whole catalogue, and one of them tells of what is wrong with it: another, as long as it gets to it.
        if (_heldLetters.Count == HeldLettersMax) _heldLetters.Dequeue();
        _heldLetters.Enqueue((source, letter));
    }

    /// <summary>A partition is this node's from now on; the positions were committed by whoever had it.</summary>
    public void Start(int partition, long events, long items)
    {
        (_events, _items) = ([.. _events], [.. _items]);
        (_events[partition], _items[partition], _settledItems[partition]) = (events, items, items);
        for (var left = _heldLetters.Count; left > 0; left--)
        {
            var held = _heldLetters.Dequeue();
            if (held.Source.Partition != partition) _heldLetters.Enqueue(held);
            else if (held.Source.Offset >= items) _itemLetters.Add(held.Letter);
        }
    }

    /// <summary>Whether all that was derived so far is durable.</summary>
    public bool IsSettled => _refused is null;

    /// <summary>Tries again what the log has refused; false where it still does.</summary>
    public bool Settle()
    {
        if (_refused is null) return true;
        _threads.Wait(Task.Delay(RetryInterval, _time, Stopping));
        return _threads.Block(TryAsync(_refused, patient: true));
    }

    /// <summary>After the users' phase; runs beside the learning.</summary>
    /// <param name="patient">Whether a log that refuses is tried again later; else it throws.</param>
    public Task AppendAsync(bool patient)
    {
        if (_transactions is not null) return Task.CompletedTask;
        Collect();
        return TryAsync(AppendCollectedAsync, patient);
    }

    /// <summary>At the end of a round that has read up to these offsets.</summary>
    public void Commit(long[] events, long[] items, bool patient)
    {
        if (_transactions is null) return;
        Collect();
        // While a node that went on from a checkpoint catches up with what it had committed, positions must not go back.
        (events, items) = (Later(events, _events), Later(items, _items));
        if (_states.Count == 0 && _examples.Count == 0 && _deadLetters.Count == 0 && _feeds.Count == 0 && events.AsSpan().SequenceEqual(_events) && items.AsSpan().SequenceEqual(_items))
            return;
        _threads.Block(TryAsync(
            async () =>
            {
                // Anew for each try: partitions may have gone to others meanwhile, and what was derived from them with them.
                if (_leads is not null) Collect();
                await _transactions.TransactAsync(TransactionOf(events, items));
                (_events, _items) = (events, items);
            },
            patient));
    }

    private LogTransaction TransactionOf(long[] events, long[] items) => new(
        // States last: they seal the round.
        [.. ((string Topic, IReadOnlyList<LogEntry> Entries)[])
            [(Topics.Examples, _examples), (Topics.DeadLetter, _deadLetters), (Topics.Feeds, _feeds), (Topics.UserState, _states)]], Group,
        _leads is null
            ? [(Topics.Events, Positions(events)), (Topics.Items, Positions(items))]
            : [(Topics.Events, [.. Positions(events).Where(p => _leads(p.Partition))]), (Topics.Items, [.. Positions(items).Where(p => _leads(p.Partition))])],
        IsOrdered: _leads is not null);

    private static long[] Later(long[] read, long[] committed) => [.. read.Select((offset, p) => Math.Max(offset, committed[p]))];

    private static LogPosition[] Positions(long[] offsets) => [.. offsets.Select((offset, p) => new LogPosition(p, offset))];

    private void Collect()
    {
        _examples.Clear();
        _states.Clear();
        _feeds.Clear();
        _deadLetters.Clear();
        _deadLetters.AddRange(_itemLetters);
        foreach (var sink in _sinks) sink.CopyTo(_examples, _deadLetters, _states, _feeds);
    }

    private void Clear()
    {
        _itemLetters.Clear();
        foreach (var sink in _sinks) sink.Clear();
    }

    private async Task AppendCollectedAsync()
    {
        if (_examples.Count > 0) await _log.AppendAsync(Topics.Examples, _examples.ToArray());
        // Each of the two is tried again by itself.
        _examples.Clear();
        if (_deadLetters.Count > 0) await _log.AppendAsync(Topics.DeadLetter, _deadLetters.ToArray());
    }

    private async Task<bool> TryAsync(Func<Task> step, bool patient)
    {
        try
        {
            await step();
        }
        catch (EventLogException problem) when (patient && problem is not LogFencedException && !problem.NeedsRestart && !Stopping.IsCancellationRequested)
        {
            _refused = step;
            if (_refusals++ % RefusalsPerNotice == 0)
                _notice(new NodeNotice(NoticeLevel.Error, $"the event log takes no records, so learning and new lists wait: {problem.Message}", problem));
            return false;
        }
        if (_refusals > 0) _notice(new NodeNotice(NoticeLevel.Info, $"the event log takes records again, after {_refusals} refusals; nothing was lost"));
        (_refused, _refusals) = (null, 0);
        Clear();
        return true;
    }
}
