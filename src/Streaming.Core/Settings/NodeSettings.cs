namespace Streaming.Core.Settings;

/// <summary>Where a node keeps its data and how its rounds run.</summary>
public sealed record NodeSettings
{
    /// <summary>Folder of the embedded log, stores and checkpoints.</summary>
    public string DataDir { get; init; } = ".data/node";

    /// <summary>What this process does (<see cref="NodeRoles"/>): "trainer" alone, "ingest", "users" and "serve" together, or all; empty for all.</summary>
    public IReadOnlyList<string> Roles { get; init; } = [];

    /// <summary>
    /// Base address at which other nodes reach this one, http://HOST:PORT, where nodes share the users (<see cref="KafkaSettings.Ownership"/>);
    /// empty: from Serving:Listen, which reaches on this machine only unless it names an address of the network.
    /// </summary>
    public string Advertise { get; init; } = "";

    /// <summary>The same for operators' routes, where these have an address of their own (Serving:AdminListen); empty: from that.</summary>
    public string AdvertiseAdmin { get; init; } = "";

    /// <summary>
    /// What runs the users' shards: "threads" of this process, or "akka", the nodes' Akka.NET cluster, where nodes share the users. Which shard is where is
    /// the consumer group's matter in both.
    /// </summary>
    public string Actors { get; init; } = "threads";

    /// <summary>With "akka": "local", "cluster" or "kubernetes" of this build's <c>hocon/</c>, or a HOCON file over its <c>reference.conf</c>.</summary>
    public string Hocon { get; init; } = "local";

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

    /// <summary>
    /// Pause between two runs that overwrite what the disk still holds of deleted users, ms: each reads the partitions and stores through. The
    /// first deletion after a pause does not wait.
    /// </summary>
    public int ErasureIntervalMs { get; init; } = 3_600_000;

    /// <summary>How long the receipt of a deletion is kept, days.</summary>
    public int DeletionReceiptDays { get; init; } = 1095;

    /// <summary>Whether this process has a role.</summary>
    public bool Has(string role) => Roles.Count == 0 || Roles.Contains(role);

    /// <summary>Whether it is a trainer and nothing else.</summary>
    public bool IsTrainerAlone => Roles.Count > 0 && Roles.All(r => r == NodeRoles.Trainer);

    public void Validate(SettingsProblems problems)
    {
        problems.NotEmpty("Node:DataDir", DataDir);
        if (Actors is not ("threads" or "akka")) problems.Add("Node:Actors", $"is '{Actors}'; allowed are 'threads' and 'akka'");
        problems.NotEmpty("Node:Hocon", Hocon);
        for (var i = 0; i < Roles.Count; i++)
        {
            if (!NodeRoles.All.Contains(Roles[i])) problems.Add($"Node:Roles:{i}", $"is '{Roles[i]}'; allowed are {string.Join(", ", NodeRoles.All)}");
        }
        foreach (var (key, address) in (ReadOnlySpan<(string, string)>)[("Node:Advertise", Advertise), ("Node:AdvertiseAdmin", AdvertiseAdmin)])
            if (address.Length > 0 && !(Uri.TryCreate(address, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https"))
                problems.Add(key, $"is '{address}'; it must be http://HOST:PORT or https://HOST:PORT");
        problems.InRange("Node:RoundEventsMax", RoundEventsMax, 1, 1 << 20);
        problems.InRange("Node:RoundListsMax", RoundListsMax, 1, 1 << 20);
        problems.InRange("Node:IdleWaitMs", IdleWaitMs, 1, 10_000);
        problems.InRange("Node:CheckpointIntervalMs", CheckpointIntervalMs, 100, 86_400_000);
        problems.InRange("Node:CheckpointsKept", CheckpointsKept, 2, 100);
        problems.InRange("Node:LagOffsetsMax", LagOffsetsMax, 1_000, 1L << 50);
        problems.InRange("Node:LagMsMax", LagMsMax, 10, 86_400_000);
        problems.InRange("Node:ErasureIntervalMs", ErasureIntervalMs, 0, 7 * 86_400_000);
        problems.InRange("Node:DeletionReceiptDays", DeletionReceiptDays, 1, 36_500);
        problems.InRange("Node:TickIntervalMs", TickIntervalMs, 10, 3_600_000);
    }
}
