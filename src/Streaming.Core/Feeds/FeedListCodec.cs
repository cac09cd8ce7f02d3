using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using Streaming.Core.Ids;
using Streaming.Core.Log;
using Streaming.Core.Wire;

namespace Streaming.Core.Feeds;

/// <summary>
/// The stored form of a list: a value of the <c>feeds</c> topic and of the cache, laid out so that the look-up serves a page
/// by copying one span of ready JSON. In order:
/// <code>
/// version (1 byte) | list version, built ms, last event ms, last offset (8 bytes each) | last partition (4)
/// user, surface, arm, models (length-prefixed UTF-8) | channels (count, then each) | entries (count) | bytes of the JSON area (4)
/// index, 16 bytes an entry: start in the JSON area (4) | channel in the top 8 bits, length of the escaped id below (4) | score (4) | propensity (4)
/// JSON area: {"item":"...","score":0.5,"channel":"..."},{...},...
/// </code>
/// Version 2, written for lists of two interleaved rankings alone, has a byte more per entry of the index, its <see cref="Team"/>, and
/// in the entry's JSON a last member <c>"team":"a"</c> or <c>"b"</c> where there is one.
/// A page's entries are contiguous and comma-separated there; positions are the look-up's to add, they depend on the offset.
/// </summary>
public static class FeedListCodec
{
    internal const byte Version = 1;
    internal const byte VersionWithTeams = 2;
    internal const int IndexBytes = 16;
    internal const int IdBits = 24;
    internal const int IdBytesMax = (1 << IdBits) - 1;
    private const int ChannelsMax = 256;

    [ThreadStatic] private static List<string>? _channels;

    /// <summary>Bytes of an entry's JSON before the inside of its id.</summary>
    internal static ReadOnlySpan<byte> EntryStart => "{\"item\":\""u8;

    /// <summary>Appends the stored form.</summary>
    /// <exception cref="ArgumentException">A score is not finite, or there are more than 256 channels.</exception>
    public static void Write(FeedList list, ByteWriter into)
    {
        var teams = list.Teams;
        if (teams.Length != 0 && teams.Length != list.Entries.Length)
            throw new ArgumentException($"{teams.Length} teams for {list.Entries.Length} entries", nameof(list));
        into.Byte(teams.Length > 0 ? VersionWithTeams : Version);
        var indexBytes = teams.Length > 0 ? IndexBytes + 1 : IndexBytes;
        into.Int64(list.Version);
        into.Int64(list.BuiltMs);
        into.Int64(list.LastEventMs);
        into.Int64(list.LastApplied.Offset);
        into.UInt32((uint)list.LastApplied.Partition);
        into.String(list.User);
        into.String(list.Surface);
        into.String(list.Arm);
        into.String(list.Models);
        var channels = Channels(list.Entries);
        into.Count(channels.Count);
        foreach (var channel in channels) into.String(channel);
        into.Count(list.Entries.Length);
        var jsonBytes = into.Length;
        into.Skip(4);
        var index = into.Length;
        into.Skip(list.Entries.Length * indexBytes);
        var json = into.Length;
        for (var i = 0; i < list.Entries.Length; i++)
        {
            ref readonly var entry = ref list.Entries[i];
            if (i > 0) into.Byte((byte)',');
            var at = into.Length;
            var idBytes = Entry(entry, Teams.Of(teams, i), into);
            if (idBytes > IdBytesMax) throw new ArgumentException($"an item id of {idBytes} bytes is too long for a list", nameof(list));
            var row = into.Written(index + i * indexBytes, indexBytes);
            BinaryPrimitives.WriteUInt32LittleEndian(row, (uint)(at - json));
            BinaryPrimitives.WriteUInt32LittleEndian(row[4..], (uint)idBytes | (uint)channels.IndexOf(entry.Channel) << IdBits);
            BinaryPrimitives.WriteSingleLittleEndian(row[8..], entry.Score);
            BinaryPrimitives.WriteSingleLittleEndian(row[12..], entry.Propensity);
            if (teams.Length > 0) row[IndexBytes] = (byte)teams[i];
        }
        BinaryPrimitives.WriteInt32LittleEndian(into.Written(jsonBytes, 4), into.Length - json);
    }

