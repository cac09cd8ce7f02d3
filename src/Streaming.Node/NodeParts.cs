using Streaming.Actors;
using Streaming.Core.Log;
using Streaming.Core.Ports;
using Streaming.Core.Settings;
using Streaming.Core.Threads;

namespace Streaming.Node;

/// <summary>What a node runs on. The composition root picks the adapters; the node knows ports only.</summary>
public sealed record NodeParts
{
    public required StreamingSettings Settings { get; init; }
    public required IEventLog Log { get; init; }
    public required IStateStore Users { get; init; }
    public required IFeedCache Feeds { get; init; }

    /// <summary>
    /// Whether deep models learn within the rounds instead of beside them, and are part of the node's checkpoint: a replay's way, which gives the same
    /// every time.
    /// </summary>
    public bool LearnsDeepInRounds { get; init; }

    /// <summary>Folder of the node's checkpoints; created when absent.</summary>
    public required string CheckpointDir { get; init; }

    /// <summary>Folder of what deletions of users are under way and of their receipts; null where they are not followed to the disk.</summary>
    public string? DeletionsDir { get; init; }

    /// <summary>Bytes that the disk of the data has left; null where that is of no matter.</summary>
    public Func<long>? FreeBytes { get; init; }

    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>Threads of control for rounds and user shards.</summary>
    public IThreads Threads { get; init; } = SystemThreads.Instance;

    /// <summary>Opens what runs the users' shards, where nodes share them; null for threads of this process.</summary>
    public Func<UserHostParts, CancellationToken, Task<IShardHost>>? UserHost { get; init; }

    /// <summary>Where <see cref="CheckpointDir"/> lies.</summary>
    public IFiles Files { get; init; } = DiskFiles.Instance;

    /// <summary>Receives what an operator should know.</summary>
    public Action<NodeNotice> Notice { get; init; } = _ => { };

    /// <summary>Told what a live node did, in order, so that it can be done again: see <see cref="INodeWitness"/>. Null for nobody.</summary>
    internal INodeWitness? Witness { get; init; }
}

/// <summary>What a host of shards is made for.</summary>
/// <param name="Partitions">Of <c>events</c>.</param>
/// <param name="Dimension">Of the users' embeddings.</param>
/// <param name="MailboxRecordsMax">Records on their way to one shard at most.</param>
/// <param name="ShardOf">The shard of a partition, in the state that it goes on from.</param>
public sealed record UserHostParts(int Partitions, int Dimension, int MailboxRecordsMax, Func<int, UserShard> ShardOf);

/// <summary>Told, on the rounds' thread, of what only timing has decided: with it, the log gives the same state again.</summary>
internal interface INodeWitness
{
    /// <summary>A round has ended.</summary>
    void Round(RoundInput input);

    /// <summary>Checkpoint <paramref name="id"/> is being taken of the state as of now. Whether it is ever completed is another matter.</summary>
    void Checkpoint(long id);
}

/// <summary>What a round took from outside the state.</summary>
/// <param name="Limits">Where its reading stopped.</param>
/// <param name="NowMs">Time of its lists.</param>
/// <param name="Quiet">Whether lists that only showing made stale were built too.</param>
/// <param name="Requests">Lists that look-ups waited for, user and surface.</param>
/// <param name="Wanted">Lists of given arms that look-ups lacked.</param>
internal sealed record RoundInput(
    RoundLimits Limits, long NowMs, bool Quiet, IReadOnlyList<(string User, string Surface)> Requests, IReadOnlyList<WantedList> Wanted);

/// <summary>How much a notice matters.</summary>
public enum NoticeLevel
{
    Info,
    Warning,
    Error,
}

/// <summary>One structured log line: the host gives it to its logger.</summary>
public sealed record NodeNotice(NoticeLevel Level, string Message, Exception? Exception = null);
