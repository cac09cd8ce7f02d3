namespace Streaming.Core.Settings;

/// <summary>Connection to Kafka; used when <see cref="LogSettings.Kind"/> is "kafka".</summary>
public sealed record KafkaSettings
{
    /// <summary>host:port, comma-separated; also --kafka and KAFKA_BOOTSTRAP.</summary>
    public string Bootstrap { get; init; } = "";

    /// <summary>Put before every topic and group name.</summary>
    public string Prefix { get; init; } = "";

    /// <summary>Replication factor of topics that the node creates.</summary>
    public int ReplicationFactor { get; init; } = 1;

    /// <summary>Longest wait for a broker to answer, ms.</summary>
    public int TimeoutMs { get; init; } = 30_000;

    /// <summary>How long the producer gathers records into one request, ms. Adds to the latency of a lone append.</summary>
    public int LingerMs { get; init; } = 2;

    /// <summary>Records appended but not yet acknowledged, over all topics; further appends wait.</summary>
    public int QueueRecordsMax { get; init; } = 100_000;

    /// <summary>The same bound by size, MB of keys and values.</summary>
    public int QueueMbMax { get; init; } = 64;

    /// <summary>Fetched but unread, MB per open reader.</summary>
    public int FetchQueueMbMax { get; init; } = 16;

    /// <summary>How long a broker may hold a fetch that finds nothing new, ms. It answers at once when a record arrives.</summary>
    public int FetchWaitMs { get; init; } = 100;

    /// <summary>
    /// Whether a round's outputs, the states of the users it changed and its input positions are committed in one transaction. Without, a crash
    /// repeats outputs of the last moments (consumers can tell them by their source), and users' states are in the data folder only.
    /// </summary>
    public bool Transactions { get; init; } = true;

    /// <summary>How long the broker keeps a transaction open whose writer is silent, ms; at most its transaction.max.timeout.ms.</summary>
    public int TransactionTimeoutMs { get; init; } = 60_000;

    public void Validate(SettingsProblems problems)
    {
        problems.InRange("Kafka:ReplicationFactor", ReplicationFactor, 1, 16);
        problems.InRange("Kafka:TimeoutMs", TimeoutMs, 100, 600_000);
        problems.InRange("Kafka:LingerMs", LingerMs, 0, 1_000);
        problems.InRange("Kafka:QueueRecordsMax", QueueRecordsMax, 1, 5_000_000);
        problems.InRange("Kafka:QueueMbMax", QueueMbMax, 1, 2_000);
        problems.InRange("Kafka:FetchQueueMbMax", FetchQueueMbMax, 1, 2_000);
        problems.InRange("Kafka:FetchWaitMs", FetchWaitMs, 1, 10_000);
        problems.InRange("Kafka:TransactionTimeoutMs", TransactionTimeoutMs, 1_000, 900_000);
    }
}
