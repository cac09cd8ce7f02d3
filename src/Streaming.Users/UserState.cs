using Streaming.Core.Events;
using Streaming.Core.Feeds;
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

    /// <summary>
    /// Impressions whose attribution window is open, by time shown. Those already labelled stay until the window ends, so that
    /// a second action on them makes no second example.
    /// </summary>
    public ImpressionQueue Pending { get; } = new();

    /// <summary>Impressions past their window, by time shown: a negative may still be corrected by a late click.</summary>
    public ImpressionQueue Closed { get; } = new();

    /// <summary>
    /// Long-term weights of tags, categories and authors by <see cref="Core.Items.InterestKey"/>: action weight x time decay,
    /// summed over actions (the "TF" side). Inverse catalogue frequency changes with the catalogue, so readers apply it.
    /// Read one with <see cref="UserInterests.WeightAt"/>.
    /// </summary>
    public KeyedTable<Interest> Interests { get; } = new();

    /// <summary>Served, seen, clicked, disliked: kept apart, per item key.</summary>
    public KeyedTable<ItemMarks> Marks { get; } = new();

    /// <summary>Hashes of the last event ids, oldest first.</summary>
    public List<ulong> RecentEventIds { get; } = [];

    /// <summary>Last search terms, lower-case, oldest first.</summary>
    public List<string> RecentTerms { get; } = [];

    /// <summary>Lists built for this user lately, newest last: ties impressions to arm, version and propensities.</summary>
    public List<ListRef> Lists { get; } = [];

    /// <summary>Version of the last list built.</summary>
    public long ListVersion { get; set; }

    /// <summary>Items seen for the first time since list <see cref="SeenListVersion"/>, or since a refresh was asked for.</summary>
    public int SeenSinceList { get; set; }

    /// <summary>The <see cref="ListVersion"/> that <see cref="SeenSinceList"/> counts from.</summary>
    public long SeenListVersion { get; set; }

    /// <summary>Event time of the wake-up that was asked for and has not come yet; 0 for none.</summary>
    public long WakeMs { get; set; }

    /// <summary>Source of the last record released, and the ordinal that the next record from the same source gets.</summary>
    public LogPosition ReleaseSource { get; set; } = new(0, -1);

    public int ReleaseOrdinal { get; set; }

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

    /// <summary>Roughly what the state takes in memory, bytes: the same before and after passivation. Walks the impressions.</summary>
    public long ApproxBytes
    {
        get
        {
            long bytes = 700 + 2 * User.Length + 4 * 3 * (Embedding.Length + 8);
            bytes += Marks.ApproxBytes + Interests.ApproxBytes;
            bytes += 32L * (History.Count + Session.Actions.Count) + 8L * RecentEventIds.Count + Pending.ApproxBytes + Closed.ApproxBytes;
            foreach (var list in Lists) bytes += 130 + 12L * list.Items.Length + list.Teams.Length;
            foreach (var term in RecentTerms) bytes += 24 + 2 * term.Length;
            return bytes + InterestVectors.Count * (70L + 4 * Embedding.Length);
        }
    }
}

/// <summary>
/// The session under way; empty (<see cref="Actions"/> of length 0 and <see cref="StartMs"/> 0) between sessions. Nobody is woken
/// only to close one: a session whose gap has passed is closed by the next event or wake-up, before anything reads it.
/// </summary>
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

/// <summary>A weight that decays with time. Negative: an aversion.</summary>
/// <param name="Weight">As of <paramref name="TimeMs"/>.</param>
/// <param name="TimeMs">Event time to which <paramref name="Weight"/> has been decayed.</param>
/// <param name="Count">Actions that touched it.</param>
public readonly record struct Interest(float Weight, long TimeMs, int Count);

/// <summary>One of several interest vectors.</summary>
public sealed class InterestVector(float[] centre)
{
    public float[] Centre { get; } = centre;
    public float Weight { get; set; }
    public long TimeMs { get; set; }
}

/// <summary>What happened between the user and one item.</summary>
/// <param name="Served">Times it left the server in a list.</param>
/// <param name="Seen">Times it was on the screen (a repeat report of the same request does not count).</param>
/// <param name="Clicked">Positive actions of any kind.</param>
/// <param name="Disliked">By a dislike.</param>
/// <param name="Hidden">By a hide.</param>
/// <param name="LastMs">Largest event time of any of these.</param>
public readonly record struct ItemMarks(int Served, int Seen, int Clicked, bool Disliked, bool Hidden, long LastMs);

/// <summary>What an impression has been released as. The numeric values are persisted; never renumber.</summary>
public enum ImpressionLabel : byte
{
    /// <summary>Nothing yet.</summary>
    Waiting = 0,
    /// <summary>Label 0; a positive action in time still corrects it.</summary>
    Negative = 1,
    /// <summary>Left with label 1, or replaced by a rating's own example: further actions make no further example.</summary>
    Settled = 2,
}

/// <summary>
/// An impression in the join, with everything as it was when it was shown.
/// </summary>
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
    public Team Team { get; init; }
    public required uint[] Features { get; set; }
    public required float[] Values { get; set; }
    public required float[] UserVector { get; set; }

    /// <summary>Dense features of the arm's ranker; empty where it has none.</summary>
    public float[] Dense { get; set; } = [];

    /// <summary>Positive items then, newest first; shared by the items of one event.</summary>
    public ulong[] History { get; set; } = [];

    /// <summary>How many of <see cref="History"/> belong to the session of then.</summary>
    public int HistoryInSession { get; set; }

    /// <summary>Keys of the items that could have stood here with the same probability, this one first; empty where the place was not drawn.</summary>
    public ulong[] Slate { get; set; } = [];

    public ImpressionLabel Label { get; set; }

    /// <summary>Goals whose label has left (<see cref="Core.Events.Goals"/>).</summary>
    public ushort GoalsKnown { get; set; }

    /// <summary>Those of them that were met.</summary>
    public ushort GoalsMet { get; set; }
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

    /// <summary>Aligned with <see cref="Items"/> where the list was made of two rankings; else empty.</summary>
    public Team[] Teams { get; init; } = [];

    /// <summary>How many of the first items stand in an order drawn uniformly; 0 where none do.</summary>
    public int Shuffled { get; init; }
}
