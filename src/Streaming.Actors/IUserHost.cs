using Streaming.Core.Log;
using Streaming.Users;

namespace Streaming.Actors;

/// <summary>
/// The port of whatever runs the user actors: in-process shards here, Akka.Cluster.Sharding in Streaming.Akka. A shard is a
/// partition of <c>events</c>. Messages of a shard are handled in the order told; messages of one user never run at once.
/// </summary>
public interface IUserHost : IAsyncDisposable
{
    /// <summary>
    /// Hands over records of one partition, in order. Completes when the shard's bounded mailbox has taken them all, which is
    /// how back-pressure reaches the log. The host copies what it needs before completing.
    /// </summary>
    ValueTask TellAsync(LogBatch batch, CancellationToken cancel = default);

    /// <summary>Completes when everything told so far is handled and its effects have reached the sinks.</summary>
    Task DrainAsync(CancellationToken cancel = default);

    /// <summary>
    /// Builds the lists that the messages so far have made stale (each user and surface once, however many events asked for it),
    /// at most <paramref name="listsMax"/> per shard, those asked for by an action first, oldest first; the others only where
    /// <paramref name="quietToo"/> says that the moment is quiet. Returns how many stay waiting.
    /// </summary>
    Task<int> RefreshAsync(long nowMs, int listsMax, bool quietToo = true, CancellationToken cancel = default);

    /// <summary>
    /// Asks for a list as if an event had made it stale, for a caller who waits for a list that has seen some event; with an <paramref name="arm"/> for the list
    /// of that arm, with the next <see cref="RefreshAsync"/>, for a caller who found it missing. Unknown users get none.
    /// </summary>
    Task RequestListAsync(string user, string surface, string? arm = null, CancellationToken cancel = default);

    /// <summary>Runs a read-only question on the shard's thread; null state when the user is unknown.</summary>
    Task<T> AskAsync<T>(string user, Func<UserState?, T> question, CancellationToken cancel = default);

    /// <summary>Persists every changed user and the shards' own state (offset included) into the store. Call only when drained.</summary>
    Task FlushAsync(CancellationToken cancel = default);

    /// <summary>What it has done, summed over the shards it runs; exact when drained, and kept across restarts.</summary>
    UserHostCounts Counts { get; }
}

/// <summary>
/// A host whose node runs some of the shards and other nodes the rest: which ones changes while it works. In-process shards and
/// Akka.Cluster.Sharding's implement it; who decides (Kafka's consumer group) is no matter of theirs.
/// </summary>
public interface IShardHost : IUserHost
{
    /// <summary>Partitions whose shards run here now, ascending.</summary>
    IReadOnlyList<int> Shards { get; }

    /// <summary>
    /// Has these partitions, and no others, run here: shards no longer wanted write what has changed into the store and end, new ones are
    /// opened. The rest goes on untouched. Call only when drained, and one call at a time; calls for a shard that is not here fail with
    /// <see cref="ShardElsewhereException"/>.
    /// </summary>
    Task WantAsync(IReadOnlyCollection<int> partitions, CancellationToken cancel = default);

    /// <summary>Ends these shards and writes nothing: what they hold is no longer theirs to tell, as others may have taken over.</summary>
    Task DropAsync(IReadOnlyCollection<int> partitions);

    /// <summary>Why this host should be given no work now, such as a cluster that does not count it in; null when it is well.</summary>
    string? Unwell => null;
}

/// <summary>The shard does not run on this node, or is just moving: ask the node that runs it, or again in a moment.</summary>
public sealed class ShardElsewhereException(int partition) : Exception($"user shard {partition} does not run on this node")
{
    public int Partition => partition;
}

/// <summary>Counters of a host.</summary>
/// <param name="Applied">Events that changed a user.</param>
/// <param name="Repeats">Events dropped as repeats (event id, or position already applied).</param>
/// <param name="Forgotten">Events dropped because their user asked to be forgotten after they happened.</param>
/// <param name="DeadLetters">Events set aside.</param>
/// <param name="Ticks">Control records that only moved event time on.</param>
/// <param name="Restarts">Actors restarted after an exception.</param>
/// <param name="Lists">Lists built.</param>
/// <param name="Passivated">Users moved out of memory.</param>
/// <param name="Loaded">Users brought back from the store.</param>
/// <param name="Resident">Users in memory now.</param>
public readonly record struct UserHostCounts(
    long Applied, long Repeats, long Forgotten, long DeadLetters, long Ticks, long Restarts, long Lists, long Passivated, long Loaded,
    long Resident)
{
    public static UserHostCounts operator +(UserHostCounts a, UserHostCounts b) => new(
        a.Applied + b.Applied, a.Repeats + b.Repeats, a.Forgotten + b.Forgotten, a.DeadLetters + b.DeadLetters, a.Ticks + b.Ticks,
        a.Restarts + b.Restarts, a.Lists + b.Lists, a.Passivated + b.Passivated, a.Loaded + b.Loaded, a.Resident + b.Resident);
}
