using Streaming.Feeds.Building;
using Streaming.Users;

namespace Streaming.Feeds;

/// <summary>Scores candidates for one user. Called from several shard threads at once, while no learner writes.</summary>
public interface IRanker
{
    /// <summary>
    /// Fills <paramref name="scores"/>[i] with the score of <paramref name="items"/>[i]; larger is better. Both spans have the
    /// same length. Allocates nothing once warm.
    /// </summary>
    void Score(UserState user, ReadOnlySpan<ulong> items, string surface, long nowMs, Span<float> scores);

    /// <summary>The same for a list that says how the probabilities of several goals make one score; rankers of one goal have no use for that.</summary>
    void Score(UserState user, ReadOnlySpan<ulong> items, string surface, long nowMs, GoalFusion fusion, Span<float> scores) =>
        Score(user, items, surface, nowMs, scores);
}

/// <summary>Policies of arms that come and go while lists are built. Changes only while no list is built; shards ask at once.</summary>
public interface IArmPolicies
{
    /// <summary>Another one after every change: what was asked before may have changed.</summary>
    long Generation { get; }

    /// <summary>Whether <see cref="Of"/> has another policy, for now, for an arm that is always there.</summary>
    bool Replaces(string arm) => false;

    /// <summary>Null where there is no such arm (any more).</summary>
    ArmPolicy? Of(string arm);
}

/// <summary>Item vectors, as a model has learned them. Read-only; safe from several threads while no learner writes.</summary>
public interface IItemVectors
{
    int Dim { get; }

    /// <summary>Copies the item's vector, shape [<see cref="Dim"/>]; false when there is none.</summary>
    bool TryGet(ulong item, Span<float> into);
}

/// <summary>One way to find items that a user may like. Recall runs on several shard threads at once, while no learner writes.</summary>
public interface IRecallChannel
{
    /// <summary>One of <see cref="Core.Feeds.FeedChannels"/>.</summary>
    string Name { get; }

    /// <summary>
    /// Fills <paramref name="into"/> with distinct items, best first, and returns how many. Scores compare within a channel only.
    /// Items may be expired, unknown or already seen: filters come later.
    /// </summary>
    int Recall(UserState user, in RecallRequest request, Span<Candidate> into);
}

/// <summary>The circumstances of a recall.</summary>
/// <param name="Surface">Where the list will be shown.</param>
/// <param name="NowMs">Event time, Unix ms.</param>
public readonly record struct RecallRequest(string Surface, long NowMs);

/// <summary>An item found, with its score in the channel that found it.</summary>
public readonly record struct Candidate(ulong Item, float Score);
