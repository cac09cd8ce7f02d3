using Streaming.Core.Log;

namespace Streaming.Node;

/// <summary>
/// The records that a topic holds when it is opened, all partitions in one order: by record time, ties by partition; within a partition its own
/// order stands. Not thread-safe.
/// </summary>
public sealed class MergedTopic : IDisposable
{
    private const int BatchRecords = 1024;

    private readonly Part[] _parts;
    private readonly PriorityQueue<Part, (long TimeMs, int Partition)> _next = new();
    private Part? _current;

    private sealed class Part(ILogReader reader, LogRange range, int partition) : IDisposable
    {
        public readonly LogBatch Batch = new();
        public readonly int Partition = partition;
        public int At = -1;

        /// <summary>Never behind that of a record before it.</summary>
        public long TimeMs = long.MinValue;

        public double Share => range.End == range.Earliest ? 1 : (double)(reader.Offset - range.Earliest) / (range.End - range.Earliest);

        public bool Next()
        {
            if (++At >= Batch.Count)
            {
                At = 0;
                if (reader.ReadTo(Batch, BatchRecords, range.End) == 0) return false;
            }
            TimeMs = Math.Max(TimeMs, Batch.TimeMs(At));
            return true;
        }

        public void Dispose() => reader.Dispose();
    }

    /// <param name="log">Read to where it ends now.</param>
    /// <param name="topic">One of <see cref="Topics.All"/>.</param>
    public MergedTopic(IEventLog log, string topic)
    {
        _parts = new Part[log.PartitionCount(topic)];
        for (var p = 0; p < _parts.Length; p++)
        {
            var range = log.RangeAsync(topic, p).AsTask().GetAwaiter().GetResult();
            _parts[p] = new Part(log.OpenReader(topic, p, range.Earliest), range, p);
            Queue(_parts[p]);
        }
    }

    /// <summary>Where the current record is.</summary>
    public LogPosition Position => new(_current!.Partition, _current.Batch.Offset(_current.At));

    /// <summary>Valid until the next record is asked for.</summary>
    public ReadOnlyMemory<byte> Key => _current!.Batch.Key(_current.At);

    /// <summary>Of the current record.</summary>
    public long TimeMs => _current!.Batch.TimeMs(_current.At);

    /// <summary>Valid until the next record is asked for.</summary>
    public ReadOnlyMemory<byte> Value => _current!.Batch.Value(_current.At);

    /// <summary>Share of the topic that has been read, 0 to 1.</summary>
    public double Share => _parts.Average(p => p.Share);

    /// <summary>Goes to the next record; false at the end.</summary>
    public bool Next()
    {
        if (_current is not null) Queue(_current);
        return _next.TryDequeue(out _current, out _);
    }

    public void Dispose()
    {
        foreach (var part in _parts) part.Dispose();
    }

    private void Queue(Part part)
    {
        if (part.Next()) _next.Enqueue(part, (part.TimeMs, part.Partition));
    }
}
