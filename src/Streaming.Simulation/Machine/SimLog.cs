using Streaming.Core.Ids;
using Streaming.Core.Log;
using Streaming.Evaluation;

namespace Streaming.Simulation;

/// <summary>A record of the simulated log.</summary>
public sealed record Stored(long Offset, long Next, long TimeMs, byte[] Key, byte[] Value);

/// <summary>
/// The log as it lies on the disk of the machine, over all lives. What retention takes away is only hidden: the checker reads all of it.
/// </summary>
/// <param name="partitions">Of every topic but dead-letter.</param>
/// <param name="sparse">Offsets grow by the records' bytes, as on the embedded log; else by one, as on Kafka.</param>
/// <param name="retains">Whether what no checkpoint needs goes at every commit.</param>
public sealed class LogDisk(int partitions, bool sparse, bool retains)
{
    private readonly Dictionary<string, Partition[]> _topics = Topics.All.ToDictionary(
        t => t, t => Enumerable.Range(0, Topics.PartitionsOf(t, partitions)).Select(_ => sparse ? new Partition { Earliest = 64, End = 64 } : new Partition()).ToArray());
    private readonly Dictionary<(string Group, string Topic), SortedDictionary<int, long>> _groups = [];
    private readonly List<Batch> _underWay = [];

    public sealed class Partition
    {
        public List<Stored> Records { get; } = [];
        public long Earliest { get; set; }
        public long End { get; set; }

        /// <summary>Index of the first record at or after an offset.</summary>
        public int IndexOf(long offset)
        {
            int low = 0, high = Records.Count;
            while (low < high)
            {
                var middle = (low + high) / 2;
                if (Records[middle].Offset < offset) low = middle + 1;
                else high = middle;
            }
            return low;
        }
    }

    /// <summary>A batch that is being written.</summary>
    internal sealed record Batch(string Topic, LogEntry[] Entries, int[] Partitions);

    public Partition[] Of(string topic) => _topics.TryGetValue(topic, out var found) ? found : throw new EventLogException($"there is no topic '{topic}'");

    internal Batch Begin(string topic, ReadOnlySpan<LogEntry> entries)
    {
        var found = Of(topic);
        var copies = new LogEntry[entries.Length];
        var into = new int[entries.Length];
        for (var i = 0; i < copies.Length; i++)
        {
            copies[i] = entries[i] with { Key = entries[i].Key.ToArray(), Value = entries[i].Value.ToArray() };
            if (copies[i].Partition >= found.Length) throw new EventLogException($"topic '{topic}' has no partition {copies[i].Partition}");
            into[i] = copies[i].Partition >= 0 ? copies[i].Partition : Murmur2.PartitionOf(copies[i].Key.Span, found.Length);
        }
        var batch = new Batch(topic, copies, into);
        _underWay.Add(batch);
        return batch;
    }

    /// <summary>The batch is on the disk and can be read.</summary>
    internal LogPosition[] Commit(Batch batch)
    {
        _underWay.Remove(batch);
        var positions = new LogPosition[batch.Entries.Length];
        for (var i = 0; i < positions.Length; i++) positions[i] = Append(batch, i);
        return positions;
    }

    /// <summary>Where the batch would lie if it were committed now.</summary>
    internal LogPosition[] Promise(Batch batch)
    {
        var ends = Of(batch.Topic).Select(p => p.End).ToArray();
        return [.. batch.Entries.Select((entry, i) =>
        {
            var position = new LogPosition(batch.Partitions[i], ends[batch.Partitions[i]]);
            ends[batch.Partitions[i]] += LengthOf(entry);
            return position;
        })];
    }

    /// <summary>The write failed, or the machine stopped, half-way: of each partition's records the first few are there, or none.</summary>
    internal void Tear(Batch batch, ref Draws draws)
    {
        _underWay.Remove(batch);
        foreach (var partition in batch.Partitions.Distinct().Order().ToArray())
        {
            var mine = Enumerable.Range(0, batch.Entries.Length).Where(i => batch.Partitions[i] == partition).ToArray();
            foreach (var i in mine[..draws.Below(mine.Length + 1)]) Append(batch, i);
        }
    }

    internal void Crash(ref Draws draws)
    {
        foreach (var batch in _underWay.ToArray()) Tear(batch, ref draws);
    }

    internal void Commit(string group, string topic, IReadOnlyList<LogPosition> next)
    {
        if (!_groups.TryGetValue((group, topic), out var positions)) _groups[(group, topic)] = positions = [];
        foreach (var position in next) positions[position.Partition] = position.Offset;
        if (!retains) return;
        foreach (var (partition, offset) in positions) Of(topic)[partition].Earliest = Math.Max(Of(topic)[partition].Earliest, offset);
    }

    internal IReadOnlyList<LogPosition> Committed(string group, string topic) =>
        _groups.TryGetValue((group, topic), out var positions) ? [.. positions.Select(p => new LogPosition(p.Key, p.Value))] : [];

