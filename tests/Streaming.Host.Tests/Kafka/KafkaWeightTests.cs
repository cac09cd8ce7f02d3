using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Streaming.Core.Log;
using Streaming.Core.Settings;
using Streaming.Host.Tests.Fixtures;
using Streaming.Kafka;

namespace Streaming.Host.Tests.Kafka;

/// <summary>Weights that are changed at one of the nodes that share the users of a log on Kafka (librdkafka's mock cluster, or the brokers of KAFKA_BOOTSTRAP).</summary>
public sealed class KafkaWeightTests
{
    private const string Like = "/v1/weights/Users:ActionWeights:like";
    private static readonly string Prefix = $"streaming-weight-test-{TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds()}-{Environment.ProcessId}-";

    private readonly string? _brokers = Environment.GetEnvironmentVariable("KAFKA_BOOTSTRAP") is { Length: > 0 } said ? said : null;
    private readonly Dictionary<string, int> _known = [];
    private int _likes;

    [KafkaFact]
    public async Task A_weight_changed_at_one_node_counts_at_the_others_over_take_overs_and_in_the_past()
    {
        using var mock = _brokers is null ? new MockKafkaCluster(brokers: 1) : null;
        foreach (var topic in Topics.All) mock?.CreateTopic(Prefix + topic, Topics.PartitionsOf(topic, 2));
        var bootstrap = mock?.Bootstrap ?? _brokers!;
        await using var a = await LiveNode.StartAsync(SettingsOn(bootstrap));
        await using var b = await LiveNode.StartAsync(SettingsOn(bootstrap));
        await b.UntilAsync(() => Task.FromResult((A: Leading(a), B: Leading(b))), now => now.A.Count == 1 && now.B.Count == 1);
        var (ofA, ofB) = (UserOf(a, Leading(a)[0]), UserOf(a, Leading(b)[0]));
        (await LikeAsync(a, ofA)).ShouldBe([2]);
        (await LikeAsync(a, ofB)).ShouldBe([2], "whose actor is on the other node");
        var before = await MomentAsync();

        (await a.SendAsync(HttpMethod.Put, $"{Like}?value=4.5")).Status.ShouldBe(200);
        (await LikeAsync(a, ofA)).ShouldBe([2, 4.5], "at once, where the node leads the user");
        // The other node has it from the log, and says it to the partition that it leads with its next tick.
        await b.UntilAsync(() => b.GetAsync("/v1/weights"), seen => ValueOf(seen) == (4.5, true));
        var told = await b.UntilAsync(() => LikeAsync(a, ofB), weights => weights[^1] == 4.5);
        told.ShouldBeInOrder(SortDirection.Ascending, "from one position of the log on");

        await a.StopAsync();
        await b.UntilAsync(() => Task.FromResult(Leading(b)), leading => leading.Count == 2);
        (await LikeAsync(b, ofA)).ShouldBe([2, 4.5, 4.5], "taken over");
        (await b.DeleteAsync(Like)).Status.ShouldBe(200);
        (await LikeAsync(b, ofA)).ShouldBe([2, 4.5, 4.5, 2]);
        (await LikeAsync(b, ofB)).ShouldBe([.. told, 2]);

        // One that has nothing but the log.
        await using var c = await LiveNode.StartAsync(SettingsOn(bootstrap));
        ValueOf(await c.GetAsync("/v1/weights")).ShouldBe((2, false));
        var moved = await b.UntilAsync(() => Task.FromResult(Leading(c)), leading => leading.Count == 1 && Leading(b).Count == 1);
        (await c.SendAsync(HttpMethod.Put, $"{Like}?value=7")).Status.ShouldBe(200);
        double[] first = [2, 4.5, 4.5, 2, .. moved[0] == c.Node.PartitionOf(ofA) ? [7d] : Array.Empty<double>()], second = [.. told, 2, .. moved[0] == c.Node.PartitionOf(ofB) ? [7d] : Array.Empty<double>()];
        await LikeAsync(c, moved[0] == c.Node.PartitionOf(ofA) ? ofA : ofB);
        (await WeightsAsync(b, ofA)).ShouldBe(first);
        (await WeightsAsync(b, ofB)).ShouldBe(second);

        // Beside the nodes, of which none is disturbed by it.
        var now = await MomentAsync();
        var (was, became) = await ExplainedAsync(bootstrap, ofA, before, now);
        was.ShouldBe([2]);
        became.ShouldBe(first);
        (await ExplainedAsync(bootstrap, ofB, before, now)).After.ShouldBe(second);
        (await LikeAsync(b, ofA)).Length.ShouldBe(first.Length + 1);
    }

