using Streaming.Core.Events;
using Streaming.Core.Log;

namespace Streaming.Users;

/// <summary>
/// Everything that is known of one user. Changed only by <see cref="UserMachine"/>; persisted by <see cref="UserStateCodec"/>.
/// All collections are bounded by settings.
/// </summary>
public sealed class UserState(string user, int dimension)
{
    public string User { get; } = user;

    public UserProfile? Profile { get; set; }

    public long FirstEventMs { get; set; }

    /// <summary>Largest event time seen; time never runs backwards for decays.</summary>
    public long LastEventMs { get; set; }

    /// <summary>Position of the last event applied.</summary>
    public LogPosition LastApplied { get; set; } = new(0, -1);

    /// <summary>Events applied.</summary>
    public long Events { get; set; }

    /// <summary>Impressions of single items (seen, not served).</summary>
    public long Impressions { get; set; }

    /// <summary>Positive actions: |N(u)|.</summary>
    public long Positives { get; set; }

    public long RatingCount { get; set; }
    public double RatingSum { get; set; }

    /// <summary>Ratings at or above the positive threshold.</summary>
    public long RatingPositives { get; set; }

    public Session Session { get; } = new();

    /// <summary>Sessions closed so far.</summary>
    public long SessionsClosed { get; set; }

    /// <summary>Positive actions, oldest first; the newest is last.</summary>
    public List<PastAction> History { get; } = [];

    /// <summary>Impressions that wait for their click, oldest first.</summary>
    public List<PendingImpression> Pending { get; } = [];

    /// <summary>Impressions that left as negatives and may still be corrected by a late click, oldest first.</summary>
    public List<PendingImpression> Closed { get; } = [];

    /// <summary>Long-term weights of tags, categories and authors by <see cref="Core.Items.InterestKey"/>.</summary>
    public Dictionary<ulong, Interest> Interests { get; } = [];

    /// <summary>Served, seen, clicked, disliked: kept apart, per item key.</summary>
    public Dictionary<ulong, ItemMarks> Marks { get; } = [];

    /// <summary>Hashes of the last event ids, oldest first.</summary>
    public List<ulong> RecentEventIds { get; } = [];

    /// <summary>Lists built for this user lately, newest last: ties impressions to arm, version and propensities.</summary>
    public List<ListRef> Lists { get; } = [];

    /// <summary>Version of the last list built.</summary>
    public long ListVersion { get; set; }

    /// <summary>The user's embedding (matrix factorisation), shape [dim].</summary>
    public float[] Embedding { get; } = new float[dimension];

    /// <summary>Row-wise Adagrad accumulator of <see cref="Embedding"/>: mean squared gradient summed over updates.</summary>
    public float EmbeddingG2 { get; set; }

    /// <summary>Bias of the matrix factorisation.</summary>
    public float EmbeddingBias { get; set; }

    /// <summary>Adagrad accumulator of <see cref="EmbeddingBias"/>.</summary>
    public float EmbeddingBiasG2 { get; set; }

    /// <summary>Fast-decaying mean of the vectors of items acted upon, shape [dim].</summary>
    public float[] ShortVector { get; } = new float[dimension];

    /// <summary>Decayed weight behind <see cref="ShortVector"/>.</summary>
    public float ShortWeight { get; set; }

    public long ShortMs { get; set; }

    /// <summary>Slowly decaying mean of the vectors of items acted upon, shape [dim].</summary>
    public float[] LongVector { get; } = new float[dimension];

    public float LongWeight { get; set; }

    public long LongMs { get; set; }

    /// <summary>Several interests: cluster centres of acted-upon item vectors, each of shape [dim].</summary>
    public List<InterestVector> InterestVectors { get; } = [];
}

/// <summary>The session under way; empty (<see cref="Actions"/> of length 0 and <see cref="StartMs"/> 0) between sessions.</summary>
public sealed class Session
{
    /// <summary>Explicit id, or null when the gap decides.</summary>
    public string? Id { get; set; }
    public long StartMs { get; set; }
    public long LastMs { get; set; }
    /// <summary>Actions in order; the short-term sequence.</summary>
    public List<PastAction> Actions { get; } = [];
}

/// <summary>One action on an item.</summary>
public readonly record struct PastAction(ulong ItemKey, EventKind Action, float Weight, long TimeMs);

/// <summary>A weight that decays with time.</summary>
public readonly record struct Interest(float Weight, long TimeMs, int Count);

/// <summary>One of several interest vectors.</summary>
public sealed class InterestVector(float[] centre)
{
    public float[] Centre { get; } = centre;
    public float Weight { get; set; }
    public long TimeMs { get; set; }
}

/// <summary>What happened between the user and one item.</summary>
public readonly record struct ItemMarks(int Served, int Seen, int Clicked, bool Disliked, bool Hidden, long LastMs);

/// <summary>An impression in the join, with everything as it was when it was shown.</summary>
public sealed class PendingImpression
{
    public required ulong ItemKey { get; init; }
    public string? ItemId { get; init; }
    public required LogPosition Source { get; init; }
    public required int Ordinal { get; init; }
    public required long ShownMs { get; init; }
    public int Position { get; init; } = -1;
    public string Surface { get; init; } = "";
    public string Arm { get; init; } = "";
    public string? RequestId { get; init; }
    public long ListVersion { get; init; }
    public string ModelVersion { get; init; } = "";
    public float Propensity { get; init; } = float.NaN;
    public required uint[] Features { get; init; }
    public required float[] Values { get; init; }
    public required float[] UserVector { get; init; }
}

/// <summary>A list built for the user: what an impression needs to know of it.</summary>
public sealed class ListRef
{
    public required long Version { get; init; }
    public required string Surface { get; init; }
    public required string Arm { get; init; }
    public required string Models { get; init; }
    public required ulong[] Items { get; init; }
    public required float[] Propensities { get; init; }
}
