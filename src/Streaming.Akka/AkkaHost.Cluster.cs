#if USE_AKKA
using Akka.Actor;
using Akka.Cluster;
using Akka.Cluster.Sharding;
using Akka.Cluster.Tools.Singleton;
using Akka.Configuration;
using Akka.DistributedData;
using Streaming.Actors;

namespace Streaming.Akka;

public static partial class AkkaHost
{
    /// <summary>Part of every node's address, so the same on all nodes.</summary>
    public const string SystemName = "streaming";

    /// <summary>Joins the cluster and hosts its share of the shards.</summary>
    /// <param name="options">Sizes and configuration.</param>
    /// <param name="shardOf">Makes the shard of a partition, from the store, when this node is given it.</param>
    /// <param name="cancel">Gives up joining.</param>
    /// <exception cref="TimeoutException">No seed node let this one in within <c>streaming.users.join-timeout</c>.</exception>
    public static async Task<IUserHost> StartAsync(AkkaHostOptions options, Func<int, UserShard> shardOf, CancellationToken cancel = default)
    {
        var system = await JoinAsync(options.Hocon, cancel).ConfigureAwait(false);
        return await AkkaUserHost.StartAsync(system, options, shardOf, ownsSystem: true).ConfigureAwait(false);
    }

    /// <summary>Joins the cluster; which shards lead here is the caller's to say.</summary>
    /// <inheritdoc cref="StartAsync" path="/exception"/>
    public static async Task<IShardHost> StartShardsAsync(AkkaHostOptions options, Func<int, UserShard> shardOf, CancellationToken cancel = default)
    {
        var system = await JoinAsync(options.Hocon, cancel).ConfigureAwait(false);
        return await AkkaShardHost.StartAsync(system, options, shardOf, ownsSystem: true).ConfigureAwait(false);
    }

    /// <summary>Starts an actor system and completes when it is a member of its cluster.</summary>
    public static async Task<ActorSystem> JoinAsync(string? hocon, CancellationToken cancel = default)
    {
        var config = ConfigurationFactory.ParseString(hocon ?? ReadHocon("local.conf"))
            .WithFallback(ConfigurationFactory.ParseString(ReadHocon("reference.conf")))
            .WithFallback(ClusterSharding.DefaultConfig())
#pragma warning disable CS0618 // Its successor came with 1.5.32, and 1.5.30 is the oldest that this builds with.
            .WithFallback(ClusterSingletonManager.DefaultConfig())
#pragma warning restore CS0618
            .WithFallback(DistributedData.DefaultConfig());
        var system = ActorSystem.Create(SystemName, config);
        var cluster = Cluster.Get(system);
        try
        {
            var joined = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            cluster.RegisterOnMemberUp(joined.SetResult);
            if (cluster.Settings.SeedNodes.IsEmpty) cluster.Join(cluster.SelfAddress);
            await joined.Task.WaitAsync(system.Settings.Config.GetTimeSpan("streaming.users.join-timeout"), cancel).ConfigureAwait(false);
            return system;
        }
        catch
        {
            await system.Terminate().ConfigureAwait(false);
            throw;
        }
    }
}
#endif
