namespace Streaming.Core.Log;

/// <summary>
/// A log whose readers share the partitions of a topic among processes: each is with one of them at a time, moves when processes come and go,
/// and whoever lost one can commit nothing of it any more.
/// </summary>
public interface ISharedLog : ITransactionalLog
{
    /// <summary>This process's name as a writer, different from that of every other, former ones included.</summary>
    string Writer { get; }

    /// <summary>
    /// Joins a group that shares a topic; from then on positions that transactions move in this group are refused for partitions that are not here.
    /// </summary>
    /// <param name="group">Its name.</param>
    /// <param name="topic">What is shared.</param>
    /// <param name="changed">Called, from any thread, when <see cref="IPartitionShare.Now"/> has changed.</param>
    IPartitionShare Join(string group, string topic, Action changed);

    /// <summary>Ends another writer: what it had begun and not committed is gone.</summary>
    /// <exception cref="EventLogException">The log does not answer in time.</exception>
    ValueTask FenceAsync(string writer, CancellationToken cancel = default);
}

/// <summary>A process's place in a group. Thread-safe.</summary>
public interface IPartitionShare : IAsyncDisposable
{
    /// <summary>Who has what, as far as this process is told.</summary>
    ShareState Now { get; }

    /// <summary>Says that nothing more is done here with partitions that were asked back or lost; others may start then.</summary>
    void Release(IReadOnlyCollection<int> partitions);
}

/// <summary>Partitions of a process, three ways; none is in two of them.</summary>
/// <param name="Mine">To be worked on here.</param>
/// <param name="Leaving">Still this process's, and asked back: the group waits, for a time, until they are released.</param>
/// <param name="Lost">Taken without asking, as this process was too slow: others may be at work on them already.</param>
public sealed record ShareState(IReadOnlyList<int> Mine, IReadOnlyList<int> Leaving, IReadOnlyList<int> Lost)
{
    public static ShareState None { get; } = new([], [], []);
}

/// <summary>A transaction names positions of partitions that are not this process's any more: nothing of it was committed.</summary>
public sealed class PartitionsLostException(string message) : EventLogException(message);
