using System.Text.Json;
using System.Text.Json.Serialization;

namespace Streaming.Client;

/// <summary>One thing that a user did, or saw. README, "Events", has all types and members.</summary>
public sealed record StreamingEvent
{
    /// <summary>"click", "impression", "like", "purchase", ..., or a type of your own.</summary>
    public required string Type { get; init; }

    /// <summary>Who.</summary>
    public required string User { get; init; }

    /// <summary>What; of a list that was shown see <see cref="Items"/>.</summary>
    public string? Item { get; init; }

    /// <summary>A list that was shown, in its order.</summary>
    public IReadOnlyList<string>? Items { get; init; }

    /// <summary>Unix milliseconds; the time of arrival where null.</summary>
    [JsonPropertyName("time")]
    public long? TimeMs { get; init; }

    /// <summary>A second event of the user with an id among the last 64 changes nothing.</summary>
    public string? EventId { get; init; }

    /// <summary><see cref="FeedPage.RequestId"/> of the list that it was in.</summary>
    public string? RequestId { get; init; }

    /// <summary>Zero-based place on the screen.</summary>
    public int? Position { get; init; }

    /// <summary>Where it happened; the default surface where null.</summary>
    public string? Surface { get; init; }

    /// <summary>Seconds of a dwell, amount of a purchase, grade of a rating.</summary>
    public double? Value { get; init; }

    /// <summary>The text of a search.</summary>
    public string? Query { get; init; }
}

/// <summary>An item of the catalogue.</summary>
public sealed record CatalogItem
{
    public required string Id { get; init; }
    public IReadOnlyList<string>? Tags { get; init; }
    public IReadOnlyList<string>? Categories { get; init; }
    public string? Author { get; init; }

    /// <summary>Unix milliseconds.</summary>
    [JsonPropertyName("published")]
    public long? PublishedMs { get; init; }

    /// <summary>Unix milliseconds, after which it is in no answer.</summary>
    [JsonPropertyName("expires")]
    public long? ExpiresMs { get; init; }

    public IReadOnlyDictionary<string, string>? Attributes { get; init; }
}

/// <summary>What became of the records of a request.</summary>
public sealed record IngestResult(int Accepted, int Rejected, IReadOnlyList<RecordResult> Results);

/// <summary>One record: where it is in the log, or why it was set aside.</summary>
public sealed record RecordResult(string? Position, string? Error);

/// <summary>A page of a user's list.</summary>
/// <param name="RequestId">Send it with impressions and clicks.</param>
/// <param name="User">Whose.</param>
/// <param name="Surface">Where it is shown.</param>
/// <param name="Arm">By whose policy.</param>
/// <param name="Source">"own", "segment" (what is popular) or "empty".</param>
/// <param name="ListVersion">Grows with every list of the user; 0 where it is not their own.</param>
/// <param name="AgeMs">Since it was made.</param>
/// <param name="LastEventMs">Time of the last event in it, Unix ms.</param>
/// <param name="Models">Versions that made it.</param>
/// <param name="Offset">Entries before the page.</param>
/// <param name="Total">Entries of all pages.</param>
/// <param name="Items">The page.</param>
/// <param name="Next"><see cref="FeedQuery.Offset"/> of the next page; null on the last one.</param>
public sealed record FeedPage(
    string RequestId, string User, string Surface, string Arm, string Source, long ListVersion, long AgeMs, long LastEventMs, string Models, int Offset, int Total,
    IReadOnlyList<FeedItem> Items, int? Next);

/// <summary>An entry, with the recall channel that found it.</summary>
public sealed record FeedItem(string Item, double Score, string Channel);

/// <summary>What is asked of a list.</summary>
public sealed record FeedQuery
{
    public string? Surface { get; init; }

    /// <summary>1 to 1000.</summary>
    public int? Limit { get; init; }

    public int? Offset { get; init; }

    /// <summary>A position that an append answered, or an event id: the list has seen it, or the call fails as <see cref="StreamingException.IsNotYet"/>.</summary>
    public string? After { get; init; }

    /// <summary>Longest wait for such a list, ms.</summary>
    public int? WaitMs { get; init; }

    /// <summary>Declared interests of a user without history.</summary>
    public IReadOnlyList<string> Tags { get; init; } = [];

    /// <summary>Items that are not to come.</summary>
    public IReadOnlyList<string> Exclude { get; init; } = [];

    /// <summary>Only items of one of these.</summary>
    public IReadOnlyList<string> Categories { get; init; } = [];

    /// <summary>A tester's choice: experiment:arm, or an arm of the default layer, as learned; several with commas.</summary>
    public string? Arm { get; init; }
}

/// <summary>Why an item is in a list.</summary>
/// <param name="Item">The item.</param>
/// <param name="Position">Its place.</param>
/// <param name="Score">As listed.</param>
/// <param name="Channel">As listed.</param>
/// <param name="Because">The past action without which it would lose its place, or most of its score; null where none matters.</param>
public sealed record ItemReason(string Item, int Position, double Score, string Channel, PastActionReason? Because);

/// <summary>A past action, and what the item would be without it.</summary>
public sealed record PastActionReason(string? Item, string Action, long TimeMs, double ScoreWithout, string? ChannelWithout);

/// <summary>An item that the same users act on, or near by its vector.</summary>
public sealed record SimilarItem(string Item, double Score);

/// <summary>A record that could not be used.</summary>
/// <param name="Offset">Names it for a retry.</param>
/// <param name="Reason">Why.</param>
/// <param name="Topic">Where it stood; "ingest" for one that was refused at the door.</param>
/// <param name="Position">Its place there.</param>
/// <param name="TimeMs">When it was set aside, Unix ms.</param>
/// <param name="Retried">Whether this node has sent it again.</param>
/// <param name="Bytes">Of the record.</param>
/// <param name="Payload">Its beginning.</param>
public sealed record DeadLetterEntry(long Offset, string Reason, string Topic, string? Position, long TimeMs, bool Retried, int Bytes, string Payload);

/// <summary>A change of the experiments.</summary>
/// <param name="Offset">Where it lies in the log.</param>
/// <param name="Version">That it made.</param>
/// <param name="ChangedMs">When, Unix ms.</param>
/// <param name="ChangedBy">Who.</param>
/// <param name="Why">As they said.</param>
/// <param name="Changes">In words.</param>
/// <param name="InForce">False where another writer's came before it; it never applied.</param>
public sealed record AuditEntry(long Offset, long Version, long ChangedMs, string ChangedBy, string Why, IReadOnlyList<string> Changes, bool InForce);

/// <summary>A step of an operator that changed a node and not the experiments.</summary>
/// <param name="Offset">In the topic <c>operations</c>.</param>
/// <param name="AtMs">When, Unix ms.</param>
/// <param name="Node">The machine whose node was asked.</param>
/// <param name="Who">As they said, and by which key.</param>
/// <param name="Why">As they said.</param>
/// <param name="What">In words.</param>
public sealed record OperatorStep(long Offset, long AtMs, string Node, string Who, string Why, string What);

/// <summary>How the client and the API spell things.</summary>
internal static class Wire
{
    public static JsonSerializerOptions Json { get; } = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    };
}
