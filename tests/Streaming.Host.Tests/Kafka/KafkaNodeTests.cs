using Streaming.Core.Experiments;
using Streaming.Core.Log;
using Streaming.Core.Settings;
using Streaming.Host.Tests.Fixtures;
using Streaming.Kafka;

namespace Streaming.Host.Tests.Kafka;

/// <summary>The whole path on Kafka: librdkafka's mock cluster, or the brokers of KAFKA_BOOTSTRAP.</summary>
public sealed class KafkaNodeTests
{
    [KafkaFact]
    public async Task A_click_changes_the_list_and_a_restarted_node_goes_on_where_it_was()
    {
        var bootstrap = Environment.GetEnvironmentVariable("KAFKA_BOOTSTRAP");
        using var mock = string.IsNullOrEmpty(bootstrap) ? new MockKafkaCluster(brokers: 1) : null;
        var settings = LiveNode.SmallSettings with
        {
            Log = LiveNode.SmallSettings.Log with { Kind = "kafka", RetentionHours = 0, RetentionMbPerPartition = 0, RecordBytesMax = 1 << 16 },
            Kafka = new KafkaSettings
            {
                Bootstrap = mock?.Bootstrap ?? bootstrap!,
                Prefix = $"streaming-node-test-{TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds()}-{Environment.ProcessId}-",
                FetchWaitMs = 10, // the mock cluster holds an empty fetch to the end even when a record arrives
            },
        };
        foreach (var topic in Topics.All)
            mock?.CreateTopic(settings.Kafka.Prefix + topic, Topics.PartitionsOf(topic, settings.Log.Partitions));
        var folder = Directory.CreateTempSubdirectory("streaming-test-");
        try
        {
            await using (var live = await LiveNode.StartAsync(settings, folder.FullName))
            {
                (await live.PostLinesAsync("/v1/items", Enumerable.Range(0, 30).Select(i => $$"""{"id":"i{{i}}","tags":["t{{i % 3}}"]}"""))).Status.ShouldBe(200);
                var first = await live.FeedAfterAsync("u", """{"type":"click","user":"u","item":"i7"}""");
                first.GetProperty("source").GetString().ShouldBe("own");
                first.ItemIds().ShouldNotContain("i7");
                (await live.PostAsync("/v1/events", """{"type":"click","user":"u"}""")).Status.ShouldBe(400);
                live.Node.Status().Users.Applied.ShouldBeGreaterThan(0);
                await SendALetterAgainAsync(live);
                await StartAndKillAnExperimentAsync(live);
                await live.StopAsync();
            }
            await using (var live = await LiveNode.StartAsync(settings, folder.FullName))
            {
                live.Node.Restored.ShouldNotBeNull();
                var second = await live.FeedAfterAsync("u", """{"type":"click","user":"u","item":"i8"}""");
                // What was clicked before the restart is still known, and nothing of the log was applied again.
                second.ItemIds().ShouldNotContain("i7");
                second.ItemIds().ShouldNotContain("i8");
                live.Node.Status().Users.Repeats.ShouldBe(0);
                live.Node.Experiments.Current.Definitions.Find("short")!.State.ShouldBe(ExperimentState.Killed);
                (await live.Node.Experiments.AuditAsync(10)).Select(e => e.Version).ShouldBe([2, 1]);
            }
            await ReportAsync(settings);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    /// <summary>A reader on Kafka fetches before there is anything to read; a list that is short for that would hide letters.</summary>
    private static async Task SendALetterAgainAsync(LiveNode live)
    {
        var listed = (await live.GetAsync("/v1/dead-letters")).Json;
        listed.GetProperty("complete").GetBoolean().ShouldBeTrue(listed.GetRawText());
        listed.GetProperty("letters").EnumerateArray().ShouldHaveSingleItem().GetProperty("reason").GetString()!.ShouldContain("item is missing");
        await live.EventAsync("""{"type":"playlist_add","user":"u","item":"i9"}""");
        var two = await live.UntilAsync(() => live.GetAsync("/v1/dead-letters"), a => a.Json.GetProperty("letters").GetArrayLength() == 2);
        var offset = two.Json.GetProperty("letters")[0].GetProperty("offset").GetInt64();
        // Behind a letter of the actors' stands the mark of its transaction, which no reader reads.
        two.Json.GetProperty("complete").GetBoolean().ShouldBeTrue(two.Text);
        (await live.SendAsync(HttpMethod.Post, $"/v1/dead-letters/{offset}/retry")).Status.ShouldBe(200);
        await live.UntilAsync(() => live.GetAsync("/v1/dead-letters"), a => a.Json.GetProperty("letters").GetArrayLength() == 3);
    }

    /// <summary>From the log alone: an experiment that it ends with is known, and who had its list is counted.</summary>
    private static async Task ReportAsync(StreamingSettings settings)
    {
        using var folder = new Cli.TemporaryFolder();
        var (code, run) = await StreamingProcess.RunAsync(
            "ab", "report", "short", "--offline", "--kafka", settings.Kafka.Bootstrap, "--data-dir", folder.Path, "--set", $"Kafka:Prefix={settings.Kafka.Prefix}", "--set", "Kafka:FetchWaitMs=10",
            "--set", "Log:Partitions=2", "--set", "Log:RecordBytesMax=65536", "--set", "Log:RetentionHours=0", "--set", "Log:RetentionMbPerPartition=0", "--json");
        using (run)
        {
            code.ShouldBe(0, run.Stderr);
            run.Json.GetProperty("arms")[0].GetProperty("users").GetInt64().ShouldBe(1, run.Stdout);
        }
    }

    private static async Task StartAndKillAnExperimentAsync(LiveNode live)
    {
        const string definitions = """
            {"layers":[{"name":"l"}],"experiments":[{"name":"short","layer":"l","state":"running","share":1,"arms":[{"name":"three","settings":{"Feeds:ListLength":3}}]}]}
            """;
        (await Http.ExperimentCalls.PutAsync(live, definitions, "\"0\"", "ann")).Answer.Status.ShouldBe(200);
        var list = await live.UntilAsync(async () => (await live.GetAsync("/v1/feed/u?limit=50")).Json, l => l.GetProperty("source").GetString() == "own");
        list.GetProperty("arm").GetString().ShouldBe("learned~short:three");
        list.ItemIds().Count.ShouldBe(3);
        (await live.SendAsync(HttpMethod.Post, "/v1/experiments/short/kill")).Status.ShouldBe(200);
        (await live.GetAsync("/v1/feed/u")).Json.GetProperty("arm").GetString().ShouldBe("learned");
    }
}
