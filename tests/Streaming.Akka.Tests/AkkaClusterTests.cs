#if USE_AKKA
using System.Collections.Concurrent;
using Akka.Actor;
using Akka.Cluster;
using Akka.Cluster.Sharding;
using Akka.Event;
using Streaming.Actors;
using Streaming.Core.Events;
using Streaming.Suites.Fakes;
using static Streaming.Suites.Fakes.ShardBench;

namespace Streaming.Akka.Tests;

/// <summary>Two nodes on the loopback, real remoting between them.</summary>
public sealed class AkkaClusterTests
{
    private const long T0 = 1_700_000_000_000;
    private const int Partitions = 4;

    [Fact]
    public async Task A_shard_that_moves_to_another_node_goes_on_where_it_was()
    {
        var straight = new ShardBench(Partitions);
        var moved = new ShardBench(Partitions);
        for (var i = 0; i < 400; i++)
        {
            straight.Append(EventAt(i));
            if (i < 250) moved.Append(EventAt(i));
        }
        await using var one = new InProcessUserHost(straight.Shards(), 4096);
        await straight.FeedAsync(one);
        var (first, second) = await TwoNodesAsync(firstRole: "users");
        var options = Options();
        var (startedFirst, startedSecond) = (new ConcurrentDictionary<int, bool>(), new ConcurrentDictionary<int, bool>());

        var leaving = await AkkaUserHost.StartAsync(first, options, p => ShardOf(moved, p, startedFirst), ownsSystem: true);
        await using var staying = await AkkaUserHost.StartAsync(second, options, p => ShardOf(moved, p, startedSecond), ownsSystem: true);
        await RegionsAsync(first, options.TypeName, 2);
        await moved.FeedAsync(leaving);
        startedFirst.ShouldNotBeEmpty();
        startedSecond.ShouldNotBeEmpty();
        await leaving.DisposeAsync();
        for (var i = 250; i < 400; i++) moved.Append(EventAt(i));
        // From the beginning: a shard that had lost its offset would apply the first half twice.
        await moved.FeedAsync(staying);

        startedSecond.Keys.Order().ShouldBe(Enumerable.Range(0, Partitions));
        for (var u = 0; u < 20; u++) (await BytesAsync(staying, $"u{u}")).ShouldBe(await BytesAsync(one, $"u{u}"));
        staying.Counts.Applied.ShouldBe(one.Counts.Applied);
        for (var p = 0; p < Partitions; p++)
            moved.Sinks[p].Interactions.Select(x => (x.User, x.ItemKey, x.Source)).ShouldBe(straight.Sinks[p].Interactions.Select(x => (x.User, x.ItemKey, x.Source)));
    }

    /// <summary>As a consumer group hands them out: each node says what it is given, and a shard leads at one at a time.</summary>
    [Fact]
    public async Task Shards_follow_whoever_is_given_their_partition_over_three_nodes()
    {
        var bench = new ShardBench(Partitions);
        for (var i = 0; i < 400; i++) bench.Append(EventAt(i));
        var straight = new ShardBench(Partitions);
        for (var i = 0; i < 500; i++) straight.Append(EventAt(i));
        await using var one = new InProcessUserHost(straight.Shards(), 4096);
        await straight.FeedAsync(one);
        var (first, second) = await TwoNodesAsync(firstRole: "users");
        var third = await AkkaHost.JoinAsync($"{AkkaFixture.Quick}\nakka.cluster.seed-nodes = [\"{Cluster.Get(first).SelfAddress}\"]");
        var options = Options();
        var started = new ConcurrentDictionary<int, bool>[] { new(), new(), new() };
        var hosts = new List<AkkaShardHost>();
        foreach (var (system, n) in new[] { first, second, third }.Select((s, n) => (s, n)))
            hosts.Add(await AkkaShardHost.StartAsync(system, options, p => ShardOf(bench, p, started[n]), ownsSystem: true));
        await hosts[0].WantAsync([0, 1, 2, 3]);
        await bench.FeedAsync(hosts[0]);
        // One node of three leaves with two shards, another gives one away.
        await hosts[0].WantAsync([0]);
        await hosts[1].WantAsync([1, 2]);
        await hosts[2].WantAsync([3]);
        hosts.Select(h => string.Join(',', h.Shards)).ShouldBe(["0", "1,2", "3"]);
        await hosts[1].WantAsync([]);
        await hosts[1].DisposeAsync();
        await hosts[0].WantAsync([0, 1]);
        await hosts[2].WantAsync([2, 3]);
        for (var i = 400; i < 500; i++) bench.Append(EventAt(i));
        await FeedAsync(bench, hosts[0]);
        await FeedAsync(bench, hosts[2]);
        for (var u = 0; u < 20; u++)
        {
            var at = bench.PartitionOf($"u{u}") is 0 or 1 ? hosts[0] : hosts[2];
            (await BytesAsync(at, $"u{u}")).ShouldBe(await BytesAsync(one, $"u{u}"), $"u{u}");
        }
        (hosts[0].Counts.Applied + hosts[2].Counts.Applied).ShouldBe(500);
        started[0].Keys.Order().ShouldBe([0, 1, 2, 3]);
        started[2].Keys.Order().ShouldBe([2, 3]);
        await hosts[2].DisposeAsync();
        await hosts[0].DisposeAsync();
    }