    /// <summary>The same events and items, and nothing else, for a run that starts from nothing.</summary>
    internal LogDisk Inputs()
    {
        var copy = new LogDisk(partitions, sparse, retains: false);
        foreach (var topic in (string[])[Topics.Events, Topics.Items])
            for (var p = 0; p < partitions; p++)
            {
                copy.Of(topic)[p].Records.AddRange(Of(topic)[p].Records);
                copy.Of(topic)[p].End = Of(topic)[p].End;
            }
        return copy;
    }

    private LogPosition Append(Batch batch, int i)
    {
        var partition = Of(batch.Topic)[batch.Partitions[i]];
        var entry = batch.Entries[i];
        var offset = partition.End;
        partition.End += LengthOf(entry);
        partition.Records.Add(new Stored(offset, partition.End, entry.TimeMs, (byte[])[.. entry.Key.Span], (byte[])[.. entry.Value.Span]));
        return new LogPosition(batch.Partitions[i], offset);
    }

    private long LengthOf(LogEntry entry) => sparse ? (entry.Key.Length + entry.Value.Length + 31) & ~7 : 1;
}

/// <summary>One life's access to the log: slow, failing and torn as the faults say.</summary>
internal sealed class SimLog(World world, Life life, LogDisk disk, Faults faults) : IEventLog
{
    public int PartitionCount(string topic) => disk.Of(topic).Length;

    public async ValueTask<LogPosition[]> AppendAsync(string topic, ReadOnlyMemory<LogEntry> entries, CancellationToken cancel = default)
    {
        life.Point("append");
        var batch = disk.Begin(topic, entries.Span);
        if (faults.Planted == Plant.AckBeforeDurable && topic == Topics.Events)
        {
            var promised = disk.Promise(batch);
            world.After(faults.DiskDelay(), life, "late commit", () => disk.Commit(batch));
            return promised;
        }
        await world.Delay(faults.DiskDelay(), life, "append:disk");
        if (faults.AppendFails())
        {
            faults.Use((ref Draws draws) => disk.Tear(batch, ref draws));
            world.Note("append failed");
            throw new EventLogException("the simulated disk is full");
        }
        var positions = disk.Commit(batch);
        foreach (var entry in batch.Entries) world.Note(topic, StableHash.Of(entry.Value.Span));
        life.Point("appended");
        await world.Delay(TimeSpan.Zero, life, "append:ack");
        return positions;
    }

    public ILogReader OpenReader(string topic, int partition, long offset)
    {
        life.ThrowIfDead();
        var found = disk.Of(topic)[partition];
        if (offset > found.End) throw new EventLogException($"offset {offset} is beyond the end {found.End} of '{topic}' {partition}");
        if (topic == Topics.Events && faults.Planted is Plant.RereadRecord or Plant.SkippedRecord && life.Number > 1 && found.IndexOf(offset) is > 0 and var at)
        {
            if (faults.Planted == Plant.RereadRecord) offset = found.Records[at - 1].Offset;
            else if (at < found.Records.Count) offset = found.Records[at].Next;
        }
        return new Reader(life, found, faults, partition, Math.Max(offset, found.Earliest));
    }

    public ValueTask<LogRange> RangeAsync(string topic, int partition, CancellationToken cancel = default)
    {
        life.ThrowIfDead();
        var found = disk.Of(topic)[partition];
        return ValueTask.FromResult(new LogRange(found.Earliest, found.End));
    }

    public async ValueTask CommitAsync(string group, string topic, IReadOnlyList<LogPosition> next, CancellationToken cancel = default)
    {
        life.Point("commit");
        await world.Delay(faults.DiskDelay(), life, "commit:disk");
        disk.Commit(group, topic, next);
        life.Point("committed");
    }

    public ValueTask<IReadOnlyList<LogPosition>> CommittedAsync(string group, string topic, CancellationToken cancel = default) =>
        ValueTask.FromResult(disk.Committed(group, topic));

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private sealed class Reader(Life life, LogDisk.Partition partition, Faults faults, int number, long offset) : ILogReader
    {
        public long Offset { get; private set; } = offset;

        public int Read(LogBatch batch, int recordsMax, long untilOffset = long.MaxValue)
        {
            life.Point("read");
            batch.Clear(number, Offset);
            recordsMax = faults.ReadMax(recordsMax);
            for (var i = partition.IndexOf(Offset); i < partition.Records.Count && batch.Count < recordsMax; i++)
            {
                var record = partition.Records[i];
                if (record.Offset >= untilOffset) break;
                batch.Add(record.Offset, record.Next, record.TimeMs, record.Key, record.Value);
                Offset = record.Next;
            }
            return batch.Count;
        }

        public ValueTask WaitAsync(TimeSpan timeout, CancellationToken cancel = default) => throw new NotSupportedException("no role of the simulation waits for a log");

        public void Dispose()
        {
            // Nothing is held.
        }
    }
}
