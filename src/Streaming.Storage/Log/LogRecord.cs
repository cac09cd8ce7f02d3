using Streaming.Core.Wire;
using System.Buffers.Binary;
using FASTER.core;
using Streaming.Core.Log;

namespace Streaming.Storage.Log;

/// <summary>
/// The stored form of a record, inside FasterLog's own length header: version byte, CRC-32C (4 bytes, little-endian) of all that
/// follows, time as a zig-zag varint, key length as a varint, key, value (to the end).
/// </summary>
internal readonly struct LogRecord(LogEntry entry) : ILogEnqueueEntry
{
    public const byte Version = 1;

    /// <summary>
    /// In place of <see cref="Version"/>: the record was erased, or is one that only fills. The same form, its body all zeros, so that whatever
    /// stood there is gone and what is around it stays where it is. Readers pass over it.
    /// </summary>
    public const byte Erased = 2;

    /// <summary>Most that framing adds to key and value, with FasterLog's header and alignment.</summary>
    public const int FramingBytesMax = 64;

    private const int HeaderBytes = 5;

    public int SerializedLength => HeaderBytes + VarIntLength(ZigZag(entry.TimeMs)) + VarIntLength((ulong)entry.Key.Length) + entry.Key.Length + entry.Value.Length;

    public void SerializeTo(Span<byte> dest)
    {
        dest[0] = Version;
        var body = dest[HeaderBytes..];
        var at = WriteVarInt(body, ZigZag(entry.TimeMs));
        at += WriteVarInt(body[at..], (ulong)entry.Key.Length);
        entry.Key.Span.CopyTo(body[at..]);
        entry.Value.Span.CopyTo(body[(at + entry.Key.Length)..]);
        BinaryPrimitives.WriteUInt32LittleEndian(dest[1..], Crc32C.Of(body));
    }

    /// <summary>Takes a stored record apart; false when it is not one (torn, corrupt, or from a newer build). Never throws: FASTER's epoch is held.</summary>
    public static bool TryParse(ReadOnlySpan<byte> stored, out long timeMs, out ReadOnlySpan<byte> key, out ReadOnlySpan<byte> value)
    {
        timeMs = 0;
        key = value = default;
        if (stored.Length < HeaderBytes + 2 || stored[0] != Version) return false;
        var body = stored[HeaderBytes..];
        if (BinaryPrimitives.ReadUInt32LittleEndian(stored[1..]) != Crc32C.Of(body)) return false;
        if (!TryReadVarInt(ref body, out var time) || !TryReadVarInt(ref body, out var keyLength) || keyLength > (ulong)body.Length) return false;
        timeMs = (long)(time >> 1) ^ -(long)(time & 1);
        key = body[..(int)keyLength];
        value = body[(int)keyLength..];
        return true;
    }

    /// <summary>Whether a stored record is an erased one, and whole.</summary>
    public static bool IsErased(ReadOnlySpan<byte> stored) =>
        stored.Length >= HeaderBytes && stored[0] == Erased && BinaryPrimitives.ReadUInt32LittleEndian(stored[1..]) == Crc32C.Of(stored[HeaderBytes..]);

    /// <summary>Makes an erased record of any bytes.</summary>
    public static void Erase(Span<byte> stored)
    {
        stored[0] = Erased;
        stored[HeaderBytes..].Clear();
        BinaryPrimitives.WriteUInt32LittleEndian(stored[1..], Crc32C.Of(stored[HeaderBytes..]));
    }

    /// <summary>An erased record of a length, to append.</summary>
    public static byte[] Filler(int length)
    {
        var filler = new byte[length];
        Erase(filler);
        return filler;
    }

    private static ulong ZigZag(long value) => (ulong)((value << 1) ^ (value >> 63));

    private static int VarIntLength(ulong value)
    {
        var length = 1;
        while ((value >>= 7) != 0) length++;
        return length;
    }

    private static int WriteVarInt(Span<byte> into, ulong value)
    {
        var at = 0;
        for (; value >= 0x80; value >>= 7) into[at++] = (byte)(value | 0x80);
        into[at++] = (byte)value;
        return at;
    }

    private static bool TryReadVarInt(ref ReadOnlySpan<byte> from, out ulong value)
    {
        value = 0;
        for (var i = 0; i < from.Length && i < 10; i++)
        {
            value |= (ulong)(from[i] & 0x7f) << (7 * i);
            if (from[i] >= 0x80) continue;
            from = from[(i + 1)..];
            return true;
        }
        return false;
    }
}
