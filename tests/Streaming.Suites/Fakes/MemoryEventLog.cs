using Streaming.Core.Ids;
using Streaming.Core.Log;
using Streaming.Core.Settings;

namespace Streaming.Suites.Fakes;

/// <summary>An event log in memory, for tests that restart what reads it and not the log itself. Offsets are dense, as on Kafka.</summary>
public sealed class MemoryEventLog(LogSettings settings) : IEventLog
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, List<Stored>[]> _topics = Topics.All.ToDictionary(
        t => t, t => Enumerable.Range(0, Topics.PartitionsOf(t, settings.Partitions)).Select(_ => new List<Stored>()).ToArray());
    private readonly Dictionary<(string Group, string Topic), SortedDictionary<int, long>> _groups = [];
    private TaskCompletionSource _appended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _writers;

    private sealed record Stored(byte[] Key, byte[] Value, long TimeMs);

    /// <summary>When set, called before every append with the topic; it may throw what a log throws.</summary>
    public Action<string>? Appending { get; set; }

    public int PartitionCount(string topic) => Find(topic).Length;

    public ValueTask<LogPosition[]> AppendAsync(string topic, ReadOnlyMemory<LogEntry> entries, CancellationToken cancel = default)
    {
        cancel.ThrowIfCancellationRequested();
        Appending?.Invoke(topic);
        var found = Find(topic);
        var positions = new LogPosition[entries.Length];
        lock (_gate)
        {
            foreach (var entry in entries.Span)
            {
                if (entry.Partition >= found.Length) throw new EventLogException($"There is no partition {entry.Partition}.");
                if (entry.Key.Length + entry.Value.Length > settings.RecordBytesMax)
                    throw new EventLogException($"A record has {entry.Key.Length + entry.Value.Length} bytes; Log:RecordBytesMax is {settings.RecordBytesMax}.");
            }
            for (var i = 0; i < entries.Length; i++)
            {
                var entry = entries.Span[i];
                var p = entry.Partition >= 0 ? entry.Partition : Murmur2.PartitionOf(entry.Key.Span, found.Length);
                positions[i] = new LogPosition(p, found[p].Count);
                found[p].Add(new Stored(entry.Key.ToArray(), entry.Value.ToArray(), entry.TimeMs));
            }
            var appended = _appended;
            _appended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            appended.TrySetResult();
        }
        return ValueTask.FromResult(positions);
    }

    /// <summary>A view of this log that commits transactions, one writer at a time; disposing of it leaves the log as it is.</summary>
    public ITransactionalLog NewWriter() => new Writer(this);

    /// <summary>Appends and moves positions in one step: readers take the same gate, so nobody sees half of it.</summary>
    internal void Commit(LogTransaction transaction)
    {
        lock (_gate)
        {
            foreach (var (topic, entries) in transaction.Appends) AppendAsync(topic, entries.ToArray()).AsTask().GetAwaiter().GetResult();
            foreach (var (topic, next) in transaction.Positions) CommitAsync(transaction.Group, topic, next).AsTask().GetAwaiter().GetResult();
        }
    }

    /// <summary>Forgets the positions of all groups.</summary>
    public void ForgetGroups()
    {
        lock (_gate) _groups.Clear();
    }

    /// <summary>When set, called before a transaction is committed (true) and after (false); what it throws ends the call.</summary>
    public Action<bool>? Committing { get; set; }

    public ILogReader OpenReader(string topic, int partition, long offset)
    {
        var found = Find(topic);
        if (partition < 0 || partition >= found.Length) throw new EventLogException($"There is no partition {partition}.");
        return new Reader(this, found[partition], partition, offset);
    }

    public ValueTask<LogRange> RangeAsync(string topic, int partition, CancellationToken cancel = default)
    {
        lock (_gate) return ValueTask.FromResult(new LogRange(0, Find(topic)[partition].Count));
    }

    public ValueTask CommitAsync(string group, string topic, IReadOnlyList<LogPosition> next, CancellationToken cancel = default)
    {
        _ = Find(topic);
        lock (_gate)
        {
            if (!_groups.TryGetValue((group, topic), out var positions)) _groups[(group, topic)] = positions = [];
            foreach (var position in next) positions[position.Partition] = position.Offset;
        }
        return ValueTask.CompletedTask;
    }

    public ValueTask<IReadOnlyList<LogPosition>> CommittedAsync(string group, string topic, CancellationToken cancel = default)
    {
        _ = Find(topic);
        lock (_gate)
        {
            IReadOnlyList<LogPosition> found = _groups.TryGetValue((group, topic), out var positions)
                ? [.. positions.Select(p => new LogPosition(p.Key, p.Value))] : [];
            return ValueTask.FromResult(found);
        }
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private List<Stored>[] Find(string topic) =>
        _topics.TryGetValue(topic, out var found) ? found : throw new EventLogException($"There is no topic '{topic}'.");

    private sealed class Reader(MemoryEventLog log, List<Stored> partition, int number, long offset) : ILogReader
    {
        public long Offset { get; private set; } = offset;

        public int Read(LogBatch batch, int recordsMax, long untilOffset = long.MaxValue)
        {
            batch.Clear(number, Offset);
            lock (log._gate)
                for (; batch.Count < recordsMax && Offset < Math.Min(partition.Count, untilOffset); Offset++)
                    batch.Add(Offset, Offset + 1, partition[(int)Offset].TimeMs, partition[(int)Offset].Key, partition[(int)Offset].Value);
            return batch.Count;
        }

        public async ValueTask WaitAsync(TimeSpan timeout, CancellationToken cancel = default)
        {
            Task appended;
            lock (log._gate)
            {
                if (Offset < partition.Count) return;
                appended = log._appended.Task;
            }
            try
            {
                await appended.WaitAsync(timeout, cancel);
            }
            catch (TimeoutException)
            {
                // As promised.
            }
        }

        public void Dispose()
        {
        }
    }

    private sealed class Writer(MemoryEventLog log) : ITransactionalLog
    {
        private int _id;

        public int PartitionCount(string topic) => log.PartitionCount(topic);

        public ValueTask<LogPosition[]> AppendAsync(string topic, ReadOnlyMemory<LogEntry> entries, CancellationToken cancel = default) =>
            log.AppendAsync(topic, entries, cancel);

        public ILogReader OpenReader(string topic, int partition, long offset) => log.OpenReader(topic, partition, offset);

        public ValueTask<LogRange> RangeAsync(string topic, int partition, CancellationToken cancel = default) => log.RangeAsync(topic, partition, cancel);

        public ValueTask CommitAsync(string group, string topic, IReadOnlyList<LogPosition> next, CancellationToken cancel = default) =>
            log.CommitAsync(group, topic, next, cancel);

        public ValueTask<IReadOnlyList<LogPosition>> CommittedAsync(string group, string topic, CancellationToken cancel = default) =>
            log.CommittedAsync(group, topic, cancel);

        public ValueTask BeginAsync(CancellationToken cancel = default)
        {
            lock (log._gate) _id = ++log._writers;
            return ValueTask.CompletedTask;
        }

        public async ValueTask TransactAsync(LogTransaction transaction, CancellationToken cancel = default)
        {
            log.Committing?.Invoke(true);
            lock (log._gate)
            {
                if (_id != log._writers) throw new LogFencedException("another writer has begun");
                log.Commit(transaction);
            }
            log.Committing?.Invoke(false);
            await ValueTask.CompletedTask.ConfigureAwait(false);
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
