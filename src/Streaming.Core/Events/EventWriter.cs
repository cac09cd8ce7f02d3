using System.Buffers;
using Streaming.Core.Feeds;
using Streaming.Core.Wire;

namespace Streaming.Core.Events;

/// <summary>Writes the canonical wire form of an event: what <see cref="EventParser"/> reads back to an equal record.</summary>
public static class EventWriter
{
    /// <exception cref="ArgumentException">A number of the event is infinite.</exception>
    public static void Write(UserEvent e, IBufferWriter<byte> into) => ByteWriter.Into(into, e, static (e, writer) => Write(e, writer));

    private static void Write(UserEvent e, ByteWriter into)
    {
        into.Raw("{\"type\":"u8);
        into.JsonString(e.Type);
        if (e.User.Length > 0) Text(into, ",\"user\":"u8, e.User);
        Text(into, ",\"item\":"u8, e.Item);
        if (e.Items.Count > 0) Items(into, e.Items);
        into.Raw(",\"time\":"u8);
        into.JsonNumber(e.TimeMs);
        Text(into, ",\"event_id\":"u8, e.EventId);
        Text(into, ",\"request_id\":"u8, e.RequestId);
        if (e.Position >= 0)
        {
            into.Raw(",\"position\":"u8);
            into.JsonNumber(e.Position);
        }
        if (e.Surface.Length > 0) Text(into, ",\"surface\":"u8, e.Surface);
        if (!double.IsNaN(e.Value))
        {
            into.Raw(",\"value\":"u8);
            into.JsonNumber(e.Value);
        }
        Text(into, ",\"session_id\":"u8, e.SessionId);
        Text(into, ",\"query\":"u8, e.Query);
        if (e.Context.Count > 0)
        {
            into.Raw(",\"context\":"u8);
            into.JsonPairs(e.Context);
        }
        if (e.Profile is not null) Profile(into, e.Profile);
        into.Byte((byte)'}');
    }

    private static void Text(ByteWriter into, ReadOnlySpan<byte> member, string? value)
    {
        if (value is null) return;
        into.Raw(member);
        into.JsonString(value);
    }

    /// <summary>Bare ids where positions count up from 0 and neither propensity nor team is known; objects otherwise.</summary>
    private static void Items(ByteWriter into, IReadOnlyList<ShownItem> items)
    {
        var plain = true;
        for (var i = 0; i < items.Count && plain; i++) plain = items[i].Position == i && float.IsNaN(items[i].Propensity) && items[i].Team == Team.None;
        into.Raw(",\"items\":["u8);
        for (var i = 0; i < items.Count; i++)
        {
            if (i > 0) into.Byte((byte)',');
            if (plain)
            {
                into.JsonString(items[i].Item);
                continue;
            }
            into.Raw("{\"item\":"u8);
            into.JsonString(items[i].Item);
            if (items[i].Position >= 0)
            {
                into.Raw(",\"position\":"u8);
                into.JsonNumber(items[i].Position);
            }
            if (!float.IsNaN(items[i].Propensity))
            {
                into.Raw(",\"propensity\":"u8);
                into.JsonNumber(items[i].Propensity);
            }
            if (items[i].Team != Team.None)
            {
                into.Raw(",\"team\":\""u8);
                into.Raw(Teams.Name(items[i].Team));
                into.Byte((byte)'"');
            }
            into.Byte((byte)'}');
        }
        into.Byte((byte)']');
    }

    private static void Profile(ByteWriter into, UserProfile profile)
    {
        into.Raw(",\"profile\":{\"interests\":"u8);
        into.JsonStrings(profile.Interests);
        into.Raw(",\"attributes\":"u8);
        into.JsonPairs(profile.Attributes);
        into.Byte((byte)'}');
    }
}
