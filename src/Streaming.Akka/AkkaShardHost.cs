#if USE_AKKA
using System.Collections.Immutable;
using Akka.Actor;
using Akka.Cluster;
using Akka.Cluster.Sharding;
using Akka.Cluster.Sharding.External;
using Streaming.Actors;

namespace Streaming.Akka;

/// <summary>
/// The shards of this node where something outside Akka decides which they are: Kafka's consumer group, whose partitions they are. Each wanted shard is
/// placed here by external allocation, so the records that this node reads never cross to another; shards of others are theirs to ask.
/// </summary>
public sealed class AkkaShardHost : AkkaUserHost, IShardHost
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);

    /// <summary>What is sent to a node that is gone gets no answer.</summary>
    private static readonly TimeSpan OpenTimeout = TimeSpan.FromSeconds(2);

    private readonly IExternalShardAllocationClient _places;
    private readonly Cluster _cluster;
    private readonly Address _self;
    private readonly TimeSpan _moveTimeout;
    private volatile IReadOnlyList<int> _here = [];
    private volatile bool _leaving;

    private AkkaShardHost(ActorSystem system, AkkaHostOptions options, IActorRef region, bool ownsSystem)
        : base(system, options, region, ownsSystem)
    {
        _places = ExternalShardAllocation.Get(system).ClientFor(options.TypeName);
        _cluster = Cluster.Get(system);
        _self = _cluster.SelfAddress;
        _moveTimeout = system.Settings.Config.GetTimeSpan("streaming.users.move-timeout");
    }

    /// <summary>Registers with a system that has joined its cluster; no shard leads here until <see cref="WantAsync"/> says so.</summary>
    public static new async Task<AkkaShardHost> StartAsync(ActorSystem system, AkkaHostOptions options, Func<int, UserShard> shardOf, bool ownsSystem)
    {
        var settings = ClusterShardingSettings.Create(system);
        var region = await ClusterSharding.Get(system).StartAsync(
            options.TypeName, id => UserShardActor.Props(id, shardOf, waits: true), settings, new PartitionExtractor(),
            new ExternalShardAllocationStrategy(system, options.TypeName), UserShardActor.HandOver.Instance).ConfigureAwait(false);
        var host = new AkkaShardHost(system, options, region, ownsSystem);
        Cluster.Get(system).RegisterOnMemberRemoved(() =>
        {
            if (!host._leaving) options.Removed?.Invoke(
                "the Akka cluster has taken this node out (the others could not reach it for akka.cluster.failure-detector.acceptable-heartbeat-pause and akka.cluster.split-brain-resolver.stable-after), so it ends; started again, it joins anew");
        });
        return host;
    }

    public IReadOnlyList<int> Shards => _here;

    /// <summary>Membership as the cluster's gossip has it: a node that joins or leaves, or sees less than half of the others, is no place for work.</summary>
    public string? Unwell
    {
        get
        {
            if (_cluster.IsTerminated) return "this node is no member of the Akka cluster";
            var state = _cluster.State;
            if (_cluster.SelfMember.Status is not (MemberStatus.Up or MemberStatus.WeaklyUp)) return $"the Akka cluster has this node as {_cluster.SelfMember.Status}";
            return state.Unreachable.Count * 2 > state.Members.Count ? $"{state.Unreachable.Count} of {state.Members.Count} members of the Akka cluster cannot be reached" : null;
        }
    }

    private protected override IReadOnlyList<int> Asked => _here;

    private protected override void Check(int partition)
    {
        if (!_here.Contains(partition)) throw new ShardElsewhereException(partition);
    }

    public async Task WantAsync(IReadOnlyCollection<int> partitions, CancellationToken cancel = default)
    {
        await EndAsync([.. _here.Where(p => !partitions.Contains(p))], writes: true, cancel).ConfigureAwait(false);
        var coming = partitions.Where(p => !_here.Contains(p)).ToList();
        if (coming.Count == 0) return;
        await _places.UpdateShardLocations(coming.ToImmutableDictionary(p => $"{p}", _ => _self)).ConfigureAwait(false);
        await Task.WhenAll(coming.Select(p => OpenAsync(p, cancel))).ConfigureAwait(false);
        _here = [.. _here.Concat(coming).Order()];
    }

    public Task DropAsync(IReadOnlyCollection<int> partitions) => EndAsync([.. _here.Where(partitions.Contains)], writes: false, CancellationToken.None);

    public override async ValueTask DisposeAsync()
    {
        _leaving = true;
        // What they hold that is wanted was written before: a shard that ends with its node ends as one that is dropped.
        _here = [];
        await base.DisposeAsync().ConfigureAwait(false);
    }

    private async Task EndAsync(IReadOnlyList<int> partitions, bool writes, CancellationToken cancel)
    {
        if (partitions.Count == 0) return;
        await Task.WhenAll(partitions.Select(p => CallAsync(new CloseShard(p, writes), cancel))).ConfigureAwait(false);
        _here = [.. _here.Except(partitions)];
    }

    /// <summary>
    /// The one who led may be on another node still, or on one that is gone and that the cluster has not given up yet: Akka moves it here in its own time.
    /// </summary>
    /// <exception cref="TimeoutException">It did not come within <c>streaming.users.move-timeout</c>.</exception>
    private async Task OpenAsync(int partition, CancellationToken cancel)
    {
        var started = System.Diagnostics.Stopwatch.GetTimestamp();
        while (true)
        {
            try
            {
                await CallAsync(new OpenShard(partition, _self.ToString()), cancel, OpenTimeout).ConfigureAwait(false);
                return;
            }
            catch (Exception problem) when (problem is ShardElsewhereException or AskTimeoutException)
            {
                if (System.Diagnostics.Stopwatch.GetElapsedTime(started) > _moveTimeout)
                    throw new TimeoutException($"user shard {partition} did not come to this node within streaming.users.move-timeout ({_moveTimeout.TotalSeconds:0} s); do the nodes reach each other?", problem);
            }
            await Task.Delay(Pause, cancel).ConfigureAwait(false);
        }
    }
}
#endif
