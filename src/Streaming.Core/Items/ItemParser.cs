using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using Streaming.Core.Events;
using Streaming.Core.Wire;

namespace Streaming.Core.Items;

/// <summary>
/// Reads the wire form of a catalogue change, one JSON object (README, "Items"): an upsert states the item whole, and
/// <c>{"id":"x","deleted":true}</c> deletes. The same tolerance as <see cref="EventParser"/>: unknown members are ignored, known
/// ones of the wrong type or named twice are errors, null counts as absent.
/// </summary>
public static class ItemParser
{
    private enum Member { Unknown, Id, Tags, Categories, Author, Published, Expires, Attributes, Deleted, Time }

    private static readonly string[] Names =
        ["", "id", "tags", "categories", "author", "published", "expires", "attributes", "deleted", "time"];

    private struct Draft
    {
        public string? Id, Author, Category;
        public IReadOnlyList<string>? Tags, Categories;
        public long? PublishedMs, ExpiresMs, TimeMs;
        public IReadOnlyList<KeyValuePair<string, string>>? Attributes;
        public bool Deleted;
    }

    /// <summary>
    /// Parses one change. Without a time it takes <paramref name="fallbackTimeMs"/> (Unix ms). What was published before 1970
    /// counts as published 1 ms after its start, since 0 means unknown. Never throws, whatever the bytes.
    /// </summary>
    public static bool TryParse(
        ReadOnlySpan<byte> json, long fallbackTimeMs, [NotNullWhen(true)] out ItemChange? change, [NotNullWhen(false)] out string? reason)
    {
        change = null;
        reason = null;
        var reader = new RecordReader(json);
        var draft = new Draft();
        try
        {
            if (reader.Open(json) && ReadMembers(ref reader, ref draft) && Check(ref reader, ref draft, fallbackTimeMs))
            {
                change = Finish(draft);
                return true;
            }
            reason = reader.Reason!;
        }
        catch (JsonException broken)
        {
            reason = $"the record is not valid JSON: {RecordReader.Describe(broken)}";
        }
        catch (InvalidOperationException)
        {
            reason = "a string has an escape that is not Unicode (half of a surrogate pair)";
        }
        return false;
    }

    private static bool ReadMembers(ref RecordReader reader, ref Draft draft)
    {
        uint seen = 0;
        while (reader.NextMember(out var utf8))
        {
            var member = Find(utf8, out var single);
            if (member == Member.Unknown)
            {
                reader.Skip();
                continue;
            }
            var name = Names[(int)member];
            var bit = 1u << (int)member;
            if ((seen & bit) != 0) return reader.Fail($"{name} is there twice (under this name or an alias)");
            seen |= bit;
            var good = member switch
            {
                Member.Id => reader.Id(name, ref draft.Id),
                Member.Tags => reader.Strings(name, ref draft.Tags),
                Member.Categories when single => reader.Id("category", ref draft.Category),
                Member.Categories => reader.Strings(name, ref draft.Categories),
                Member.Author => reader.Id(name, ref draft.Author),
                Member.Published => reader.Time(name, dateOnly: true, ref draft.PublishedMs),
                Member.Expires => reader.Time(name, dateOnly: true, ref draft.ExpiresMs),
                Member.Attributes => reader.Pairs(name, ref draft.Attributes),
                Member.Deleted => reader.Flag(name, ref draft.Deleted),
                _ => reader.Time(name, dateOnly: true, ref draft.TimeMs),
            };
            if (!good) return false;
        }
        reader.Close();
        return true;
    }

    private static Member Find(ReadOnlySpan<byte> name, out bool single)
    {
        single = name.SequenceEqual("category"u8);
        return single ? Member.Categories : name.Length switch
        {
            2 => name.SequenceEqual("id"u8) ? Member.Id : Member.Unknown,
            4 => name.SequenceEqual("tags"u8) ? Member.Tags
                : name.SequenceEqual("time"u8) ? Member.Time
                : name.SequenceEqual("item"u8) ? Member.Id : Member.Unknown,
            6 => name.SequenceEqual("author"u8) ? Member.Author : Member.Unknown,
            7 => name.SequenceEqual("expires"u8) ? Member.Expires
                : name.SequenceEqual("deleted"u8) ? Member.Deleted
                : name.SequenceEqual("item_id"u8) ? Member.Id : Member.Unknown,
            9 => name.SequenceEqual("published"u8) ? Member.Published
                : name.SequenceEqual("timestamp"u8) ? Member.Time : Member.Unknown,
            10 => name.SequenceEqual("categories"u8) ? Member.Categories
                : name.SequenceEqual("attributes"u8) ? Member.Attributes : Member.Unknown,
            _ => Member.Unknown,
        };
    }

    private static bool Check(ref RecordReader reader, ref Draft draft, long fallbackTimeMs)
    {
        if (draft.Id is null) return reader.Fail("id is missing; it must be a non-empty string");
        var given = draft.TimeMs is not null;
        draft.TimeMs ??= fallbackTimeMs;
        if (draft.TimeMs is < EventLimits.TimeMsMin or > EventLimits.TimeMsMax)
        {
            return reader.Fail(given
                ? $"time is {draft.TimeMs} ms; it must be from {EventLimits.TimeMsMin} (1990) to {EventLimits.TimeMsMax} (2100)"
                : $"time is missing, and the record's own time, {fallbackTimeMs} ms, is not from 1990 to 2100");
        }
        if (draft.PublishedMs > EventLimits.TimeMsMax)
            return reader.Fail($"published is {draft.PublishedMs} ms; it must be at most {EventLimits.TimeMsMax} (2100)");
        return true;
    }

    private static ItemChange Finish(in Draft draft)
    {
        var timeMs = draft.TimeMs!.Value;
        if (draft.Deleted) return new ItemChange(draft.Id!, null, timeMs);
        var item = new Item(draft.Id!)
        {
            Tags = draft.Tags ?? [],
            Categories = draft.Category is null ? draft.Categories ?? [] : [draft.Category],
            Author = draft.Author,
            PublishedMs = draft.PublishedMs is { } published && published != 0 ? Math.Max(1, published) : 0,
            ExpiresMs = draft.ExpiresMs ?? long.MaxValue,
            Attributes = draft.Attributes ?? [],
            FirstSeenMs = timeMs,
        };
        return new ItemChange(item.Id, item, timeMs);
    }
}
