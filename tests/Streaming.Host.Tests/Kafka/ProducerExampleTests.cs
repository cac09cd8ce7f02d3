using System.Text.RegularExpressions;
using Confluent.Kafka;
using Streaming.Core.Log;
using Streaming.Core.Settings;
using Streaming.Host.Tests.Fixtures;
using Streaming.Kafka;

namespace Streaming.Host.Tests.Kafka;

/// <summary>README's producer, run as it stands there against a node on a mock cluster.</summary>
public sealed class ProducerExampleTests
{
    /// <summary>As many that the partitioner of librdkafka's default has another one for the user.</summary>
    private const int Partitions = 7;

    [KafkaFact]
    public async Task What_it_sends_arrives_and_lies_where_the_node_looks()
    {
        using var mock = new MockKafkaCluster(brokers: 1);
        var settings = LiveNode.SmallSettings with
        {
            Log = LiveNode.SmallSettings.Log with { Kind = "kafka", Partitions = Partitions, RetentionHours = 0, RetentionMbPerPartition = 0, RecordBytesMax = 1 << 16 },
            Kafka = new KafkaSettings { Bootstrap = mock.Bootstrap, FetchWaitMs = 10 },
        };
        foreach (var topic in Topics.All) mock.CreateTopic(topic, Topics.PartitionsOf(topic, Partitions));
        await using var live = await LiveNode.StartAsync(settings);

        await ProduceAsync(mock.Bootstrap);
        var ann = await live.UntilAsync(() => live.GetAsync("/v1/users/ann"), a => a.Status == 200 && a.Json.GetProperty("positives").GetInt64() > 0);
        await live.UntilAsync(() => Task.FromResult(live.Node.Status().Items), items => items == 1);
        var partition = PartitionOf(ann.Json.GetProperty("last_applied").GetString()!);
        PartitionOf(await live.EventAsync("""{"type":"click","user":"ann","item":"m2","event_id":"ann-2"}""")).ShouldBe(partition);
        // The example's event is known: one of its id is a repeat.
        await live.EventAsync("""{"type":"click","user":"ann","item":"m1","event_id":"ann-1"}""");
        await live.UntilAsync(() => Task.FromResult(live.Node.Status().Users.Repeats), repeats => repeats == 1);

        // And without the setting it would have lain elsewhere.
        using var careless = new ProducerBuilder<string, string>(new ProducerConfig { BootstrapServers = mock.Bootstrap }).Build();
        (await careless.ProduceAsync("events", new Message<string, string> { Key = "ann", Value = "{}" })).Partition.Value.ShouldNotBe(partition);
    }

    [Fact]
    public async Task It_is_what_the_readme_shows()
    {
        var shown = Regex.Match(await File.ReadAllTextAsync(Path.Combine(ReadmeTests.Root(), "README.md")), "(?s)```csharp\nusing Confluent.Kafka;\n\n(.*?)```").Groups[1].Value;
        var own = await File.ReadAllTextAsync(Path.Combine(ReadmeTests.Root(), "tests", "Streaming.Host.Tests", "Kafka", "ProducerExampleTests.cs"));
        var run = Regex.Match(own, @"(?s)// README:\n(.*?)\n        // End of it\.").Groups[1].Value;
        run.ShouldNotBeEmpty();
        shown.Replace("\"broker:9092\"", "broker").TrimEnd().Split('\n').ShouldBe(run.Split('\n').Select(line => line.Length > 8 ? line[8..] : line));
    }

    private static async Task ProduceAsync(string broker)
    {
        // README:
        var settings = new ProducerConfig
        {
            BootstrapServers = broker,
            Partitioner = Partitioner.Murmur2Random, // "partitioner": as the node places users, which librdkafka's default does not
            EnableIdempotence = true,                // "enable.idempotence": sent again after a broken connection, a record is there once, and in order
        };
        using var producer = new ProducerBuilder<string, string>(settings).Build();
        // The key is the user that the event names: all of a user's events lie in one partition, in order.
        await producer.ProduceAsync("events", new Message<string, string>
        {
            Key = "ann", Value = """{"type":"click","user":"ann","item":"m1","event_id":"ann-1"}""",
        });
        // An item's is its id.
        await producer.ProduceAsync("items", new Message<string, string>
        {
            Key = "m1", Value = """{"id":"m1","tags":["jazz"]}""",
        });
        // End of it.
    }

    private static int PartitionOf(string position) => int.Parse(position.Split(':')[0], System.Globalization.CultureInfo.InvariantCulture);
}
