using Streaming.Core.Events;
using Streaming.Core.Experiments;
using Streaming.Core.Settings;
using Streaming.Experiments.Splitting;
using Streaming.Node.Splitting;
using Streaming.Users;

namespace Streaming.Node;

/// <summary>Experiments between rounds and while lists are built.</summary>
public sealed partial class StreamingNode
{
    /// <summary>What the next tick of each partition says. In force in a partition from that tick on.</summary>
    private volatile ChangedWeights _changedWeights = ChangedWeights.None;

    /// <summary>Versions that have come, and experiments whose time has: before a round, so that it sees one state from start to end.</summary>
    /// <param name="nowMs">The round's time.</param>
    private void MoveExperiments(long nowMs)
    {
        Experiments.Read(version => Apply(version, nowMs));
        Splitter.MoveTo(nowMs);
        FollowExperiments();
    }

    /// <summary>Makes overlays for isolated arms that show now, and folds in what was promoted; between rounds.</summary>
    private void FollowExperiments()
    {
        var now = Splitter.Now;
        // Version 0 is no experiments yet: the log's are still to come, and overlays of a checkpoint wait for them.
        if (now == _followed || now.Version.Version == 0) return;
        _followed = now;
        foreach (var promoted in _models.Follow(now.Version.Definitions, now.SinceMs))
            _parts.Notice(new NodeNotice(NoticeLevel.Info, $"the weights of {promoted} were folded into the shared ones (version {now.Version.Version} of the experiments)"));
    }

    private void Apply(ExperimentsVersion version, long nowMs)
    {
        _models.Policies.Apply(version);
        _changedWeights = RuntimeWeights.ActionsOf(_parts.Settings, version.Definitions.Weights, version.Version);
        Splitter.Apply(version, nowMs);
    }

    private string ArmOf(UserState user, string surface)
    {
        var split = Splitter.Now;
        if (!split.NeedsTraits || user.Profile is not { } profile) return split.ArmOf(user.User, surface, default);
        // Look-ups have to come to the same arm, and see nothing of the user but the cache.
        var list = UserTraits.Of(user.User, profile, NowMs());
        _parts.Feeds.Put(list);
        _sinks[PartitionOf(user.User)].Publish(list);
        Span<ulong> traits = stackalloc ulong[UserTraits.Max];
        return split.ArmOf(user.User, surface, traits[..TraitKey.Fill(profile, traits)]);
    }
}
