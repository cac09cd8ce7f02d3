using Streaming.Core.Experiments;
using Streaming.Experiments.Splitting;
using Streaming.Node.Splitting;
using Streaming.Users;

namespace Streaming.Node;

/// <summary>Experiments between rounds and while lists are built.</summary>
public sealed partial class StreamingNode
{
    /// <summary>Versions that have come, and experiments whose time has: before a round, so that it sees one state from start to end.</summary>
    /// <param name="nowMs">The round's time.</param>
    private void MoveExperiments(long nowMs)
    {
        Experiments.Read(version => Apply(version, nowMs));
        Splitter.MoveTo(nowMs);
    }

    private void Apply(ExperimentsVersion version, long nowMs)
    {
        _models.Policies.Apply(version);
        Splitter.Apply(version, nowMs);
    }

    private string ArmOf(UserState user, string surface)
    {
        var split = Splitter.Now;
        if (!split.NeedsTraits || user.Profile is not { } profile) return split.ArmOf(user.User, surface, default);
        // Look-ups have to come to the same arm, and see nothing of the user but the cache.
        _parts.Feeds.Put(UserTraits.Of(user.User, profile, NowMs()));
        Span<ulong> traits = stackalloc ulong[UserTraits.Max];
        return split.ArmOf(user.User, surface, traits[..TraitKey.Fill(profile, traits)]);
    }
}