    private static StreamingSettings SettingsOn(string bootstrap) => LiveNode.SmallSettings with
    {
        Log = LiveNode.SmallSettings.Log with { Kind = "kafka", RetentionHours = 0, RetentionMbPerPartition = 0, RecordBytesMax = 1 << 16 },
        // The mock cluster holds an empty fetch to the end even when a record arrives.
        Kafka = new KafkaSettings { Bootstrap = bootstrap, Prefix = Prefix, FetchWaitMs = 10, Ownership = "group" },
        Serving = LiveNode.SmallSettings.Serving with { Listen = $"127.0.0.1:{FreePort()}" },
    };

    /// <summary>Nodes say where they answer before they listen, so none can be left to choose.</summary>
    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private static IReadOnlyList<int> Leading(LiveNode live) => live.Node.Status().Shards!.Leading;

    private static string UserOf(LiveNode live, int partition) => Enumerable.Range(0, 100).Select(i => $"user-{i}").First(u => live.Node.PartitionOf(u) == partition);

    /// <summary>Sends a like to the node; what all the user's likes weighed, the oldest first, once this one is among them.</summary>
    private async Task<double[]> LikeAsync(LiveNode live, string user)
    {
        var item = $"item-{Interlocked.Increment(ref _likes)}";
        await live.EventAsync($$"""{"type":"like","user":"{{user}}","item":"{{item}}","event_id":"{{item}}"}""");
        var applied = new[] { 0d };
        var known = _known.GetValueOrDefault(user) + 1;
        await live.UntilAsync(async () => applied = await WeightsAsync(live, user), weights => weights.Length >= known);
        _known[user] = known;
        return applied;
    }

    /// <summary>Asked of any node; empty while the user's shard moves.</summary>
    private static async Task<double[]> WeightsAsync(LiveNode live, string user) => await live.GetAsync($"/v1/users/{user}") is { Status: 200 } answer
        ? [.. answer.Json.GetProperty("history").EnumerateArray().Select(a => a.GetProperty("weight").GetDouble()).Reverse()] : [];

    private static (double Value, bool Changed) ValueOf(Answer weights)
    {
        var like = weights.Json.GetProperty("weights").EnumerateArray().Single(w => w.GetProperty("name").GetString() == "Users:ActionWeights:like");
        return (like.GetProperty("value").GetDouble(), like.GetProperty("changed").GetBoolean());
    }

    /// <summary>The present millisecond, when it is over.</summary>
    private static async Task<long> MomentAsync()
    {
        var moment = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds();
        while (TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds() <= moment) await Task.Yield();
        return moment;
    }

    private static async Task<(double[] Before, double[] After)> ExplainedAsync(string bootstrap, string user, long before, long after)
    {
        var (code, run) = await StreamingProcess.RunAsync(
            "explain-at", "--user", user, "--time", $"{before}", "--and", $"{after}", "--kafka", bootstrap, "--set", $"Kafka:Prefix={Prefix}", "--set", "Kafka:FetchWaitMs=10",
            "--set", "Log:RecordBytesMax=65536", "--set", "Log:RetentionHours=0", "--set", "Log:RetentionMbPerPartition=0", "--set", "Learning:FtrlBits=14", "--json");
        using (run)
        {
            code.ShouldBe(0, run.Stderr);
            var moments = run.Json.GetProperty("moments");
            return (WeightsOf(moments[0]), WeightsOf(moments[1]));
        }
    }

    private static double[] WeightsOf(JsonElement moment) =>
        [.. moment.GetProperty("state").GetProperty("history").EnumerateArray().Select(a => a.GetProperty("weight").GetDouble()).Reverse()];
}
