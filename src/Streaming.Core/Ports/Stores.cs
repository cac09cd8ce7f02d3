using Streaming.Core.Feeds;
using Streaming.Core.Wire;

namespace Streaming.Core.Ports;

/// <summary>
/// A durable map from bytes to bytes, larger than memory, with named checkpoints. What was upserted after the last completed
/// checkpoint is gone after a crash: the owner replays its input from the position saved with that checkpoint.
/// </summary>
public interface IStateStore : IDisposable
{
    /// <summary>A session for one thread. Sessions of different threads may work at once.</summary>
    IStateSession OpenSession();

    /// <summary>Makes the present content durable and returns the checkpoint's token. Writers must be quiet meanwhile.</summary>
    /// <exception cref="IOException">The disk is full or not writable; the previous checkpoint stays valid.</exception>
    Task<string> CheckpointAsync(CancellationToken cancel = default);

    /// <summary>Replaces the content by that of a checkpoint. Call before any session is opened.</summary>
    /// <exception cref="InvalidDataException">The checkpoint is missing, torn or corrupt.</exception>
    Task RecoverAsync(string token, CancellationToken cancel = default);

    /// <summary>Removes checkpoints, and log space, that none of <paramref name="keep"/> needs.</summary>
    void Prune(IReadOnlyCollection<string> keep);
}

/// <summary>One thread's access to an <see cref="IStateStore"/>.</summary>
public interface IStateSession : IDisposable
{
    /// <summary>Appends the value to <paramref name="into"/>; false when the key is absent.</summary>
    bool TryRead(ReadOnlySpan<byte> key, ByteWriter into);

    void Upsert(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value);

    void Delete(ReadOnlySpan<byte> key);
}

/// <summary>
/// The look-up's cache: the newest list per user, surface and arm. Any thread may read; one thread at a time writes a given
/// user. A user with an empty name does not exist, so segment lists use reserved names (<see cref="SegmentUser"/>).
/// </summary>
public interface IFeedCache : IDisposable
{
    /// <summary>
    /// Appends the stored form (<see cref="FeedListCodec"/>) of the list to <paramref name="into"/>; false when there is none.
    /// </summary>
    bool TryGet(string user, string surface, string arm, ByteWriter into);

    void Put(FeedList list);

    /// <summary>Removes every list of the user.</summary>
    void Delete(string user);

    /// <inheritdoc cref="IStateStore.CheckpointAsync"/>
    Task<string> CheckpointAsync(CancellationToken cancel = default);

    /// <inheritdoc cref="IStateStore.RecoverAsync"/>
    Task RecoverAsync(string token, CancellationToken cancel = default);

    /// <inheritdoc cref="IStateStore.Prune"/>
    void Prune(IReadOnlyCollection<string> keep);

    /// <summary>The reserved cache key of a segment's popular list; no real user id may start with a NUL.</summary>
    static string SegmentUser(string segment) => "\0segment:" + segment;

    /// <summary>What the keys of segments' lists start with, in UTF-8.</summary>
    static ReadOnlySpan<byte> SegmentPrefix => "\0segment:"u8;
}
