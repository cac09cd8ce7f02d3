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
/// A page's entries are contiguous and comma-separated there; positions are the look-up's to add, they depend on the offset.
/// </summary>
public static class FeedListCodec
{
    internal const byte Version = 1;
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
        into.Byte(Version);
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
        into.Skip(list.Entries.Length * IndexBytes);
        var json = into.Length;
        for (var i = 0; i < list.Entries.Length; i++)
        {
            ref readonly var entry = ref list.Entries[i];
            if (i > 0) into.Byte((byte)',');
            var at = into.Length;
            var idBytes = Entry(entry, into);
            if (idBytes > IdBytesMax) throw new ArgumentException($"an item id of {idBytes} bytes is too long for a list", nameof(list));
            var row = into.Written(index + i * IndexBytes, IndexBytes);
            BinaryPrimitives.WriteUInt32LittleEndian(row, (uint)(at - json));
            BinaryPrimitives.WriteUInt32LittleEndian(row[4..], (uint)idBytes | (uint)channels.IndexOf(entry.Channel) << IdBits);
            BinaryPrimitives.WriteSingleLittleEndian(row[8..], entry.Score);
            BinaryPrimitives.WriteSingleLittleEndian(row[12..], entry.Propensity);
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
            Entries = entries,
        };
    }

    /// <summary>Appends one entry's JSON and returns the bytes of its escaped id.</summary>
    private static int Entry(in FeedEntry entry, ByteWriter into)
    {
        into.Raw("{\"item\":"u8);
        var before = into.Length;
        into.JsonString(entry.Item);
        var idBytes = into.Length - before - 2;
        into.Raw(",\"score\":"u8);
        into.JsonNumber(entry.Score);
        into.Raw(",\"channel\":"u8);
        into.JsonString(entry.Channel);
        into.Byte((byte)'}');
        return idBytes;
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
        reader.Version(FeedListCodec.Version, "a stored list");
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
        Count = reader.Count(FeedListCodec.IndexBytes);
        var jsonBytes = reader.UInt32();
        _index = reader.Raw(Count * FeedListCodec.IndexBytes);
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
        return _index.Slice(i * FeedListCodec.IndexBytes, FeedListCodec.IndexBytes);
    }

    private uint Start(int i) => BinaryPrimitives.ReadUInt32LittleEndian(Row(i));

    private ReadOnlySpan<byte> Between(uint start, long end) =>
        start < end && end <= _json.Length ? _json[(int)start..(int)end] : throw new FormatException("the index of a stored list is corrupt");
}