    /// <summary>From the beginning, what is for the shards here: a shard that had lost its offset would apply it twice.</summary>
    private static async Task FeedAsync(ShardBench bench, AkkaShardHost host)
    {
        foreach (var p in host.Shards)
        {
            using var reader = bench.OpenReader(p, 0);
            var batch = new Core.Log.LogBatch();
            while (reader.Read(batch, 100) > 0) await host.TellAsync(batch);
        }
        await host.DrainAsync();
    }

    /// <summary>What /readyz answers by: a node of the cluster is well, one that has left is not.</summary>
    [Fact]
    public async Task A_host_is_well_while_its_cluster_counts_it_in()
    {
        var bench = new ShardBench(Partitions);
        var (first, second) = await TwoNodesAsync(firstRole: "users");
        var options = Options();
        var staying = await AkkaShardHost.StartAsync(first, options, p => bench.Shards()[p], ownsSystem: true);
        var leaving = await AkkaShardHost.StartAsync(second, options, p => bench.Shards()[p], ownsSystem: true);
        IShardHost[] both = [staying, leaving];
        both.Select(h => h.Unwell).ShouldBe([null, null]);
        await leaving.DisposeAsync();
        leaving.Unwell.ShouldNotBeNull().ShouldContain("Akka cluster");
        staying.Unwell.ShouldBeNull();
        await staying.DisposeAsync();
    }

    /// <summary>Composed with Akka.Hosting, Akka's log is the application's.</summary>
    [Fact]
    public async Task What_Akka_warns_of_reaches_the_nodes_log()
    {
        var heard = new ConcurrentQueue<string>();
        var system = await AkkaHost.JoinAsync(AkkaFixture.Quick, heard.Enqueue);
        system.Log.Warning("a {0} warning", "planted");
        while (!heard.Any(line => line.StartsWith("Akka: ") && line.Contains("a planted warning"))) await Task.Yield();
        await system.Terminate();
    }

    [Fact]
    public async Task A_node_without_shards_reaches_those_of_another_over_the_wire()
    {
        var bench = new ShardBench(Partitions);
        for (var i = 0; i < 400; i++) bench.Append(EventAt(i));
        var (ingest, users) = await TwoNodesAsync(firstRole: "ingest");
        var options = Options();

        await using var there = await AkkaUserHost.StartAsync(users, options, p => bench.Shards()[p], ownsSystem: true);
        await using var here = await AkkaUserHost.StartAsync(
            ingest, options, _ => throw new InvalidOperationException("no shard may start here"), ownsSystem: true);
        await bench.FeedAsync(here);

        here.Counts.Applied.ShouldBe(400);
        (await here.AskAsync("u3", s => s!.Events)).ShouldBe(20);
        (await here.AskAsync("nobody", s => s is null)).ShouldBeTrue();
        await here.RequestListAsync("u3", "home");
        (await here.RefreshAsync(T0 + 1_000_000, 1000)).ShouldBe(0);
        bench.Sinks[bench.PartitionOf("u3")].Lists.ShouldContain(l => l.User == "u3" && l.Surface == "home");
        await here.FlushAsync();
        bench.Store.Count.ShouldBe(20);
    }

    private static UserEvent EventAt(int i) =>
        i % 3 == 0 ? Click($"u{i % 20}", $"i{i % 31}", T0 + i * 1_000) : Shown($"u{i % 20}", $"i{i % 31}", T0 + i * 1_000);

    private static UserShard ShardOf(ShardBench bench, int partition, ConcurrentDictionary<int, bool> started)
    {
        started[partition] = true;
        return bench.Shards()[partition];
    }

    /// <summary>Completes when so many nodes take shards.</summary>
    private static async Task RegionsAsync(ActorSystem system, string typeName, int count)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        var region = ClusterSharding.Get(system).ShardRegion(typeName);
        while ((await region.Ask<CurrentRegions>(GetCurrentRegions.Instance, limit.Token)).Regions.Count < count) limit.Token.ThrowIfCancellationRequested();
    }

    private static AkkaHostOptions Options() => new()
    {
        Partitions = Partitions, Dimension = Dimension, MailboxRecordsMax = 4096, TypeName = AkkaFixture.NextTypeName(),
    };

    /// <summary>The first node forms the cluster, the second asks it to be let in.</summary>
    private static async Task<(ActorSystem First, ActorSystem Second)> TwoNodesAsync(string firstRole)
    {
        var first = await AkkaHost.JoinAsync($"akka.cluster.roles = [\"{firstRole}\"]\n{AkkaFixture.Quick}");
        var seed = Cluster.Get(first).SelfAddress;
        var second = await AkkaHost.JoinAsync($"{AkkaFixture.Quick}\nakka.cluster.seed-nodes = [\"{seed}\"]");
        return (first, second);
    }
}
#endif
