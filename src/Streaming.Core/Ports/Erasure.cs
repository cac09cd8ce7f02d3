using Streaming.Core.Log;

namespace Streaming.Core.Ports;

/// <summary>
/// A log that can overwrite records for good. Offsets of the others stay; readers find a gap. A log that cannot (Kafka's) keeps them until its
/// retention removes them.
/// </summary>
public interface IErasableLog
{
    /// <summary>
    /// Overwrites the records of a partition that <paramref name="which"/> names, below <paramref name="until"/> and below what any group has
    /// yet to read. True once everything below <paramref name="until"/> was looked at; else call it again later.
    /// </summary>
    /// <param name="topic">Its name.</param>
    /// <param name="partition">Its number.</param>
    /// <param name="until">The end of what has to be looked at.</param>
    /// <param name="which">Whether a record of a batch goes.</param>
    /// <param name="mayFill">
    /// Whether a record that only fills may be appended where the end of the partition is in the way, instead of waiting for others. It moves the
    /// offsets of what comes after it.
    /// </param>
    /// <param name="cancel">Stops the looking; nothing is overwritten then.</param>
    /// <exception cref="EventLogException">The partition cannot be read.</exception>
    /// <exception cref="IOException">The disk is full or not writable; what was not overwritten is as before.</exception>
    Task<bool> EraseAsync(string topic, int partition, long until, Func<LogBatch, int, bool> which, bool mayFill, CancellationToken cancel = default);
}

/// <summary>A store whose deletions can be made to reach every byte on the disk.</summary>
public interface IErasableStore
{
    /// <summary>
    /// Overwrites what the files still hold of these users and no kept checkpoint needs: versions that were replaced or deleted. True once
    /// nothing of what was deleted before the oldest kept checkpoint is left; else call it again after the next checkpoint. Writers may go on.
    /// </summary>
    /// <param name="users">Whose.</param>
    /// <param name="erased">Told the user of every version that was overwritten.</param>
    /// <param name="cancel">Stops between files.</param>
    /// <exception cref="IOException">The disk is full or not writable; what was not overwritten is as before.</exception>
    Task<bool> EraseAsync(IReadOnlyCollection<string> users, Action<string> erased, CancellationToken cancel = default);
}
