using Streaming.Core.Log;

namespace Streaming.Suites.Fakes;

/// <summary>A log whose readers have to fetch first what is there, as Kafka's do: they answer 0 until they have been waited for.</summary>
public sealed class FetchingLog(IEventLog inner) : IEventLog
{
    public int PartitionCount(string topic) => inner.PartitionCount(topic);

    public ValueTask<LogPosition[]> AppendAsync(string topic, ReadOnlyMemory<LogEntry> entries, CancellationToken cancel = default) => inner.AppendAsync(topic, entries, cancel);

    public ILogReader OpenReader(string topic, int partition, long offset) => new FetchingReader(inner.OpenReader(topic, partition, offset), partition);

    public ValueTask<LogRange> RangeAsync(string topic, int partition, CancellationToken cancel = default) => inner.RangeAsync(topic, partition, cancel);

    public ValueTask CommitAsync(string group, string topic, IReadOnlyList<LogPosition> next, CancellationToken cancel = default) => inner.CommitAsync(group, topic, next, cancel);

    public ValueTask<IReadOnlyList<LogPosition>> CommittedAsync(string group, string topic, CancellationToken cancel = default) => inner.CommittedAsync(group, topic, cancel);

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}

/// <summary>Of a <see cref="FetchingLog"/>: one batch for each time that it was waited for.</summary>
public sealed class FetchingReader(ILogReader inner, int partition) : ILogReader
{
    private bool _fetched;

    public long Offset => inner.Offset;

    public int Read(LogBatch batch, int recordsMax, long untilOffset = long.MaxValue)
    {
        if (!_fetched)
        {
            batch.Clear(partition, Offset);
            return 0;
        }
        _fetched = false;
        return inner.Read(batch, recordsMax, untilOffset);
    }

    public ValueTask WaitAsync(TimeSpan timeout, CancellationToken cancel = default)
    {
        _fetched = true;
        return ValueTask.CompletedTask;
    }

    public void Dispose() => inner.Dispose();
}
