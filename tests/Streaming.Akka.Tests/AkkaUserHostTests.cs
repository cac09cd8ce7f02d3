#if USE_AKKA
using Akka.Actor;
using Akka.Cluster;
using Streaming.Actors;
using Streaming.Suites;
using Streaming.Suites.Fakes;

namespace Streaming.Akka.Tests;

/// <summary>One actor system for the class: joining a cluster takes a second.</summary>
public sealed class AkkaFixture : IAsyncLifetime
{
    /// <summary>One node on any free port whose gossip is quick, so that shards are placed at once.</summary>
    public const string Quick = """
        akka.remote.dot-netty.tcp.port = 0
        akka.cluster.seed-nodes = []
        akka.cluster.gossip-interval = 50ms
        akka.cluster.leader-actions-interval = 50ms
        akka.cluster.periodic-tasks-initial-delay = 50ms
        akka.cluster.sharding.retry-interval = 100ms
        akka.cluster.sharding.rebalance-interval = 500ms
        akka.cluster.sharding.updating-state-timeout = 5s
        akka.cluster.sharding.distributed-data.gossip-interval = 100ms
        akka.cluster.sharding.distributed-data.notify-subscribers-interval = 50ms
        """;

    private static int _hosts;

    public ActorSystem System { get; private set; } = null!;

    public static string NextTypeName() => $"users-{Interlocked.Increment(ref _hosts)}";

    public async Task InitializeAsync() => System = await AkkaHost.JoinAsync(Quick);

    public Task DisposeAsync() => System.Terminate();
}

/// <summary>The suite that the in-process host passes, over Akka.Cluster.Sharding.</summary>
public sealed class AkkaUserHostTests(AkkaFixture akka) : UserHostSuite, IClassFixture<AkkaFixture>
{
    protected override async Task<IUserHost> CreateAsync(IReadOnlyList<UserShard> shards, int mailboxRecordsMax)
    {
        var options = new AkkaHostOptions
        {
            Partitions = shards.Count, Dimension = ShardBench.Dimension, MailboxRecordsMax = mailboxRecordsMax, TypeName = AkkaFixture.NextTypeName(),
        };
        return await AkkaUserHost.StartAsync(akka.System, options, p => shards[p], ownsSystem: false);
    }

    [Fact]
    public async Task A_shard_that_cannot_start_is_a_fault_that_names_the_reason()
    {
        var options = new AkkaHostOptions { Partitions = 1, Dimension = 4, MailboxRecordsMax = 256, TypeName = AkkaFixture.NextTypeName() };
        await using var host = await AkkaUserHost.StartAsync(akka.System, options, _ => throw new IOException("the store is gone"), ownsSystem: false);

        (await Should.ThrowAsync<InvalidOperationException>(() => host.DrainAsync())).Message.ShouldContain("the store is gone");
    }
}

/// <summary>Two nodes of one cluster for the class.</summary>
public sealed class AkkaPairFixture : IAsyncLifetime
{
    public IReadOnlyList<ActorSystem> Systems { get; private set; } = [];

    public async Task InitializeAsync()
    {
        var first = await AkkaHost.JoinAsync(AkkaFixture.Quick);
        Systems = [first, await AkkaHost.JoinAsync($"{AkkaFixture.Quick}\nakka.cluster.seed-nodes = [\"{Cluster.Get(first).SelfAddress}\"]")];
    }

    public async Task DisposeAsync()
    {
        foreach (var system in Systems.Reverse()) await system.Terminate();
    }
}

/// <summary>The suite of hosts whose shards come and go, over external allocation on two nodes.</summary>
public sealed class AkkaShardHostTests(AkkaPairFixture akka) : ShardHostSuite, IClassFixture<AkkaPairFixture>
{
    private readonly string _type = AkkaFixture.NextTypeName();
    private int _hosts;

    protected override async Task<IShardHost> CreateAsync(int partitions, Func<int, UserShard> open, int mailboxRecordsMax) => await AkkaShardHost.StartAsync(
        akka.Systems[_hosts++],
        new AkkaHostOptions { Partitions = partitions, Dimension = ShardBench.Dimension, MailboxRecordsMax = mailboxRecordsMax, TypeName = _type }, open, ownsSystem: false);
}
#endif