    /// <summary>Decodes the whole list; item keys are recomputed from the ids.</summary>
    /// <exception cref="FormatException">Cut short, corrupt, or from a newer build.</exception>
    public static FeedList Read(ReadOnlySpan<byte> bytes)
    {
        var view = new FeedListView(bytes);
        var names = StringCache.Shared;
        var entries = new FeedEntry[view.Count];
        for (var i = 0; i < entries.Length; i++)
        {
            var item = view.Item(i);
            // The writer never wrote one: there is no JSON for it.
            if (!float.IsFinite(view.Score(i))) throw new FormatException($"entry {i} of a stored list has the score {view.Score(i)}");
            entries[i] = new FeedEntry(item, StableHash.Of(item), view.Score(i), names.Get(view.Channel(i)), view.Propensity(i));
        }
        return new FeedList
        {
            User = Encoding.UTF8.GetString(view.User), Surface = names.Get(view.Surface), Arm = names.Get(view.Arm), Version = view.Version,
            BuiltMs = view.BuiltMs, LastEventMs = view.LastEventMs, LastApplied = view.LastApplied, Models = names.Get(view.Models),
            Entries = entries, Teams = TeamsOf(view),
        };
    }

    /// <summary>Appends one entry's JSON and returns the bytes of its escaped id.</summary>
    private static int Entry(in FeedEntry entry, Team team, ByteWriter into)
    {
        into.Raw("{\"item\":"u8);
        var before = into.Length;
        into.JsonString(entry.Item);
        var idBytes = into.Length - before - 2;
        into.Raw(",\"score\":"u8);
        into.JsonNumber(entry.Score);
        into.Raw(",\"channel\":"u8);
        into.JsonString(entry.Channel);
        if (team != Team.None)
        {
            into.Raw(",\"team\":\""u8);
            into.Raw(Teams.Name(team));
            into.Byte((byte)'"');
        }
        into.Byte((byte)'}');
        return idBytes;
    }

    private static Team[] TeamsOf(in FeedListView view)
    {
        if (!view.HasTeams) return [];
        var teams = new Team[view.Count];
        for (var i = 0; i < teams.Length; i++) teams[i] = view.Team(i);
        return teams;
    }

    private static List<string> Channels(FeedEntry[] entries)
    {
        var channels = _channels ??= [];
        channels.Clear();
        foreach (ref readonly var entry in entries.AsSpan())
            if (!channels.Contains(entry.Channel)) channels.Add(entry.Channel);
        return channels.Count <= ChannelsMax ? channels : throw new ArgumentException($"a list has {channels.Count} channels; allowed are {ChannelsMax}");
    }
}

