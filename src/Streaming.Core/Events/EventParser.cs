using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using Streaming.Core.Feeds;
using Streaming.Core.Wire;

namespace Streaming.Core.Events;

/// <summary>
/// Reads the wire form of an event, one JSON object (README, "Events"). Unknown members are ignored, so that newer senders
/// keep working; a known member of the wrong JSON type, or named twice (aliases count as the same member), is an error; null
/// counts as absent. Allocates the record, its ids, and nothing else that it has seen lately.
/// </summary>
public static class EventParser
{
    private enum Member
    {
        Unknown, Type, EventId, User, Item, Items, Time, RequestId, Position, Surface, Value, SessionId, Query, Context, Profile,
    }

    /// <summary>Members as messages name them, by <see cref="Member"/>.</summary>
    private static readonly string[] Names =
    [
        "", "type", "event_id", "user", "item", "items", "time", "request_id", "position", "surface", "value", "session_id", "query",
        "context", "profile",
    ];

    private const int PositionMax = 1_000_000;

    [ThreadStatic] private static List<ShownItem>? _shown;

    private struct Draft()
    {
        public EventKind Kind;
        public string? Type, User, EventId, Item, RequestId, Surface, SessionId, Query;
        public long? TimeMs;
        public IReadOnlyList<ShownItem>? Items;
        public int Position = -1;
        public double Value = double.NaN;
        public IReadOnlyList<KeyValuePair<string, string>>? Context;
        public UserProfile? Profile;
    }

