using Streaming.Core.Log;
using Streaming.Host.Tests.Cli;
using Streaming.Host.Tests.Fixtures;
using Streaming.Kafka;

namespace Streaming.Host.Tests.Faults;

/// <summary>The chaos verb on a Kafka log: the brokers outlive the node, in another process.</summary>
public sealed class KafkaChaosTests
{
    private const string Prefix = "chaos-";

    [KafkaFact]
    public async Task A_node_killed_again_and_again_on_Kafka_loses_nothing_and_doubles_nothing()
    {
        using var mock = new MockKafkaCluster();
        // It has no creation through the admin client; a broker gets them from the node.
        foreach (var topic in Topics.All) mock.CreateTopic(Prefix + topic, topic == Topics.DeadLetter ? 1 : 4);
        var (code, process) = await StreamingProcess.RunAsync("chaos", "--kafka", mock.Bootstrap, "--set", $"Kafka:Prefix={Prefix}", "--set", "Log:Partitions=4", "--seconds", "5", "--events-per-s", "200", "--seed", "2", "--json");
        using var _ = process;
        code.ShouldBe(0, process.Stderr);
        var figures = process.Json;
        figures.GetProperty("log").GetString().ShouldBe("kafka");
        figures.GetProperty("kills").GetInt32().ShouldBeGreaterThanOrEqualTo(2);
        figures.GetProperty("accepted").GetInt64().ShouldBeGreaterThan(0);
        foreach (var bad in (string[])["lost", "doubled", "examples_lost", "examples_doubled", "unknown"]) figures.GetProperty(bad).GetInt64().ShouldBe(0, bad);
        figures.GetProperty("applied").GetInt64().ShouldBe(figures.GetProperty("accepted").GetInt64());
    }
}
