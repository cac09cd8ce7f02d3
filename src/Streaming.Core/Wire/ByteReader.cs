using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;

namespace Streaming.Core.Wire;

/// <summary>Counterpart of <see cref="ByteWriter"/>. Every read is bounds-checked; a short or absurd input throws <see cref="FormatException"/>.</summary>
public ref struct ByteReader(ReadOnlySpan<byte> bytes)
{
    private ReadOnlySpan<byte> _rest = bytes;

    public readonly int Remaining => _rest.Length;
    public readonly bool AtEnd => _rest.IsEmpty;

    public byte Byte() => Take(1)[0];

    public bool Bool() => Byte() switch
    {
        0 => false,
        1 => true,
        var other => throw new FormatException($"expected a boolean, found byte {other}"),
    };

    public uint UInt32() => BinaryPrimitives.ReadUInt32LittleEndian(Take(4));
    public ulong UInt64() => BinaryPrimitives.ReadUInt64LittleEndian(Take(8));
    public long Int64() => BinaryPrimitives.ReadInt64LittleEndian(Take(8));
    public float Single() => BinaryPrimitives.ReadSingleLittleEndian(Take(4));
    public double Double() => BinaryPrimitives.ReadDoubleLittleEndian(Take(8));

    public ulong VarInt()
    {
        ulong value = 0;
        for (var shift = 0; shift < 64; shift += 7)
        {
            var b = Byte();
            value |= (ulong)(b & 0x7f) << shift;
            if (b < 0x80) return value;
        }
        throw new FormatException("a variable-length integer has more than 10 bytes");
    }

    public long Signed()
    {
        var raw = VarInt();
        return (long)(raw >> 1) ^ -(long)(raw & 1);
    }

    /// <summary>A count of things that take at least <paramref name="bytesEach"/> bytes: checked against what is left, so a corrupt count cannot allocate.</summary>
    public int Count(int bytesEach = 1)
    {
        var value = VarInt();
        if (value > (ulong)(_rest.Length / Math.Max(1, bytesEach)))
            throw new FormatException($"a count of {value} does not fit the {_rest.Length} bytes that are left");
        return (int)value;
    }

    public ReadOnlySpan<byte> Bytes() => Take(Count());

    public string? String()
    {
        var length = VarInt();
        return length == 0 ? null : Encoding.UTF8.GetString(Text(length - 1));
    }

    /// <summary>As <see cref="String"/>, for texts that come again and again: taken from the cache where it has them. Null reads as empty.</summary>
    public string Name(StringCache cache)
    {
        var length = VarInt();
        return length == 0 ? "" : cache.Get(Text(length - 1));
    }

    /// <summary>The UTF-8 bytes of a string, in place; null reads as empty.</summary>
    public ReadOnlySpan<byte> StringBytes()
    {
        var length = VarInt();
        return length == 0 ? default : Text(length - 1);
    }

    /// <summary>A zig-zag integer that must fit 32 bits.</summary>
    public int SignedInt32()
    {
        var value = Signed();
        return value is >= int.MinValue and <= int.MaxValue ? (int)value : throw new FormatException($"{value} does not fit 32 bits");
    }

    public void Singles(Span<float> into)
    {
        var count = Count(4);
        if (count != into.Length) throw new FormatException($"expected {into.Length} floats, found {count}");
        Take(count * 4).CopyTo(MemoryMarshal.AsBytes(into));
    }

    public float[] Singles()
    {
        var values = new float[Count(4)];
        Take(values.Length * 4).CopyTo(MemoryMarshal.AsBytes(values.AsSpan()));
        return values;
    }

    public ReadOnlySpan<byte> Raw(int count) => Take(count);

    /// <summary>All that is left.</summary>
    public ReadOnlySpan<byte> Rest() => Take(_rest.Length);

    /// <summary>Checks the leading version byte of a persisted form.</summary>
    public byte Version(byte max, string what)
    {
        var version = Byte();
        if (version == 0 || version > max)
            throw new FormatException($"{what} has version {version}; this build reads 1 to {max}. Was it written by a newer build?");
        return version;
    }

    private ReadOnlySpan<byte> Text(ulong length) =>
        length <= (ulong)_rest.Length ? Take((int)length) : throw new FormatException($"a string of {length} bytes does not fit");

    private ReadOnlySpan<byte> Take(int count)
    {
        if (count < 0 || count > _rest.Length) throw new FormatException($"expected {count} more bytes, {_rest.Length} are left");
        var taken = _rest[..count];
        _rest = _rest[count..];
        return taken;
    }
}
