using Streaming.Core.Settings;
using Streaming.Users;

namespace Streaming.Feeds.Building;

/// <summary>What an item's standing would be without the user's actions on another.</summary>
/// <param name="Action">The newest of the actions that were left out.</param>
/// <param name="Without">The standing without them.</param>
/// <param name="Drop">Score with them less score without; negative where they spoke against the item.</param>
public sealed record Omission(PastAction Action, Standing Without, float Drop);

/// <summary>Why an item is in a list.</summary>
/// <param name="ItemKey">The item.</param>
/// <param name="With">Its standing by everything that is known of the user.</param>
/// <param name="Omissions">The effect of each item that the user acted on lately, largest first.</param>
public sealed record Explanation(ulong ItemKey, Standing With, IReadOnlyList<Omission> Omissions)
{
    /// <summary>A drop below this share of the score, or of the recall rank, says nothing.</summary>
    public const float DropShareMin = 0.01f;

    /// <summary>
    /// The past action without which the item would not have been found; else the one whose omission costs most of its score; else, where
    /// no score moves, most of the recall rank that put it forward; null where none matters.
    /// </summary>
    public Omission? Reason => Omissions.Count > 0 && Effect(With, Omissions[0]).CompareTo((0, 0f, 0f)) > 0 ? Omissions[0] : null;

    /// <summary>What an omission does, to compare by: loses the item's place among the candidates, share of the score, share of the rank.</summary>
    internal static (int Loses, float Score, float Rank) Effect(Standing with, Omission omission)
    {
        var without = omission.Without;
        return (with.IsFound && !without.IsFound ? 1 : 0, Share(with.Score, without.Score), Share(with.Rank, without.Rank));
    }

    private static float Share(float with, float without)
    {
        var share = with == 0 ? 0 : (with - without) / Math.Abs(with);
        return Math.Abs(share) < DropShareMin ? 0 : share;
    }
}

/// <summary>
/// Explains lists by leave-one-out: recall and ranking are done again with the user's actions on one recent item left out of their state
/// (<see cref="LeaveOut"/>), for one item after another. Not thread-safe; models must not be written meanwhile.
/// </summary>
/// <param name="builder">Of its own.</param>
/// <param name="models">In force.</param>
/// <param name="users">Half-lives of interests.</param>
public sealed class FeedExplainer(FeedBuilder builder, IUserModels models, UsersSettings users)
{
    /// <summary>Recent items that are left out, one at a time; each costs one recall.</summary>
    public const int OmittedMax = 20;

    /// <summary>Explains items of one list at once.</summary>
    /// <param name="snapshot">The user's state (<see cref="LeaveOut.Snapshot"/>).</param>
    /// <param name="dimension">Length of the user's vectors.</param>
    /// <param name="user">Their id.</param>
    /// <param name="surface">Of the list.</param>
    /// <param name="arm">Of the list.</param>
    /// <param name="items">Keys; at most <see cref="FeedBuilder.StandingsMax"/>.</param>
    /// <param name="nowMs">Unix ms.</param>
    /// <returns>In the order of <paramref name="items"/>; null where the arm has gone.</returns>
    public IReadOnlyList<Explanation>? Explain(byte[] snapshot, int dimension, string user, string surface, string arm, ReadOnlySpan<ulong> items, long nowMs)
    {
        var state = LeaveOut.Read(snapshot, dimension, user);
        var with = new Standing[items.Length];
        if (!builder.TryStand(state, surface, arm, items, nowMs, with)) return null;
        var omissions = new List<Omission>[items.Length];
        for (var i = 0; i < items.Length; i++) omissions[i] = [];
        var without = new Standing[items.Length];
        foreach (var action in Recent(state))
        {
            var other = LeaveOut.Read(snapshot, dimension, user);
            LeaveOut.Item(other, action.ItemKey, users, models);
            builder.TryStand(other, surface, arm, items, nowMs, without);
            for (var i = 0; i < items.Length; i++)
                if (action.ItemKey != items[i]) omissions[i].Add(new Omission(action, without[i], with[i].Score - without[i].Score));
        }
        var explanations = new Explanation[items.Length];
        for (var i = 0; i < explanations.Length; i++)
        {
            var standing = with[i];
            explanations[i] = new Explanation(items[i], standing, [.. omissions[i].OrderByDescending(o => Explanation.Effect(standing, o))]);
        }
        return explanations;
    }

    /// <summary>The newest positive action on each of the items acted on last, newest first.</summary>
    private static IEnumerable<PastAction> Recent(UserState state) =>
        Enumerable.Reverse(state.History).DistinctBy(a => a.ItemKey).Take(OmittedMax);
}
