using Streaming.Core.Log;

namespace Streaming.Core.Feeds;

/// <summary>A ranked list for one user, surface and arm, as built: a record of the <c>feeds</c> topic and an entry of the cache.</summary>
public sealed class FeedList
{
    public required string User { get; init; }
    public required string Surface { get; init; }
    public required string Arm { get; init; }

    /// <summary>Grows with every list of the user; part of every request id that serves it.</summary>
    public required long Version { get; init; }

    /// <summary>Wall or virtual time of building, Unix ms.</summary>
    public required long BuiltMs { get; init; }

    /// <summary>Event time of the last event that the list has seen.</summary>
    public required long LastEventMs { get; init; }

    /// <summary>Position of the last event that the list has seen: what "not older than" compares.</summary>
    public required LogPosition LastApplied { get; init; }

    /// <summary>Versions of the models that made it, for example "ftrl:812 mf:812".</summary>
    public required string Models { get; init; }

    public required FeedEntry[] Entries { get; init; }

    /// <summary>Aligned with <see cref="Entries"/>, where the list was made of two rankings; else empty. Beside the entries, so that these stay small.</summary>
    public Team[] Teams { get; init; } = [];
}

/// <summary>One slot.</summary>
/// <param name="Item">Item id.</param>
/// <param name="ItemKey">Its key.</param>
/// <param name="Score">Final score after re-ranking; larger is better.</param>
/// <param name="Channel">The recall channel that found it (the one that scored it highest, when several did).</param>
/// <param name="Propensity">Probability, given the slots above, with which this slot shows this item under the list's policy, in (0, 1].</param>
public readonly record struct FeedEntry(string Item, ulong ItemKey, float Score, string Channel, float Propensity);
