namespace Streaming.Core.Settings;

/// <summary>Where a node keeps its data and how its rounds run.</summary>
public sealed record NodeSettings
{
    /// <summary>Folder of the embedded log, stores and checkpoints.</summary>
    public string DataDir { get; init; } = ".data/node";

    /// <summary>Seed of every random draw.</summary>
    public long Seed { get; init; } = 1;

    /// <summary>Events taken into one round at most, over all partitions.</summary>
    public int RoundEventsMax { get; init; } = 4096;

    /// <summary>Lists built per shard and round at most; the rest waits its turn, coalescing meanwhile.</summary>
    public int RoundListsMax { get; init; } = 512;

    /// <summary>Longest wait of an idle node before it looks again, ms.</summary>
    public int IdleWaitMs { get; init; } = 5;

    /// <summary>Time between checkpoints, ms.</summary>
    public int CheckpointIntervalMs { get; init; } = 30_000;

    /// <summary>Checkpoints kept; at least 2, so that a torn one has a predecessor.</summary>
    public int CheckpointsKept { get; init; } = 2;

    /// <summary>Time between tick records that move event time on when no user acts, ms.</summary>
    public int TickIntervalMs { get; init; } = 1_000;

    /// <summary>
    /// How far the actors may be behind before new events are answered "try again later", in time that they would take to catch up, ms:
    /// what is taken later than that would be in a list too late to matter.
    /// </summary>
    public int LagMsMax { get; init; } = 2_000;

    /// <summary>The same in offsets, whatever the speed: bytes on the embedded log, records on Kafka.</summary>
    public long LagOffsetsMax { get; init; } = 512_000_000;

    public void Validate(SettingsProblems problems)
    {
        problems.NotEmpty("Node:DataDir", DataDir);
        problems.InRange("Node:RoundEventsMax", RoundEventsMax, 1, 1 << 20);
        problems.InRange("Node:RoundListsMax", RoundListsMax, 1, 1 << 20);
        problems.InRange("Node:IdleWaitMs", IdleWaitMs, 1, 10_000);
        problems.InRange("Node:CheckpointIntervalMs", CheckpointIntervalMs, 100, 86_400_000);
        problems.InRange("Node:CheckpointsKept", CheckpointsKept, 2, 100);
        problems.InRange("Node:LagOffsetsMax", LagOffsetsMax, 1_000, 1L << 50);
        problems.InRange("Node:LagMsMax", LagMsMax, 10, 86_400_000);
        problems.InRange("Node:TickIntervalMs", TickIntervalMs, 10, 3_600_000);
    }
}
