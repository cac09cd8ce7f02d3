using System.Collections.Concurrent;
using Streaming.Core.Log;

namespace Streaming.Node.Tests;

/// <summary>A log that counts what is read of each topic; everything else is the inner log's.</summary>
public sealed class CountedLog(IEventLog inner) : IEventLog
{
    private readonly ConcurrentDictionary<string, long> _read = [];

    /// <summary>Records of a topic that any reader has had so far.</summary>
    public long Read(string topic) => _read.GetValueOrDefault(topic);

    public int PartitionCount(string topic) => inner.PartitionCount(topic);

    public ValueTask<LogPosition[]> AppendAsync(string topic, ReadOnlyMemory<LogEntry> entries, CancellationToken cancel = default) => inner.AppendAsync(topic, entries, cancel);

    public ILogReader OpenReader(string topic, int partition, long offset) => new Reader(inner.OpenReader(topic, partition, offset), read => _read.AddOrUpdate(topic, read, (_, before) => before + read));

    public ValueTask<LogRange> RangeAsync(string topic, int partition, CancellationToken cancel = default) => inner.RangeAsync(topic, partition, cancel);

    public ValueTask CommitAsync(string group, string topic, IReadOnlyList<LogPosition> next, CancellationToken cancel = default) => inner.CommitAsync(group, topic, next, cancel);

    public ValueTask<IReadOnlyList<LogPosition>> CommittedAsync(string group, string topic, CancellationToken cancel = default) => inner.CommittedAsync(group, topic, cancel);

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private sealed class Reader(ILogReader reader, Action<int> count) : ILogReader
    {
        public long Offset => reader.Offset;

        public int Read(LogBatch batch, int recordsMax, long untilOffset = long.MaxValue)
        {
            var read = reader.Read(batch, recordsMax, untilOffset);
            count(read);
            return read;
        }

        public ValueTask WaitAsync(TimeSpan timeout, CancellationToken cancel = default) => reader.WaitAsync(timeout, cancel);

        public void Dispose() => reader.Dispose();
    }
}