/// <summary>
/// Reads the stored form in place, without allocating. The header is checked when the view is made, entries when they are
/// asked for; both throw <see cref="FormatException"/> where the bytes cannot be a list. Spans live as long as the input.
/// </summary>
public readonly ref struct FeedListView
{
    private readonly ReadOnlySpan<byte> _channels;
    private readonly ReadOnlySpan<byte> _index;
    private readonly ReadOnlySpan<byte> _json;

    public FeedListView(ReadOnlySpan<byte> bytes)
    {
        var reader = new ByteReader(bytes);
        HasTeams = reader.Version(FeedListCodec.VersionWithTeams, "a stored list") == FeedListCodec.VersionWithTeams;
        Version = reader.Int64();
        BuiltMs = reader.Int64();
        LastEventMs = reader.Int64();
        var offset = reader.Int64();
        LastApplied = new LogPosition((int)reader.UInt32(), offset);
        User = reader.StringBytes();
        Surface = reader.StringBytes();
        Arm = reader.StringBytes();
        Models = reader.StringBytes();
        var channels = reader.Count();
        var from = bytes.Length - reader.Remaining;
        for (var i = 0; i < channels; i++) reader.StringBytes();
        _channels = bytes[from..(bytes.Length - reader.Remaining)];
        Count = reader.Count(RowBytes);
        var jsonBytes = reader.UInt32();
        _index = reader.Raw(Count * RowBytes);
        if (jsonBytes != (uint)reader.Remaining || (Count == 0) != (jsonBytes == 0))
            throw new FormatException($"a stored list has {reader.Remaining} bytes of JSON where its header says {jsonBytes}");
        _json = reader.Raw(reader.Remaining);
    }

    public long Version { get; }
    public long BuiltMs { get; }
    public long LastEventMs { get; }
    public LogPosition LastApplied { get; }
    public ReadOnlySpan<byte> User { get; }
    public ReadOnlySpan<byte> Surface { get; }
    public ReadOnlySpan<byte> Arm { get; }
    public ReadOnlySpan<byte> Models { get; }

    /// <summary>Entries.</summary>
    public int Count { get; }

    /// <summary>Whether the list was made of two rankings.</summary>
    public bool HasTeams { get; }

    private int RowBytes => HasTeams ? FeedListCodec.IndexBytes + 1 : FeedListCodec.IndexBytes;

    /// <summary>
    /// JSON objects of up to <paramref name="count"/> entries from <paramref name="from"/> on, comma-separated, without
    /// brackets; empty beyond the end.
    /// </summary>
    public ReadOnlySpan<byte> EntriesJson(int from, int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(from);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        if (from >= Count || count == 0) return default;
        var last = (int)Math.Min((long)from + count, Count);
        return Between(Start(from), last == Count ? (uint)_json.Length : Start(last) - 1L);
    }

    /// <summary>The JSON object of entry <paramref name="i"/>.</summary>
    public ReadOnlySpan<byte> EntryJson(int i)
    {
        Row(i);
        return EntriesJson(i, 1);
    }

    /// <summary>Item id of entry <paramref name="i"/>.</summary>
    public string Item(int i)
    {
        var json = ItemJson(i);
        if (!json[1..^1].Contains((byte)'\\')) return Encoding.UTF8.GetString(json[1..^1]);
        try
        {
            var reader = new Utf8JsonReader(json);
            reader.Read();
            return reader.GetString()!;
        }
        catch (Exception broken) when (broken is JsonException or InvalidOperationException)
        {
            throw new FormatException("an item id of a stored list is not a JSON string", broken);
        }
    }

    /// <summary><see cref="StableHash"/> of the item id of entry <paramref name="i"/>; allocates nothing where the id has nothing escaped.</summary>
    public ulong ItemKey(int i)
    {
        var id = ItemJson(i)[1..^1];
        return id.Contains((byte)'\\') ? StableHash.Of(Item(i)) : StableHash.Of(id);
    }

    /// <summary>Item id of entry <paramref name="i"/> as a JSON string, quotes included: ready for the event that logs the page.</summary>
    public ReadOnlySpan<byte> ItemJson(int i)
    {
        var entry = EntryJson(i);
        var length = (int)(BinaryPrimitives.ReadUInt32LittleEndian(Row(i)[4..]) & FeedListCodec.IdBytesMax);
        var start = FeedListCodec.EntryStart;
        if (!entry.StartsWith(start) || entry.Length <= start.Length + length || entry[start.Length + length] != '"')
            throw new FormatException($"entry {i} of a stored list does not start with its item");
        return entry.Slice(start.Length - 1, length + 2);
    }

    public float Score(int i) => BinaryPrimitives.ReadSingleLittleEndian(Row(i)[8..]);

    /// <summary>Probability with which the slot shows this item under the list's policy.</summary>
    public float Propensity(int i) => BinaryPrimitives.ReadSingleLittleEndian(Row(i)[12..]);

    /// <summary>Which ranking put entry <paramref name="i"/> into its slot.</summary>
    public Team Team(int i)
    {
        var row = Row(i);
        if (!HasTeams) return Feeds.Team.None;
        var team = row[FeedListCodec.IndexBytes];
        return team <= Teams.Max ? (Team)team : throw new FormatException($"{team} is no team of a stored list");
    }

    /// <summary>The recall channel that found entry <paramref name="i"/>, UTF-8.</summary>
    public ReadOnlySpan<byte> Channel(int i)
    {
        var channel = BinaryPrimitives.ReadUInt32LittleEndian(Row(i)[4..]) >> FeedListCodec.IdBits;
        var reader = new ByteReader(_channels);
        for (; channel > 0; channel--) reader.StringBytes();
        return reader.StringBytes();
    }

    private ReadOnlySpan<byte> Row(int i)
    {
        if ((uint)i >= (uint)Count) throw new ArgumentOutOfRangeException(nameof(i), i, $"the list has {Count} entries");
        return _index.Slice(i * RowBytes, RowBytes);
    }

    private uint Start(int i) => BinaryPrimitives.ReadUInt32LittleEndian(Row(i));

    private ReadOnlySpan<byte> Between(uint start, long end) =>
        start < end && end <= _json.Length ? _json[(int)start..(int)end] : throw new FormatException("the index of a stored list is corrupt");
}