    /// <summary>
    /// Parses one event. An event without a time takes <paramref name="fallbackTimeMs"/> (Unix ms, the record's own time); on
    /// failure <paramref name="reason"/> names the member and what is allowed. Never throws, whatever the bytes.
    /// </summary>
    public static bool TryParse(
        ReadOnlySpan<byte> json, long fallbackTimeMs, [NotNullWhen(true)] out UserEvent? e, [NotNullWhen(false)] out string? reason)
    {
        e = null;
        reason = null;
        var reader = new RecordReader(json);
        var draft = new Draft();
        try
        {
            if (reader.Open(json) && ReadMembers(ref reader, ref draft) && CheckIdentity(ref reader, ref draft, fallbackTimeMs)
                && CheckKind(ref reader, draft))
            {
                e = Finish(draft);
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
        while (reader.NextMember(out var name))
        {
            var member = Find(name);
            if (member == Member.Unknown)
            {
                reader.Skip();
                continue;
            }
            var bit = 1u << (int)member;
            if ((seen & bit) != 0) return reader.Fail($"{Names[(int)member]} is there twice (under this name or an alias)");
            seen |= bit;
            if (!ReadMember(ref reader, member, ref draft)) return false;
        }
        reader.Close();
        return true;
    }

    private static bool ReadMember(ref RecordReader reader, Member member, ref Draft draft)
    {
        var name = Names[(int)member];
        return member switch
        {
            Member.Type => reader.Type(name, ref draft.Kind, ref draft.Type),
            Member.EventId => reader.Id(name, ref draft.EventId),
            Member.User => reader.Id(name, ref draft.User),
            Member.Item => reader.Id(name, ref draft.Item),
            Member.Items => ReadItems(ref reader, ref draft.Items),
            Member.Time => reader.Time(name, dateOnly: false, ref draft.TimeMs),
            Member.RequestId => reader.Id(name, ref draft.RequestId),
            Member.Position => reader.Integer(name, 0, PositionMax, ref draft.Position),
            Member.Surface => reader.Text(name, EventLimits.IdCharsMax, named: true, ref draft.Surface),
            Member.Value => reader.Number(name, ref draft.Value),
            Member.SessionId => reader.Id(name, ref draft.SessionId),
            Member.Query => reader.Text(name, EventLimits.TextCharsMax, named: false, ref draft.Query),
            Member.Context => reader.Pairs(name, ref draft.Context),
            _ => ReadProfile(ref reader, ref draft.Profile),
        };
    }

    private static Member Find(ReadOnlySpan<byte> name) => name.Length switch
    {
        4 => name.SequenceEqual("user"u8) ? Member.User
            : name.SequenceEqual("item"u8) ? Member.Item
            : name.SequenceEqual("time"u8) ? Member.Time
            : name.SequenceEqual("type"u8) ? Member.Type : Member.Unknown,
        5 => name.SequenceEqual("items"u8) ? Member.Items
            : name.SequenceEqual("value"u8) ? Member.Value
            : name.SequenceEqual("query"u8) ? Member.Query
            : name.SequenceEqual("event"u8) ? Member.Type : Member.Unknown,
        7 => name.SequenceEqual("surface"u8) ? Member.Surface
            : name.SequenceEqual("context"u8) ? Member.Context
            : name.SequenceEqual("profile"u8) ? Member.Profile
            : name.SequenceEqual("user_id"u8) ? Member.User
            : name.SequenceEqual("item_id"u8) ? Member.Item : Member.Unknown,
        8 => name.SequenceEqual("event_id"u8) ? Member.EventId
            : name.SequenceEqual("position"u8) ? Member.Position : Member.Unknown,
        9 => name.SequenceEqual("timestamp"u8) ? Member.Time : Member.Unknown,
        10 => name.SequenceEqual("request_id"u8) ? Member.RequestId
            : name.SequenceEqual("session_id"u8) ? Member.SessionId : Member.Unknown,
        _ => Member.Unknown,
    };

    private static bool ReadItems(ref RecordReader reader, ref IReadOnlyList<ShownItem>? items)
    {
        if (reader.Token == JsonTokenType.Null) return true;
        if (reader.Token != JsonTokenType.StartArray) return reader.WrongType("items", "an array of ids, or of objects with item, position, propensity and team");
        var read = _shown ??= [];
        read.Clear();
        while (reader.NextElement())
        {
            if (read.Count == EventLimits.ItemsMax) return reader.Fail($"items has more than {EventLimits.ItemsMax} elements");
            string? id = null;
            var position = read.Count;
            var propensity = float.NaN;
            var team = Team.None;
            var good = reader.Token == JsonTokenType.StartObject
                ? ReadShown(ref reader, ref id, ref position, ref propensity, ref team)
                : reader.Id("items[]", ref id);
            if (!good) return false;
            if (id is null) return reader.Fail("an element of items names no item; each must be an id or an object with an item");
            read.Add(new ShownItem(id, position, propensity, team));
        }
        items = read.ToArray();
        return true;
    }

    private static bool ReadShown(ref RecordReader reader, ref string? id, ref int position, ref float propensity, ref Team team)
    {
        var seen = 0;
        while (reader.NextMember(out var name))
        {
            var bit = name.SequenceEqual("item"u8) || name.SequenceEqual("item_id"u8) ? 1
                : name.SequenceEqual("position"u8) ? 2
                : name.SequenceEqual("propensity"u8) ? 4
                : name.SequenceEqual("team"u8) ? 8 : 0;
            if ((seen & bit) != 0) return reader.Fail("an element of items names a member twice");
            seen |= bit;
            if (bit == 0) reader.Skip();
            else if (!(bit == 1 ? reader.Id("items[].item", ref id)
                : bit == 2 ? reader.Integer("items[].position", 0, PositionMax, ref position)
                : bit == 4 ? reader.Probability("items[].propensity", ref propensity)
                : reader.Team("items[].team", ref team))) return false;
        }
        return true;
    }

    private static bool ReadProfile(ref RecordReader reader, ref UserProfile? profile)
    {
        if (reader.Token == JsonTokenType.Null) return true;
        if (reader.Token != JsonTokenType.StartObject) return reader.WrongType("profile", "an object");
        IReadOnlyList<string>? interests = null;
        IReadOnlyList<KeyValuePair<string, string>>? attributes = null;
        var seen = 0;
        while (reader.NextMember(out var name))
        {
            var bit = name.SequenceEqual("interests"u8) ? 1 : name.SequenceEqual("attributes"u8) ? 2 : 0;
            if ((seen & bit) != 0) return reader.Fail("profile names a member twice");
            seen |= bit;
            if (bit == 0) reader.Skip();
            else if (!(bit == 1 ? reader.Strings("profile.interests", ref interests)
                : reader.Pairs("profile.attributes", ref attributes))) return false;
        }
        profile = new UserProfile { Interests = interests ?? [], Attributes = attributes ?? [] };
        return true;
    }

    private static bool CheckIdentity(ref RecordReader reader, ref Draft draft, long fallbackTimeMs)
    {
        if (draft.Type is null) return reader.Fail("type is missing; it must be a non-empty string");
        if (draft.User is null)
        {
            if (draft.Kind != EventKind.Tick) return reader.Fail("user is missing; it must be a non-empty string");
            draft.User = "";
        }
        else if (draft.User[0] == '\0')
        {
            return reader.Fail("user starts with a NUL character; such names are reserved");
        }
        var given = draft.TimeMs is not null;
        draft.TimeMs ??= fallbackTimeMs;
        if (draft.TimeMs is >= EventLimits.TimeMsMin and <= EventLimits.TimeMsMax) return true;
        return reader.Fail(given
            ? $"time is {draft.TimeMs} ms; it must be from {EventLimits.TimeMsMin} (1990) to {EventLimits.TimeMsMax} (2100)"
            : $"time is missing, and the record's own time, {fallbackTimeMs} ms, is not from 1990 to 2100");
    }

    /// <summary>What each kind must bring with it.</summary>
    private static bool CheckKind(ref RecordReader reader, in Draft draft)
    {
        if (draft.Profile is not null && draft.Kind != EventKind.UserUpsert) return reader.Fail("profile is allowed with user_upsert only");
        if (EventKinds.IsAction(draft.Kind) && draft.Item is null) return reader.Fail($"item is missing; {draft.Type} needs one");
        return draft.Kind switch
        {
            EventKind.Impression when draft.Item is null && draft.Items is not { Count: > 0 } =>
                reader.Fail("item is missing; impression needs an item, or items with at least one element"),
            EventKind.Served when draft.Items is not { Count: > 0 } =>
                reader.Fail("items is missing or empty; served needs at least one element"),
            EventKind.Rating or EventKind.Dwell when double.IsNaN(draft.Value) =>
                reader.Fail($"value is missing; {draft.Type} needs a number"),
            EventKind.Search when string.IsNullOrEmpty(draft.Query) => reader.Fail("query is missing or empty; search needs a text"),
            EventKind.UserUpsert when draft.Profile is null => reader.Fail("profile is missing; user_upsert needs an object"),
            _ => true,
        };
    }

    private static UserEvent Finish(in Draft draft) => new()
    {
        Kind = draft.Kind, Type = draft.Type!, User = draft.User!, TimeMs = draft.TimeMs!.Value, EventId = draft.EventId,
        Item = draft.Item, Items = draft.Items ?? [], RequestId = draft.RequestId, Position = draft.Position,
        Surface = draft.Surface ?? "", Value = draft.Value, SessionId = draft.SessionId, Query = draft.Query,
        Context = draft.Context ?? [], Profile = draft.Profile,
    };
}
