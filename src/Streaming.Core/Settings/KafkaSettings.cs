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

    public void Validate(SettingsProblems problems)
    {
        problems.InRange("Kafka:ReplicationFactor", ReplicationFactor, 1, 16);
        problems.InRange("Kafka:TimeoutMs", TimeoutMs, 100, 600_000);
    }
}
