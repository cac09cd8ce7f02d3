using System.Buffers;
using System.Globalization;
using System.Text;

namespace Streaming.Core.Wire;

/// <summary>
/// The JSON (RFC 8259) that this library writes by hand: only what must be escaped is, numbers take their shortest form that
/// reads back to the same bits, and nothing allocates once the writer is warm.
/// </summary>
public static class JsonText
{
    private static readonly SearchValues<byte> MustEscape =
        SearchValues.Create([.. Enumerable.Range(0, 0x20).Select(b => (byte)b), (byte)'"', (byte)'\\']);

    /// <summary>A quoted string. Unpaired surrogates become U+FFFD, as in every UTF-8 form of them.</summary>
    public static void JsonString(this ByteWriter into, string value)
    {
        into.Byte((byte)'"');
        var span = into.GetSpan(Encoding.UTF8.GetMaxByteCount(value.Length));
        var length = Encoding.UTF8.GetBytes(value, span);
        if (!span[..length].ContainsAny(MustEscape))
        {
            into.Advance(length);
        }
        else
        {
            var rented = ArrayPool<byte>.Shared.Rent(length);
            span[..length].CopyTo(rented);
            into.JsonEscaped(rented.AsSpan(0, length));
            ArrayPool<byte>.Shared.Return(rented);
        }
        into.Byte((byte)'"');
    }

    /// <summary>The inside of a quoted string from valid UTF-8.</summary>
    public static void JsonEscaped(this ByteWriter into, ReadOnlySpan<byte> utf8)
    {
        for (var at = utf8.IndexOfAny(MustEscape); at >= 0; at = utf8.IndexOfAny(MustEscape))
        {
            into.Raw(utf8[..at]);
            Escape(into, utf8[at]);
            utf8 = utf8[(at + 1)..];
        }
        into.Raw(utf8);
    }

    /// <summary>Length of <see cref="JsonEscaped"/>'s output, bytes.</summary>
    public static long EscapedLength(ReadOnlySpan<byte> utf8)
    {
        long length = utf8.Length;
        for (var at = utf8.IndexOfAny(MustEscape); at >= 0; at = utf8.IndexOfAny(MustEscape))
        {
            length += ShortEscape(utf8[at]) == 0 ? 5 : 1;
            utf8 = utf8[(at + 1)..];
        }
        return length;
    }

    public static void JsonNumber(this ByteWriter into, long value)
    {
        value.TryFormat(into.GetSpan(20), out var written, default, CultureInfo.InvariantCulture);
        into.Advance(written);
    }

    /// <summary>Shortest form that reads back to the same double.</summary>
    /// <exception cref="ArgumentException">Not finite: JSON has no such number.</exception>
    public static void JsonNumber(this ByteWriter into, double value)
    {
        if (!double.IsFinite(value)) throw new ArgumentException($"{value} has no JSON form", nameof(value));
        value.TryFormat(into.GetSpan(32), out var written, default, CultureInfo.InvariantCulture);
        into.Advance(written);
    }

    /// <summary>Shortest form that reads back to the same float.</summary>
    /// <exception cref="ArgumentException">Not finite: JSON has no such number.</exception>
    public static void JsonNumber(this ByteWriter into, float value)
    {
        if (!float.IsFinite(value)) throw new ArgumentException($"{value} has no JSON form", nameof(value));
        value.TryFormat(into.GetSpan(32), out var written, default, CultureInfo.InvariantCulture);
        into.Advance(written);
    }

    /// <summary>An array of strings.</summary>
    public static void JsonStrings(this ByteWriter into, IReadOnlyList<string> values)
    {
        into.Byte((byte)'[');
        for (var i = 0; i < values.Count; i++)
        {
            if (i > 0) into.Byte((byte)',');
            into.JsonString(values[i]);
        }
        into.Byte((byte)']');
    }

    /// <summary>An object of string members.</summary>
    public static void JsonPairs(this ByteWriter into, IReadOnlyList<KeyValuePair<string, string>> pairs)
    {
        into.Byte((byte)'{');
        for (var i = 0; i < pairs.Count; i++)
        {
            if (i > 0) into.Byte((byte)',');
            into.JsonString(pairs[i].Key);
            into.Byte((byte)':');
            into.JsonString(pairs[i].Value);
        }
        into.Byte((byte)'}');
    }

    private static void Escape(ByteWriter into, byte value)
    {
        into.Byte((byte)'\\');
        var shortForm = ShortEscape(value);
        if (shortForm != 0)
        {
            into.Byte(shortForm);
            return;
        }
        into.Raw("u00"u8);
        into.Byte((byte)(value < 0x10 ? '0' : '1'));
        into.Byte("0123456789abcdef"u8[value & 0xf]);
    }

    private static byte ShortEscape(byte value) => value switch
    {
        (byte)'"' => (byte)'"',
        (byte)'\\' => (byte)'\\',
        (byte)'\n' => (byte)'n',
        (byte)'\r' => (byte)'r',
        (byte)'\t' => (byte)'t',
        (byte)'\b' => (byte)'b',
        (byte)'\f' => (byte)'f',
        _ => 0,
    };
}
