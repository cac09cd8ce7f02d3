using Streaming.Actors;
using Streaming.Node.Deep;

namespace Streaming.Node;

/// <summary>A node's figures at one moment.</summary>
public sealed record NodeStatus
{
    /// <summary>Records taken from <c>events</c> by this process.</summary>
    public required long Records { get; init; }

    /// <summary>How far the state is behind the log, in offsets: bytes on the embedded log, records on Kafka.</summary>
    public required long LagOffsets { get; init; }

    /// <summary>How long the actors would take to catch up at their latest speed, ms.</summary>
    public required double LagMs { get; init; }

    /// <summary>Lists that the last round left for the next.</summary>
    public required int ListsWaiting { get; init; }

    /// <summary>Shards that this node leads, where nodes share them; null where it has them all.</summary>
    public ShardsStatus? Shards { get; init; }

    /// <summary>Whether events are taken: <see cref="AdmissionState"/>.</summary>
    public required string Admission { get; init; }

    public required long Rounds { get; init; }
    public required UserHostCounts Users { get; init; }
    public required long Items { get; init; }
    public required long ItemDeadLetters { get; init; }

    /// <summary>Events and items rejected at the door; each is in <c>dead-letter</c> too.</summary>
    public required long IngestRejected { get; init; }

    /// <summary>Examples learned.</summary>
    public required long Examples { get; init; }

    public required string Models { get; init; }

    /// <summary>Lists of this process that mismatched versions have made.</summary>
    public required SkewCounts VersionSkew { get; init; }

    /// <summary>Deep models that this process serves; empty where they are off.</summary>
    public IReadOnlyList<DeepModelStatus> Deep { get; init; } = [];

    /// <summary>Isolated arms and contamination, as of the last tick.</summary>
    public IsolationStatus Isolation { get; init; } = IsolationStatus.None;

    /// <summary>Milliseconds from the receipt of an event to the list that has seen it being in the cache; NaN when none.</summary>
    public required double ClickToListMsP50 { get; init; }

    public required double ClickToListMsP99 { get; init; }

    /// <summary>Event time, Unix ms.</summary>
    public required long ClockMs { get; init; }

    public required long CheckpointId { get; init; }
    public required long ServedDropped { get; init; }

    /// <summary>Deleted users of whom something is still on the disk.</summary>
    public int DeletionsPending { get; init; }

    /// <summary>Share of wall time per phase since the start: read, users, learning, lists; in seconds.</summary>
    public required double[] PhaseSeconds { get; init; }
}

/// <summary>A node's part of the shards.</summary>
/// <param name="Leading">Led here, ascending.</param>
/// <param name="Coming">Given to this node, and not led yet.</param>
/// <param name="Moves">Shards that came here in this run.</param>
/// <param name="LastMoveMs">From the last one's being given to its being led.</param>
/// <param name="ListsTaken">Lists of other nodes in this one's cache.</param>
/// <param name="ListAgeMsP50">From a list's being built elsewhere to its being in this cache, by both machines' clocks.</param>
/// <param name="ListAgeMsP99">The same.</param>
public sealed record ShardsStatus(IReadOnlyList<int> Leading, int Coming, long Moves, double LastMoveMs, long ListsTaken, double ListAgeMsP50, double ListAgeMsP99);
