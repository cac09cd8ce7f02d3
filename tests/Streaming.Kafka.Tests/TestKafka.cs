using System.Diagnostics;
using System.Text;
using Confluent.Kafka;
using Streaming.Core.Log;
using Streaming.Core.Settings;

namespace Streaming.Kafka.Tests;

/// <summary>The brokers under test and what every test needs of them.</summary>
internal static class TestKafka
{
    public const long TimeMs = 1_767_225_600_000;

    /// <summary>Generous: the machine may be busy. Nothing waits this long when all is well.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);

    public static readonly LogSettings Log = new() { Partitions = 4, RetentionHours = 0, RetentionMbPerPartition = 0, RecordBytesMax = 1 << 16 };

    private static readonly Lazy<MockKafkaCluster> SharedMock = new(() => new MockKafkaCluster());
    private static int s_prefixes;

    /// <summary>KAFKA_BOOTSTRAP, or null: then the mock cluster stands in.</summary>
    public static string? RealBootstrap { get; } =
        Environment.GetEnvironmentVariable("KAFKA_BOOTSTRAP") is { Length: > 0 } bootstrap ? bootstrap : null;

    /// <summary>Settings of a log with names of its own on the real brokers, or on the mock cluster that the tests share.</summary>
    public static KafkaSettings Fresh(LogSettings log)
    {
        if (RealBootstrap is not null) return Settings(RealBootstrap);
        var settings = Settings(SharedMock.Value.Bootstrap);
        CreateTopics(SharedMock.Value, settings, log);
        return settings;
    }

    /// <summary>Settings of a log on a mock cluster that the test may hurt.</summary>
    public static KafkaSettings On(MockKafkaCluster cluster, int timeoutMs = 60_000)
    {
        var settings = Settings(cluster.Bootstrap) with { TimeoutMs = timeoutMs };
        CreateTopics(cluster, settings, Log);
        return settings;
    }

    public static KafkaSettings Settings(string bootstrap) => new()
    {
        Bootstrap = bootstrap,
        Prefix = $"streaming-test-{TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds()}-{Environment.ProcessId}-{Interlocked.Increment(ref s_prefixes)}-",
        TimeoutMs = 60_000,
        FetchWaitMs = 10, // the mock cluster holds an empty fetch to the end even when a record arrives
    };

    public static KafkaEventLog Open(KafkaSettings settings, Action<string>? problem = null) => new(settings, Log, TimeProvider.System, problem);

    /// <summary>Removes what a test left on real brokers; the mock cluster forgets by itself.</summary>
    public static async Task RemoveAsync(KafkaSettings settings)
    {
        if (RealBootstrap is null) return;
        using var admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = settings.Bootstrap }).Build();
        var names = admin.GetMetadata(Patience).Topics.Select(topic => topic.Topic).Where(name => name.StartsWith(settings.Prefix, StringComparison.Ordinal)).ToArray();
        if (names.Length > 0) await admin.DeleteTopicsAsync(names);
    }

    public static LogEntry[] Entries(int from, int count, int partition = -1) =>
        [.. Enumerable.Range(from, count).Select(i => new LogEntry(Encoding.UTF8.GetBytes($"user-{i}"), Encoding.UTF8.GetBytes($"{i}"), TimeMs + i, partition))];

    /// <summary>Reads until the partition's end as it is now.</summary>
    public static async Task<List<(long Offset, string Text)>> ReadAllAsync(KafkaEventLog log, string topic, int partition)
    {
        var end = (await log.RangeAsync(topic, partition)).End;
        using var reader = log.OpenReader(topic, partition, 0);
        var read = new List<(long, string)>();
        var batch = new LogBatch();
        var watch = Stopwatch.StartNew();
        while (reader.Offset < end)
        {
            watch.Elapsed.ShouldBeLessThan(Patience, $"at {reader.Offset} of {end}");
            if (reader.Read(batch, 1000, end) == 0) await reader.WaitAsync(TimeSpan.FromSeconds(1));
            for (var i = 0; i < batch.Count; i++) read.Add((batch.Offset(i), Encoding.UTF8.GetString(batch.Value(i).Span)));
        }
        return read;
    }

    private static void CreateTopics(MockKafkaCluster cluster, KafkaSettings settings, LogSettings log)
    {
        foreach (var topic in Topics.All)
            cluster.CreateTopic(settings.Prefix + topic, Topics.PartitionsOf(topic, log.Partitions));
    }
}
