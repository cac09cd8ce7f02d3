namespace Streaming.Core.Events;

/// <summary>What happened. The numeric values are persisted; never renumber.</summary>
public enum EventKind : byte
{
    /// <summary>A type declared in settings with a weight (<c>Users:ActionWeights</c>).</summary>
    Custom = 0,
    /// <summary>One item, or a whole served list with positions, was on the user's screen.</summary>
    Impression = 1,
    Click = 2,
    /// <summary>Time spent; <see cref="UserEvent.Value"/> is seconds.</summary>
    Dwell = 3,
    Like = 4,
    Share = 5,
    AddToCart = 6,
    /// <summary><see cref="UserEvent.Value"/> is the amount paid.</summary>
    Purchase = 7,
    Dislike = 8,
    /// <summary>"Do not show this again": the item leaves every list of the user.</summary>
    Hide = 9,
    Search = 10,
    /// <summary>An explicit grade; at or above <c>Users:RatingPositiveAt</c> it is a positive label. Carries its own impression.</summary>
    Rating = 11,
    /// <summary>Written by the look-up: a list (or a page of it) left the server. Served is not seen.</summary>
    Served = 12,
    /// <summary>Insert or replace the user's profile.</summary>
    UserUpsert = 13,
    /// <summary>Forget the user: state, lists and future use of the log.</summary>
    UserDelete = 14,
    /// <summary>Moves a partition's event time on when no user acts, so that attribution windows end. Written by the node.</summary>
    Tick = 15,
}

/// <summary>Wire names of <see cref="EventKind"/>: the <c>type</c> member of an event's JSON.</summary>
public static class EventKinds
{
    private static readonly (string Name, EventKind Kind)[] Table =
    [
        ("impression", EventKind.Impression), ("click", EventKind.Click), ("dwell", EventKind.Dwell), ("like", EventKind.Like),
        ("share", EventKind.Share), ("add_to_cart", EventKind.AddToCart), ("purchase", EventKind.Purchase),
        ("dislike", EventKind.Dislike), ("hide", EventKind.Hide), ("search", EventKind.Search), ("rating", EventKind.Rating),
        ("served", EventKind.Served), ("user_upsert", EventKind.UserUpsert), ("user_delete", EventKind.UserDelete),
        ("tick", EventKind.Tick),
    ];

    /// <summary>All wire names with their kinds.</summary>
    public static IReadOnlyList<(string Name, EventKind Kind)> All => Table;

    /// <summary>The kind of a wire name; <see cref="EventKind.Custom"/> for any name that is not built in.</summary>
    public static EventKind Parse(ReadOnlySpan<char> name)
    {
        foreach (var (wire, kind) in Table)
            if (name.SequenceEqual(wire)) return kind;
        return EventKind.Custom;
    }

    private static readonly byte[][] Utf8Names = [.. Table.Select(row => System.Text.Encoding.UTF8.GetBytes(row.Name))];

    /// <summary>The built-in kind of a UTF-8 wire name, with the one shared string of that name; false when it is not built in.</summary>
    public static bool TryParse(ReadOnlySpan<byte> utf8, out EventKind kind, out string name)
    {
        for (var i = 0; i < Utf8Names.Length; i++)
        {
            if (!utf8.SequenceEqual(Utf8Names[i])) continue;
            (name, kind) = Table[i];
            return true;
        }
        (name, kind) = ("", EventKind.Custom);
        return false;
    }

    /// <summary>The wire name of a built-in kind.</summary>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="kind"/> is <see cref="EventKind.Custom"/>, which has no name of its own.</exception>
    public static string Name(EventKind kind)
    {
        foreach (var (wire, k) in Table)
            if (k == kind) return wire;
        throw new ArgumentOutOfRangeException(nameof(kind), kind, "a custom event is named by its type");
    }

    /// <summary>Kinds by which a user acts on one item (everything but lists, profile and control records).</summary>
    public static bool IsAction(EventKind kind) => kind is EventKind.Custom or (>= EventKind.Click and <= EventKind.Hide) or EventKind.Rating;
}
