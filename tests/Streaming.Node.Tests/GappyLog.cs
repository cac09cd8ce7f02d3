using Streaming.Core.Log;
using Streaming.Learning.Deep;

namespace Streaming.Node.Tests;

/// <summary>A log as one node sees it that misses records of <c>models</c> on demand; everything else is the inner log's.</summary>
public sealed class GappyLog(IEventLog inner) : IEventLog
{
    /// <summary>The next version of this model that is read gets lost; null for none.</summary>
    public string? Loses { get; set; }

    public int PartitionCount(string topic) => inner.PartitionCount(topic);

    public ValueTask<LogPosition[]> AppendAsync(string topic, ReadOnlyMemory<LogEntry> entries, CancellationToken cancel = default) =>
        inner.AppendAsync(topic, entries, cancel);

    public ILogReader OpenReader(string topic, int partition, long offset) =>
        topic == Topics.Models ? new Reader(this, inner.OpenReader(topic, partition, offset), partition) : inner.OpenReader(topic, partition, offset);

    public ValueTask<LogRange> RangeAsync(string topic, int partition, CancellationToken cancel = default) => inner.RangeAsync(topic, partition, cancel);

    public ValueTask CommitAsync(string group, string topic, IReadOnlyList<LogPosition> next, CancellationToken cancel = default) =>
        inner.CommitAsync(group, topic, next, cancel);

    public ValueTask<IReadOnlyList<LogPosition>> CommittedAsync(string group, string topic, CancellationToken cancel = default) =>
        inner.CommittedAsync(group, topic, cancel);

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private sealed class Reader(GappyLog log, ILogReader reader, int partition) : ILogReader
    {
        private readonly LogBatch _read = new();
        private long _lost = -1;

        public long Offset => reader.Offset;

        public int Read(LogBatch batch, int recordsMax, long untilOffset = long.MaxValue)
        {
            do
            {
                reader.Read(_read, recordsMax, untilOffset);
                batch.Clear(partition, reader.Offset);
                for (var i = 0; i < _read.Count; i++)
                    if (!IsLost(_read.Value(i).Span)) batch.Add(_read.Offset(i), _read.Offset(i) + 1, _read.TimeMs(i), _read.Key(i).Span, _read.Value(i).Span);
            }
            while (batch.Count == 0 && _read.Count > 0);
            return batch.Count;
        }

        public ValueTask WaitAsync(TimeSpan timeout, CancellationToken cancel = default) => reader.WaitAsync(timeout, cancel);

        public void Dispose() => reader.Dispose();

        /// <summary>All pieces of one version get lost.</summary>
        private bool IsLost(ReadOnlySpan<byte> record)
        {
            var head = ModelRecordCodec.Read(record, out _);
            if (head.Model == log.Loses) (_lost, log.Loses) = (head.Version, null);
            return head.Version == _lost && head.Kind == UpdateKind.Delta;
        }
    }
}
