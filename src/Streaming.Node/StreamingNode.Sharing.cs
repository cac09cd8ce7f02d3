using System.Text;
using Streaming.Actors;
using Streaming.Core.Feeds;
using Streaming.Core.Ids;
using Streaming.Core.Log;
using Streaming.Core.Settings;
using Streaming.Node.Sharing;

namespace Streaming.Node;

/// <summary>A node among others that share the users: <see cref="SharedShards"/>.</summary>
public sealed partial class StreamingNode
{
    private readonly ISharedLog? _shared;
    private SharedShards? _sharing;
    private FeedsTail? _feedsTail;
    private PartitionSink[] _sinks = [];
    private IReadOnlyList<int>? _ledBefore;

    /// <summary>Where the node is that leads a shard; none where that is this one.</summary>
    public LeaderAddress LeaderOf(int partition) => _sharing is { } sharing && !sharing.Leads(partition) ? _feedsTail!.LeaderOf(partition) : LeaderAddress.None;

    /// <summary>The shard of a user: the partition of <c>events</c> that has theirs.</summary>
    public int PartitionOf(string user) => Murmur2.PartitionOf(Encoding.UTF8.GetBytes(user), Partitions);

    private async Task<IShardHost> OpenHostAsync(CancellationToken cancel)
    {
        var settings = _parts.Settings;
        return _parts.UserHost is { } open
            ? await open(new UserHostParts(_shards.Length, settings.Learning.EmbeddingDim, settings.Users.MailboxRecordsMax, p => _shards[p]), cancel)
            : new InProcessUserHost(_shards.Length, p => _shards[p], settings.Users.MailboxRecordsMax, Threads);
    }

    private void OpenShared(ISharedLog log)
    {
        var roles = _parts.Settings.Node;
        foreach (var shard in _shards) shard.StartFollowing();
        var from = Restored?.Shared ?? SharedPositions.Start(_shards.Length);
        _feedsTail = new FeedsTail(_parts, _fresh, _wanted, from.Feeds, takesSegments: !roles.Has(NodeRoles.Users));
        var share = roles.Has(NodeRoles.Users) ? log.Join(RoundOutputs.Group, Topics.Events, _signal.Set) : null;
        _sharing = new SharedShards(_parts, log, share, _shards, _sinks, (IShardHost)_host, _feedsTail, _rounds, _outputs, from);
        if (roles.Has(NodeRoles.Users) || roles.Has(NodeRoles.Serve)) _feedsTail.Start();
    }

    /// <summary>Moves shards, and follows those of others; returns the records that it took.</summary>
    private int StepShards()
    {
        if (_sharing is null) return 0;
        var taken = _sharing.Step();
        if (!ReferenceEquals(_ledBefore, _sharing.Leading)) _meters.Rebase(_host.Counts);
        _ledBefore = _sharing.Leading;
        return taken;
    }

    private IReadOnlyList<T> Here<T>(IReadOnlyList<T> all, Func<T, string> user) =>
        _sharing is not { } sharing || all.Count == 0 ? all : [.. all.Where(one => sharing.Leads(PartitionOf(user(one))))];

    private void ThrowIfElsewhere(int partition)
    {
        if (_sharing is { } sharing && !sharing.Leads(partition)) throw new ShardElsewhereException(partition);
    }

    /// <summary>Of the nodes that build the popular lists, the one that leads the first shard tells those that build none.</summary>
    private void PutSegment(FeedList list)
    {
        _parts.Feeds.Put(list);
        if (_sharing?.Leads(0) == true) _sinks[0].Publish(list);
    }

    private ShardsStatus? ShardsStatus() => _sharing is not { } sharing || _feedsTail is not { } feeds
        ? null
        : new ShardsStatus(
            sharing.Leading, sharing.Coming, sharing.Moves, sharing.LastMoveMs, feeds.Lists, feeds.Age.Percentile(.50) / 1000, feeds.Age.Percentile(.99) / 1000);
}
