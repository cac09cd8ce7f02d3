using Streaming.Core.Feeds;

namespace Streaming.Core.Events;

/// <summary>
/// One thing a user did, or had done to them: a record of the <c>events</c> topic. On the wire it is one JSON object
/// (README, "Events"); every id is any non-empty string.
/// </summary>
public sealed record UserEvent
{
    public required EventKind Kind { get; init; }

    /// <summary>The wire name of the type; for <see cref="EventKind.Custom"/> the only name there is.</summary>
    public required string Type { get; init; }

    /// <summary>Empty only for <see cref="EventKind.Tick"/>.</summary>
    public required string User { get; init; }

    /// <summary>Event time, Unix milliseconds UTC.</summary>
    public required long TimeMs { get; init; }

    /// <summary>The sender's id; a second event of the user with the same id is a repeat and is dropped.</summary>
    public string? EventId { get; init; }

    public string? Item { get; init; }

    /// <summary>The shown or served list, in order; empty for single-item events.</summary>
    public IReadOnlyList<ShownItem> Items { get; init; } = [];

    /// <summary>The look-up's request id: ties impressions and clicks to the list that was served.</summary>
    public string? RequestId { get; init; }

    /// <summary>Zero-based position on the screen; -1 when unknown.</summary>
    public int Position { get; init; } = -1;

    /// <summary>Where it happened (home, detail page, mail...); empty is the default surface.</summary>
    public string Surface { get; init; } = "";

    /// <summary>Seconds of dwell, amount of a purchase, grade of a rating; NaN when absent.</summary>
    public double Value { get; init; } = double.NaN;

    /// <summary>An explicit session id wins over the inactivity gap.</summary>
    public string? SessionId { get; init; }

    /// <summary>The text of a search.</summary>
    public string? Query { get; init; }

    /// <summary>Free context (device, country, ...), at most <see cref="EventLimits.ContextEntriesMax"/> entries.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Context { get; init; } = [];

    /// <summary>Only with <see cref="EventKind.UserUpsert"/>.</summary>
    public UserProfile? Profile { get; init; }
}

/// <summary>One slot of a shown or served list.</summary>
/// <param name="Item">The item's id.</param>
/// <param name="Position">Zero-based.</param>
/// <param name="Propensity">Probability with which this item was put into this slot, in (0, 1]; NaN when unknown.</param>
/// <param name="Team">Which of two interleaved rankings put it there.</param>
public readonly record struct ShownItem(string Item, int Position, float Propensity = float.NaN, Team Team = Team.None);

/// <summary>What a user declared about themselves.</summary>
public sealed record UserProfile
{
    /// <summary>Declared interests: tags or categories. They choose the segment of a user without history.</summary>
    public IReadOnlyList<string> Interests { get; init; } = [];

    /// <summary>Demographics and anything else, name to value.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Attributes { get; init; } = [];
}

/// <summary>Bounds of one event; beyond them it is rejected with a reason.</summary>
public static class EventLimits
{
    public const int IdCharsMax = 1024;
    public const int ItemsMax = 1000;
    public const int ContextEntriesMax = 64;
    public const int TextCharsMax = 4096;
    public const int RecordBytesMax = 1 << 20;
    public const int JsonDepthMax = 8;
    /// <summary>Earliest accepted event time: 1990-01-01, before any click stream.</summary>
    public const long TimeMsMin = 631_152_000_000;
    /// <summary>Latest accepted event time: 2100-01-01.</summary>
    public const long TimeMsMax = 4_102_444_800_000;

    /// <summary>True for a number that is 1990 to 2100 in seconds; as milliseconds it would be early 1970, which nobody means.</summary>
    public static bool LooksLikeSeconds(long timeMs) => timeMs is >= TimeMsMin / 1000 and <= TimeMsMax / 1000;
}
