using Streaming.Core.Events;
using Streaming.Core.Feeds;
using Streaming.Core.Log;

namespace Streaming.Core.Examples;

/// <summary>
/// One joined, labelled impression: a record of the <c>examples</c> topic. Everything about the moment of showing is as it was
/// then; only the label came later.
/// </summary>
public sealed class Example
{
    /// <summary>
    /// The event that released this example; with <see cref="User"/> and <see cref="Ordinal"/> it names the example, so repeats after a
    /// crash can be dropped. One event may end the windows of many users, so the user is part of the name.
    /// </summary>
    public required LogPosition Source { get; init; }

    /// <summary>Index among the user's records (examples and interactions together) released by the same event.</summary>
    public required int Ordinal { get; init; }

    public required string User { get; init; }
    public required ulong ItemKey { get; init; }

    /// <summary>The item's id where the catalogue did not know it at the time; else null.</summary>
    public string? ItemId { get; init; }

    public required long ShownMs { get; init; }

    /// <summary>Event time at which the label became known: the action, or the end of the attribution window.</summary>
    public required long LabelMs { get; init; }

    /// <summary>1 for a positive, 0 for a negative.</summary>
    public required float Label { get; init; }

    /// <summary>Weight of the labelling action (Users:ActionWeights); 1 for negatives.</summary>
    public float Weight { get; init; } = 1f;

    /// <summary>Rate w at which negatives like this one were kept, in (0, 1]; 1 for positives. Counts divide by it.</summary>
    public float SampleRate { get; init; } = 1f;

    /// <summary>A late positive: the same impression already left as a negative.</summary>
    public bool IsCorrection { get; init; }

    /// <summary>What the user did; <see cref="EventKind.Impression"/> for a negative.</summary>
    public EventKind Action { get; init; } = EventKind.Impression;

    /// <summary>Zero-based; -1 unknown.</summary>
    public int Position { get; init; } = -1;

    public string Surface { get; init; } = "";
    public string Arm { get; init; } = "";
    public long ListVersion { get; init; }
    public string ModelVersion { get; init; } = "";

    /// <summary>Probability with which the slot showed this item; NaN when unknown.</summary>
    public float Propensity { get; init; } = float.NaN;

    /// <summary>Which of the list's two rankings put the item there; <see cref="Team.None"/> where the list was not interleaved or is unknown.</summary>
    public Team Team { get; init; }

    /// <summary>Hashed features, aligned with <see cref="Values"/>. Owned by the example once it is released.</summary>
    public required uint[] Features { get; init; }

    /// <summary>Feature values; same length as <see cref="Features"/>. Not to be written: examples may share it.</summary>
    public required float[] Values { get; init; }

    /// <summary>The user's embedding when the item was shown, before this label moved it; empty where none is kept.</summary>
    public float[] UserVector { get; init; } = [];

    /// <summary>
    /// The user's positive items when this one was shown, newest first, at most <c>Users:ExampleHistoryMax</c>: what sequence models
    /// read. Empty where none is kept.
    /// </summary>
    public ulong[] History { get; init; } = [];

    /// <summary>
    /// Dense features of the user and the item when it was shown, for the arm whose ranker has such; else empty. Their meaning is the
    /// ranker's. Owned by the example once it is released.
    /// </summary>
    public float[] Dense { get; init; } = [];

    /// <summary>
    /// Keys of the items any of which could have stood in this slot, given the slots above, each with probability <see cref="Propensity"/>; this one
    /// first. Empty where the slot was not drawn from a slate.
    /// </summary>
    public ulong[] Slate { get; init; } = [];

    /// <summary>Goals beyond <see cref="Label"/> that this record labels (<see cref="Goals"/>); none where <c>Users:Goals</c> is empty.</summary>
    public ushort GoalsKnown { get; init; }

    /// <summary>Those of them that were met: label 1.</summary>
    public ushort GoalsMet { get; init; }

    /// <summary>
    /// Whether another record has brought this impression's <see cref="Label"/>, which is 1, and this one brings goals alone: only models of several tasks
    /// learn it.
    /// </summary>
    public bool IsFollowUp { get; init; }

    /// <summary>How many of <see cref="History"/>, from its start, belong to the session that was open then.</summary>
    public int HistoryInSession { get; init; }
}

/// <summary>
/// One action of a user on an item, with what co-visitation and popularity need beside it: the other record of the
/// <c>examples</c> topic.
/// </summary>
public sealed class Interaction
{
    public required LogPosition Source { get; init; }
    public required int Ordinal { get; init; }
    public required string User { get; init; }
    public required ulong ItemKey { get; init; }
    public string? ItemId { get; init; }
    public required EventKind Action { get; init; }

    /// <summary>Action weight, negative for dislike and hide.</summary>
    public required float Weight { get; init; }

    public required long TimeMs { get; init; }
    public string Surface { get; init; } = "";

    /// <summary>The user's earlier positive items, newest first, without this one.</summary>
    public ulong[] Recent { get; init; } = [];

    /// <summary>|N(u)|: positive actions of the user so far, this one included.</summary>
    public int UserActions { get; init; }
}

/// <summary>
/// A user was deleted: whoever keeps a row for the user drops it. The third record of the <c>examples</c> topic; it names the user by hash, as such
/// rows do.
/// </summary>
public sealed class Forgotten
{
    /// <summary>The deletion.</summary>
    public required LogPosition Source { get; init; }

    /// <summary><see cref="Ids.StableHash"/> of the user's id.</summary>
    public required ulong User { get; init; }
}
