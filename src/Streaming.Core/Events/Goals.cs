namespace Streaming.Core.Events;

/// <summary>
/// Goals that rankers of several tasks learn. The first is that of every ranker: any positive action, the label of an example. Further ones are kinds of
/// actions, named by <c>Users:Goals</c>: whether the shown item was liked, bought and so on, over all that was shown. Sets of them are masks, bit k for
/// the kind of value k, so that they mean the same whatever the settings name.
/// </summary>
public static class Goals
{
    /// <summary>Name of the first goal, in <c>Feeds:GoalWeights</c>.</summary>
    public const string Positive = "positive";

    /// <summary>Kinds that may be goals: those by which a user says yes to an item that was shown.</summary>
    public static IReadOnlyList<EventKind> Allowed { get; } =
        [EventKind.Click, EventKind.Dwell, EventKind.Like, EventKind.Share, EventKind.AddToCart, EventKind.Purchase];

    /// <summary>The set of all of them.</summary>
    public static ushort AllowedMask { get; } = MaskOf(Allowed);

    /// <summary>The set of one.</summary>
    public static ushort Bit(EventKind kind) => (ushort)(1 << (int)kind);

    /// <summary>The set of these.</summary>
    public static ushort MaskOf(IEnumerable<EventKind> kinds) => (ushort)kinds.Aggregate(0, (mask, kind) => mask | Bit(kind));
}
