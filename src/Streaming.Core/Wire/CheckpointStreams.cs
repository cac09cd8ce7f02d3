using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;

namespace Streaming.Core.Wire;

/// <summary>
/// Writes one part of a checkpoint to a stream of any length: a version byte, little-endian fields, and a CRC-32C of
/// everything before it. <see cref="CheckpointReader"/> reads it back.
/// </summary>
public sealed class CheckpointWriter
{
    private readonly Stream _into;
    private readonly byte[] _small = new byte[8];
    private uint _crc = Crc32C.Seed;

    public CheckpointWriter(Stream into, byte version)
    {
        _into = into;
        Byte(version);
    }

    public void Raw(ReadOnlySpan<byte> bytes)
    {
        _crc = Crc32C.Append(_crc, bytes);
        _into.Write(bytes);
    }

    /// <summary>An array of plain values, without its length.</summary>
    public void Values<T>(ReadOnlySpan<T> values) where T : unmanaged
    {
        // In pieces, because a span of bytes cannot be longer than 2 GiB.
        for (var at = 0; at < values.Length; at += 1 << 20)
            Raw(MemoryMarshal.AsBytes(values[at..Math.Min(values.Length, at + (1 << 20))]));
    }

    public void Byte(byte value)
    {
        _small[0] = value;
        Raw(_small.AsSpan(0, 1));
    }

    public void Int32(int value)
    {
        BinaryPrimitives.WriteInt32LittleEndian(_small, value);
        Raw(_small.AsSpan(0, 4));
    }

    public void Int64(long value)
    {
        BinaryPrimitives.WriteInt64LittleEndian(_small, value);
        Raw(_small);
    }

    public void Single(float value) => Int32(BitConverter.SingleToInt32Bits(value));
    public void Double(double value) => Int64(BitConverter.DoubleToInt64Bits(value));

    public void String(string value)
    {
        var bytes = Encoding.UTF8.GetBytes(value);
        Int32(bytes.Length);
        Raw(bytes);
    }

    /// <summary>Writes the checksum; nothing may follow.</summary>
    public void Finish()
    {
        Span<byte> crc = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(crc, ~_crc);
        _into.Write(crc);
    }
}

/// <summary>Reads what <see cref="CheckpointWriter"/> wrote. Every failure is an <see cref="InvalidDataException"/>.</summary>
/// <remarks>A caller reads into fresh arrays, calls <see cref="Finish"/>, and only then swaps them in.</remarks>
public sealed class CheckpointReader
{
    private readonly Stream _from;
    private readonly string _what;
    private readonly byte[] _small = new byte[8];
    private uint _crc = Crc32C.Seed;

    /// <param name="from">Positioned at the version byte.</param>
    /// <param name="versionMax">Newest version that the caller reads.</param>
    /// <param name="what">Named in error messages.</param>
    public CheckpointReader(Stream from, byte versionMax, string what)
    {
        _from = from;
        _what = what;
        Version = Byte();
        if (Version == 0 || Version > versionMax)
            throw new InvalidDataException($"{what} has version {Version}; this build reads 1 to {versionMax}. Was it written by a newer build?");
    }

    public byte Version { get; }

    public void Raw(Span<byte> into)
    {
        if (_from.ReadAtLeast(into, into.Length, throwOnEndOfStream: false) < into.Length)
            throw new InvalidDataException($"{_what} is cut short");
        _crc = Crc32C.Append(_crc, into);
    }

    public void Values<T>(Span<T> into) where T : unmanaged
    {
        for (var at = 0; at < into.Length; at += 1 << 20)
            Raw(MemoryMarshal.AsBytes(into[at..Math.Min(into.Length, at + (1 << 20))]));
    }

    public byte Byte()
    {
        Raw(_small.AsSpan(0, 1));
        return _small[0];
    }

    public int Int32()
    {
        Raw(_small.AsSpan(0, 4));
        return BinaryPrimitives.ReadInt32LittleEndian(_small);
    }

    public long Int64()
    {
        Raw(_small);
        return BinaryPrimitives.ReadInt64LittleEndian(_small);
    }

    public float Single() => BitConverter.Int32BitsToSingle(Int32());
    public double Double() => BitConverter.Int64BitsToDouble(Int64());

    /// <summary>A count that must lie in [0, <paramref name="max"/>], so that a corrupt one cannot allocate.</summary>
    public int Count(int max)
    {
        var value = Int32();
        if (value < 0 || value > max) throw new InvalidDataException($"{_what} holds a count of {value}; at most {max} can be");
        return value;
    }

    /// <summary>A count of values that follow: checked against what the stream has left, too, where it knows its length.</summary>
    public int Count<T>(int max) where T : unmanaged
    {
        var value = Count(max);
        if (_from.CanSeek && value > (_from.Length - _from.Position) / System.Runtime.CompilerServices.Unsafe.SizeOf<T>())
            throw new InvalidDataException($"{_what} holds a count of {value}, which does not fit what is left of it");
        return value;
    }

    public string String(int bytesMax)
    {
        var bytes = new byte[Count(bytesMax)];
        Raw(bytes);
        return Encoding.UTF8.GetString(bytes);
    }

    /// <summary>Fails unless the next field equals what the present settings say.</summary>
    public void Expect(int value, string name)
    {
        var found = Int32();
        if (found != value) throw new InvalidDataException($"{_what} was made with {name} {found}; the settings say {value}");
    }

    /// <summary>Compares the checksum.</summary>
    public void Finish()
    {
        Span<byte> stored = stackalloc byte[4];
        if (_from.ReadAtLeast(stored, 4, throwOnEndOfStream: false) < 4) throw new InvalidDataException($"{_what} is cut short");
        if (BinaryPrimitives.ReadUInt32LittleEndian(stored) != ~_crc) throw new InvalidDataException($"{_what} is corrupt: the checksum differs");
    }
}
