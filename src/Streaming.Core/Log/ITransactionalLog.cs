namespace Streaming.Core.Log;

/// <summary>What becomes durable in one step.</summary>
/// <param name="Appends">Records by topic, in order within a partition. In a compacted topic (<see cref="Topics.IsCompacted"/>) an empty value removes its key.</param>
/// <param name="Group">Whose positions move.</param>
/// <param name="Positions">By topic: the next offset to read, per partition.</param>
/// <param name="IsOrdered">
/// Whether the last topic's records may reach the log only when all others are there: then even a reader who sees what is not committed knows, by
/// these, that the rest is complete.
/// </param>
public sealed record LogTransaction(
    IReadOnlyList<(string Topic, IReadOnlyList<LogEntry> Entries)> Appends, string Group, IReadOnlyList<(string Topic, IReadOnlyList<LogPosition> Next)> Positions,
    bool IsOrdered = false);

/// <summary>
/// A log that makes outputs and input positions durable in one step, so that a record is never derived twice nor not at all, whenever the
/// writer is killed. One writer at a time: who begins ends the one before.
/// </summary>
public interface ITransactionalLog : IEventLog
{
    /// <summary>
    /// Ends the writer before this one: what it had begun and not committed is gone, and it can commit nothing more. Positions that
    /// <see cref="IEventLog.CommittedAsync"/> tells afterwards are final.
    /// </summary>
    /// <exception cref="EventLogException">The log refuses, or does not know transactions.</exception>
    ValueTask BeginAsync(CancellationToken cancel = default);

    /// <summary>
    /// Commits all of it or nothing; committing nothing but positions is legal. After an <see cref="EventLogException"/> it is not known which:
    /// give the same transaction again, and if it was committed after all it is not committed twice.
    /// </summary>
    /// <exception cref="LogFencedException">Another writer has begun; this one must stop.</exception>
    /// <exception cref="PartitionsLostException">Partitions that it names have gone to others (<see cref="ISharedLog"/>).</exception>
    /// <exception cref="EventLogException">It did not succeed within the log's time-out.</exception>
    ValueTask TransactAsync(LogTransaction transaction, CancellationToken cancel = default);
}

/// <summary>Another writer has taken over; whatever this one would write now would stand there twice.</summary>
public sealed class LogFencedException(string message, Exception? inner = null) : EventLogException(message, inner);
