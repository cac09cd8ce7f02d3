using Streaming.Core.Feeds;
using Streaming.Feeds.Structures;
using Streaming.Users;

namespace Streaming.Feeds.Building;

/// <summary>Where one item stands among a user's candidates.</summary>
/// <param name="IsFound">Whether a recall channel finds it within its quota.</param>
/// <param name="Channel">The channel that ranks it best; "" where none finds it.</param>
/// <param name="Rank">Recall rank of that channel, in (0, 1]: 1 for its best; 0 where none finds it.</param>
/// <param name="Score">The ranker's; for arms that do not rank, the recall rank in (0, 1], or 0.</param>
public readonly record struct Standing(bool IsFound, string Channel, float Rank, float Score);

/// <content>Candidates before a list is made of them.</content>
public sealed partial class FeedBuilder
{
    /// <summary>
    /// Recalls and scores as <see cref="Build"/> does, and tells where the asked items stand; no list comes of it. Of two interleaved
    /// rankings, the arm's own scores.
    /// </summary>
    /// <param name="user">Only read.</param>
    /// <param name="surface">Of the list.</param>
    /// <param name="arm">Of the list.</param>
    /// <param name="items">Keys; at most <see cref="StandingsMax"/>.</param>
    /// <param name="nowMs">Unix ms.</param>
    /// <param name="into">As many as <paramref name="items"/>.</param>
    /// <returns>False where the arm has gone.</returns>
    public bool TryStand(UserState user, string surface, string arm, ReadOnlySpan<ulong> items, long nowMs, Span<Standing> into)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(items.Length, StandingsMax);
        if (_plans.Of(arm, surface) is not { } plan) return false;
        (_ranker as IArmRanker)?.StartArm(arm);
        Fit(plan);
        _filter.Start(user, plan, nowMs);
        _merger.Merge(user, plan, new RecallRequest(surface, nowMs));
        Span<float> scores = stackalloc float[items.Length];
        if (plan.Arm.Ranks) RankerOf(plan).Score(user, items, surface, nowMs, plan.Fusion, scores);
        for (var i = 0; i < items.Length; i++)
        {
            var found = Find(_merger.Kept, items[i], out var rank, out var channel) || Find(_merger.Reserve, items[i], out rank, out channel);
            var score = plan.Arm.Ranks ? scores[i] : rank;
            into[i] = new Standing(found, found ? FeedChannels.All[channel] : "", rank, float.IsFinite(score) ? score : 0f);
        }
        return true;
    }

    /// <summary>Items that <see cref="TryStand"/> is asked for at once at most.</summary>
    public const int StandingsMax = 50;

    private static bool Find(CandidateSet set, ulong key, out float rank, out byte channel)
    {
        var at = set.Keys.AsSpan(0, set.Count).IndexOf(key);
        (rank, channel) = at < 0 ? (0f, (byte)0) : (set.Ranks[at], set.Channels[at]);
        return at >= 0;
    }
}
