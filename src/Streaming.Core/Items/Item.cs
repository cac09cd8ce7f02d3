using System.Globalization;
using Streaming.Core.Ids;

namespace Streaming.Core.Items;

/// <summary>One catalogue entry, as an upsert on the <c>items</c> topic states it whole.</summary>
public sealed class Item
{
    public Item(string id)
    {
        Id = id;
        Key = StableHash.Of(id);
    }

    public string Id { get; }

    /// <summary><see cref="StableHash"/> of <see cref="Id"/>: how user state, tables and indexes refer to the item.</summary>
    public ulong Key { get; }

    public IReadOnlyList<string> Tags { get; init; } = [];
    public IReadOnlyList<string> Categories { get; init; } = [];
    public string? Author { get; init; }

    /// <summary>Unix ms; 0 when unknown, then <see cref="FirstSeenMs"/> stands in.</summary>
    public long PublishedMs { get; init; }

    /// <summary>Unix ms after which the item must not be shown; <see cref="long.MaxValue"/> for never.</summary>
    public long ExpiresMs { get; init; } = long.MaxValue;

    public IReadOnlyList<KeyValuePair<string, string>> Attributes { get; init; } = [];

    /// <summary>Event time at which the catalogue first met the item.</summary>
    public long FirstSeenMs { get; init; }

    /// <summary>True when the item is known from events alone: it has an id and nothing else.</summary>
    public bool IsStub { get; init; }

    private ulong[]? _tagKeys;
    private ulong[]? _categoryKeys;
    private ulong[]? _attributeKeys;
    private ulong? _authorKey;

    /// <summary>Interest keys of the tags, aligned with <see cref="Tags"/>; cached, for hot paths.</summary>
    public ReadOnlySpan<ulong> TagKeys => _tagKeys ??= [.. Tags.Select(t => InterestKey.Tag(t))];

    /// <summary>Interest keys of the categories, aligned with <see cref="Categories"/>.</summary>
    public ReadOnlySpan<ulong> CategoryKeys => _categoryKeys ??= [.. Categories.Select(c => InterestKey.Category(c))];

    /// <summary>Interest key of the author; 0 without one.</summary>
    public ulong AuthorKey => _authorKey ??= Author is null ? 0 : InterestKey.Author(Author);

    /// <summary>One key per value of an attribute, for models: numbers by half-octave, "a|b" as two values, long texts not at all.</summary>
    public ReadOnlySpan<ulong> AttributeKeys => _attributeKeys ??= [.. Attributes.SelectMany(a => AttributeKey.Of(a.Key, a.Value))];

    /// <summary>When the item became available, Unix ms.</summary>
    public long BornMs => PublishedMs > 0 ? PublishedMs : FirstSeenMs;

    public bool IsExpired(long nowMs) => ExpiresMs <= nowMs;
}

/// <summary>Keys of the values of attributes.</summary>
internal static class AttributeKey
{
    private const int TextCharsMax = 64;

    /// <summary>
    /// Numbers that differ by less than a half-octave often share a key, so that budgets and counts generalise: sign(x) round(2 log2(1 + |x|)).
    /// </summary>
    public static IEnumerable<ulong> Of(string name, string value)
    {
        var salt = StableHash.Of(name);
        if (double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number))
            return [StableHash.Combine(salt, (ulong)(long)(Math.Sign(number) * Math.Round(2 * Math.Log2(1 + Math.Abs(number)))))];
        return value.Split('|', StringSplitOptions.RemoveEmptyEntries)
            .Where(text => text.Length <= TextCharsMax)
            .Select(text => StableHash.Combine(salt, StableHash.Of(text)));
    }
}

/// <summary>Keys under which interests in tags, categories and authors are kept; the three never share a key.</summary>
public static class InterestKey
{
    private static readonly ulong TagSalt = StableHash.Of("interest:tag");
    private static readonly ulong CategorySalt = StableHash.Of("interest:category");
    private static readonly ulong AuthorSalt = StableHash.Of("interest:author");

    public static ulong Tag(string tag) => StableHash.Combine(TagSalt, StableHash.Of(tag));
    public static ulong Category(string category) => StableHash.Combine(CategorySalt, StableHash.Of(category));
    public static ulong Author(string author) => StableHash.Combine(AuthorSalt, StableHash.Of(author));
}
