namespace Streaming.Core.Log;

/// <summary>
/// The port of the event log: partitioned, append-only, durable. Implementations: FasterLog on disk (Streaming.Storage) and
/// Kafka (Streaming.Kafka); one contract suite states what both promise.
/// </summary>
public interface IEventLog : IAsyncDisposable
{
    /// <summary>Number of partitions of a topic; creates the topic with the configured number where it does not exist.</summary>
    /// <exception cref="EventLogException">The topic is not one of <see cref="Topics.All"/>, or the log cannot be reached.</exception>
    int PartitionCount(string topic);

    /// <summary>
    /// Appends a batch and completes when every record of it is durable; then positions[i] is where entries[i] lies. Records of
    /// one call keep their order within a partition. A failed call may have appended some of its records.
    /// </summary>
    /// <exception cref="EventLogException">A record is larger than the log allows, the disk is full, the broker refuses...</exception>
    ValueTask<LogPosition[]> AppendAsync(string topic, ReadOnlyMemory<LogEntry> entries, CancellationToken cancel = default);

    /// <summary>
    /// Opens a reader of durable records from <paramref name="offset"/> on. An offset below the earliest kept one starts at the
    /// earliest; one in the middle of a record (embedded log only) is an error.
    /// </summary>
    ILogReader OpenReader(string topic, int partition, long offset);

    /// <summary>The readable range right now.</summary>
    ValueTask<LogRange> RangeAsync(string topic, int partition, CancellationToken cancel = default);

    /// <summary>Durably stores how far <paramref name="group"/> has come in a topic: the next offset to read, per partition.</summary>
    ValueTask CommitAsync(string group, string topic, IReadOnlyList<LogPosition> next, CancellationToken cancel = default);

    /// <summary>The committed positions of a group, one per partition that has one.</summary>
    ValueTask<IReadOnlyList<LogPosition>> CommittedAsync(string group, string topic, CancellationToken cancel = default);
}

/// <summary>A sequential reader of one partition. Not thread-safe.</summary>
public interface ILogReader : IDisposable
{
    /// <summary>Offset of the next record to read.</summary>
    long Offset { get; }

    /// <summary>
    /// Clears <paramref name="batch"/> and fills it with up to <paramref name="recordsMax"/> durable records whose offsets are
    /// below <paramref name="untilOffset"/>; returns how many. 0 means that nothing is there right now: it never blocks long.
    /// </summary>
    int Read(LogBatch batch, int recordsMax, long untilOffset = long.MaxValue);

    /// <summary>Completes when there may be something to read, or when <paramref name="timeout"/> has passed.</summary>
    ValueTask WaitAsync(TimeSpan timeout, CancellationToken cancel = default);
}

/// <summary>An expected failure of the event log; the message says what to do about it.</summary>
public class EventLogException(string message, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>The log as it is open takes nothing more, whatever becomes of the cause: only opening it again helps, so the node has to end.</summary>
    public bool NeedsRestart { get; init; }
}
