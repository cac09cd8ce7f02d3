using System.Buffers;
using System.Globalization;
using Streaming.Core.Events;
using Streaming.Core.Wire;

namespace Streaming.Core.Items;

/// <summary>Writes the canonical wire form of a catalogue change: what <see cref="ItemParser"/> reads back to an equal one.</summary>
public static class ItemWriter
{
    public static void Write(ItemChange change, IBufferWriter<byte> into) =>
        ByteWriter.Into(into, change, static (change, writer) => Write(change, writer));

    private static void Write(ItemChange change, ByteWriter into)
    {
        into.Raw("{\"id\":"u8);
        into.JsonString(change.Id);
        if (change.Item is { } item) Members(item, into);
        else into.Raw(",\"deleted\":true"u8);
        into.Raw(",\"time\":"u8);
        into.JsonNumber(change.TimeMs);
        into.Byte((byte)'}');
    }

    private static void Members(Item item, ByteWriter into)
    {
        if (item.Tags.Count > 0)
        {
            into.Raw(",\"tags\":"u8);
            into.JsonStrings(item.Tags);
        }
        if (item.Categories.Count > 0)
        {
            into.Raw(",\"categories\":"u8);
            into.JsonStrings(item.Categories);
        }
        if (item.Author is not null)
        {
            into.Raw(",\"author\":"u8);
            into.JsonString(item.Author);
        }
        if (item.PublishedMs != 0) Time(into, ",\"published\":"u8, item.PublishedMs);
        if (item.ExpiresMs != long.MaxValue) Time(into, ",\"expires\":"u8, item.ExpiresMs);
        if (item.Attributes.Count > 0)
        {
            into.Raw(",\"attributes\":"u8);
            into.JsonPairs(item.Attributes);
        }
    }

    private static void Time(ByteWriter into, ReadOnlySpan<byte> member, long timeMs)
    {
        into.Raw(member);
        // The parser takes such a number for seconds; a time of early 1970 is written out.
        if (EventLimits.LooksLikeSeconds(timeMs))
            into.JsonString(DateTimeOffset.FromUnixTimeMilliseconds(timeMs).ToString("yyyy-MM-ddTHH:mm:ss.fffZ", CultureInfo.InvariantCulture));
        else
            into.JsonNumber(timeMs);
    }
}
