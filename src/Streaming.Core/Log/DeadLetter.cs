using System.Buffers;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using Streaming.Core.Wire;

namespace Streaming.Core.Log;

/// <summary>A record that could not be used, set aside whole on the <c>dead-letter</c> topic.</summary>
/// <param name="Reason">Why, for the person who looks.</param>
/// <param name="Topic">Where it came from: a topic, or the name of another source.</param>
/// <param name="Source">Its position there; (-1, -1) for a source without positions.</param>
/// <param name="TimeMs">When it was set aside, Unix ms.</param>
/// <param name="Payload">Its value, byte for byte.</param>
public sealed record DeadLetter(string Reason, string Topic, LogPosition Source, long TimeMs, ReadOnlyMemory<byte> Payload)
{
    private const int Version = 1;

    /// <summary>
    /// Appends the topic's value: a JSON object with the payload as a string under <c>payload</c>, or in base64 under
    /// <c>payload_base64</c> where it is not UTF-8 or where escaping would make it longer than base64 does.
    /// </summary>
    public void Write(IBufferWriter<byte> into) => ByteWriter.Into(into, this, static (letter, writer) => letter.WriteTo(writer));

    private void WriteTo(ByteWriter into)
    {
        into.Raw("{\"version\":1,\"reason\":"u8);
        into.JsonString(Reason);
        into.Raw(",\"topic\":"u8);
        into.JsonString(Topic);
        into.Raw(",\"partition\":"u8);
        into.JsonNumber(Source.Partition);
        into.Raw(",\"offset\":"u8);
        into.JsonNumber(Source.Offset);
        into.Raw(",\"time\":"u8);
        into.JsonNumber(TimeMs);
        var payload = Payload.Span;
        var base64Length = System.Buffers.Text.Base64.GetMaxEncodedToUtf8Length(payload.Length);
        if (Utf8.IsValid(payload) && JsonText.EscapedLength(payload) <= Math.Max(base64Length, 64))
        {
            into.Raw(",\"payload\":\""u8);
            into.JsonEscaped(payload);
        }
        else
        {
            into.Raw(",\"payload_base64\":\""u8);
            System.Buffers.Text.Base64.EncodeToUtf8(payload, into.GetSpan(base64Length), out _, out var written);
            into.Advance(written);
        }
        into.Raw("\"}"u8);
    }

    /// <summary>Reads what <see cref="Write"/> wrote.</summary>
    /// <exception cref="FormatException">Not a dead letter, corrupt, or from a newer build.</exception>
    public static DeadLetter Read(ReadOnlyMemory<byte> json)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            var root = document.RootElement;
            var version = root.GetProperty("version").GetInt32();
            if (version != Version) throw new FormatException($"a dead letter has version {version}; this build reads {Version}");
            var payload = root.TryGetProperty("payload", out var text)
                ? Encoding.UTF8.GetBytes(text.GetString() ?? throw new FormatException("a dead letter's payload is null"))
                : root.GetProperty("payload_base64").GetBytesFromBase64();
            return new DeadLetter(
                root.GetProperty("reason").GetString() ?? throw new FormatException("a dead letter's reason is null"),
                root.GetProperty("topic").GetString() ?? throw new FormatException("a dead letter's topic is null"),
                new LogPosition(root.GetProperty("partition").GetInt32(), root.GetProperty("offset").GetInt64()),
                root.GetProperty("time").GetInt64(), payload);
        }
        catch (Exception broken) when (broken is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            throw new FormatException($"not a dead letter: {(broken is JsonException syntax ? RecordReader.Describe(syntax) : broken.Message)}", broken);
        }
    }
}
