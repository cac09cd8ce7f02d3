using Streaming.Actors;

namespace Streaming.Akka;

/// <summary>What travels between a host and a shard, perhaps on another node; <see cref="ShardMessageCodec"/> is its form on the wire.</summary>
public interface IShardMessage;

/// <summary>A message to the shard of one partition.</summary>
public interface IShardCommand : IShardMessage
{
    int Partition { get; }
}

/// <summary>Apply records, in order. <paramref name="Batch"/> is <see cref="ShardMessageCodec.EncodeBatch"/> of at most 256 of them.</summary>
public sealed record ApplyRecords(int Partition, ReadOnlyMemory<byte> Batch) : IShardCommand;

/// <summary>Answer when everything before this is handled.</summary>
public sealed record DrainShard(int Partition) : IShardCommand;

/// <summary>Build stale lists; without <paramref name="QuietToo"/> only urgent ones.</summary>
public sealed record RefreshLists(int Partition, long NowMs, int ListsMax, bool QuietToo) : IShardCommand;

/// <summary>Treat a list as stale; with an arm, build that arm's with the next <see cref="RefreshLists"/>.</summary>
public sealed record RequestList(int Partition, string User, string Surface, string? Arm = null) : IShardCommand;

/// <summary>Answer with the user's state.</summary>
public sealed record GetUser(int Partition, string User) : IShardCommand;

/// <summary>Write every changed user into the store.</summary>
public sealed record FlushShard(int Partition) : IShardCommand;

/// <summary>Start to lead, if this is the node of that address; else the shard has not moved yet, and the answer says so.</summary>
public sealed record OpenShard(int Partition, string Node) : IShardCommand;

/// <summary>End leading: with <paramref name="Writes"/> what has changed goes into the store before.</summary>
public sealed record CloseShard(int Partition, bool Writes) : IShardCommand;

/// <summary>The answer to every command.</summary>
/// <param name="Counts">What the shard has done so far.</param>
/// <param name="Waiting">Stale lists that wait.</param>
/// <param name="User">The state asked for, as <see cref="Users.UserStateCodec"/> writes it; null when unknown or not asked for.</param>
/// <param name="Fault">Why the shard has stopped working; null while it works.</param>
public sealed record ShardAnswer(UserHostCounts Counts, int Waiting, byte[]? User, string? Fault) : IShardMessage;
