using Streaming.Host.Tests.Fixtures;

namespace Streaming.Host.Tests.Kafka;

/// <summary>Three node processes over mock brokers in a process of their own: one is killed with kill -9 and one added while events come in.</summary>
public sealed class ClusterCheckTests
{
    [KafkaFact]
    public async Task Nodes_of_which_one_is_killed_and_one_added_come_to_what_one_node_comes_to()
    {
        var (code, process) = await StreamingProcess.RunAsync(TimeSpan.FromMinutes(13), "cluster-check", "--events", "200000", "--partitions", "72", "--seed", "3", "--json");
        using var _ = process;
        code.ShouldBe(0, process.Stdout + process.Stderr);
        var figures = process.Json;
        figures.GetProperty("applied").GetInt64().ShouldBe(200_000);
        foreach (var bad in (string[])["states_differ", "examples_lost", "examples_doubled", "lists_differ"]) figures.GetProperty(bad).GetInt64().ShouldBe(0, bad);
        figures.GetProperty("users").GetInt64().ShouldBeGreaterThan(15_000);
        figures.GetProperty("lists").GetInt64().ShouldBeGreaterThan(300);
        figures.GetProperty("state_routed").GetBoolean().ShouldBeTrue();
        figures.GetProperty("fresh_elsewhere_ms_p99").GetDouble().ShouldBeGreaterThan(0);
    }
}
