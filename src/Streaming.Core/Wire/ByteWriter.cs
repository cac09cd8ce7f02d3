using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;

namespace Streaming.Core.Wire;

/// <summary>Growable little-endian writer behind every binary codec. Reuse one per thread: once warm it allocates nothing.</summary>
public sealed class ByteWriter : IBufferWriter<byte>
{
    [ThreadStatic] private static ByteWriter? _scratch;

    private byte[] _buffer;
    private int _length;

    public ByteWriter(int capacity = 256) => _buffer = new byte[capacity];

    public int Length => _length;
    public ReadOnlySpan<byte> WrittenSpan => _buffer.AsSpan(0, _length);
    public ReadOnlyMemory<byte> WrittenMemory => _buffer.AsMemory(0, _length);

    public void Clear() => _length = 0;

    public void Byte(byte value) => Take(1)[0] = value;
    public void Bool(bool value) => Byte(value ? (byte)1 : (byte)0);
    public void UInt32(uint value) => BinaryPrimitives.WriteUInt32LittleEndian(Take(4), value);
    public void UInt64(ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(Take(8), value);
    public void Int64(long value) => BinaryPrimitives.WriteInt64LittleEndian(Take(8), value);
    public void Single(float value) => BinaryPrimitives.WriteSingleLittleEndian(Take(4), value);
    public void Double(double value) => BinaryPrimitives.WriteDoubleLittleEndian(Take(8), value);

    /// <summary>LEB128; negative values are not for it (use <see cref="Signed"/>).</summary>
    public void VarInt(ulong value)
    {
        while (value >= 0x80)
        {
            Byte((byte)(value | 0x80));
            value >>= 7;
        }
        Byte((byte)value);
    }

    /// <summary>Zig-zag LEB128.</summary>
    public void Signed(long value) => VarInt((ulong)((value << 1) ^ (value >> 63)));

    public void Count(int value) => VarInt((ulong)value);

    public void Bytes(ReadOnlySpan<byte> value)
    {
        Count(value.Length);
        value.CopyTo(Take(value.Length));
    }

    /// <summary>Length-prefixed UTF-8; null is kept apart from empty.</summary>
    public void String(string? value)
    {
        if (value is null)
        {
            VarInt(0);
            return;
        }
        var bytes = Encoding.UTF8.GetByteCount(value);
        VarInt((ulong)bytes + 1);
        Encoding.UTF8.GetBytes(value, Take(bytes));
    }

    public void Singles(ReadOnlySpan<float> values)
    {
        Count(values.Length);
        Raw(MemoryMarshal.AsBytes(values));
    }

    /// <summary>Bytes without a length.</summary>
    public void Raw(ReadOnlySpan<byte> bytes) => bytes.CopyTo(Take(bytes.Length));

    /// <summary>Leaves room for <paramref name="count"/> bytes, zeroed, to be filled in through <see cref="Written"/>.</summary>
    public void Skip(int count) => Take(count).Clear();

    /// <summary>Bytes already written, to be filled in or corrected.</summary>
    public Span<byte> Written(int start, int count) => _buffer.AsSpan(0, _length).Slice(start, count);

    private Span<byte> Take(int count)
    {
        Grow(count);
        var span = _buffer.AsSpan(_length, count);
        _length += count;
        return span;
    }

    private void Grow(int count)
    {
        if (_length + count > _buffer.Length) Array.Resize(ref _buffer, Math.Max(_length + count, _buffer.Length * 2));
    }

    /// <summary>Counts <paramref name="count"/> bytes of the last <see cref="GetSpan"/> as written.</summary>
    public void Advance(int count)
    {
        if ((uint)count > (uint)(_buffer.Length - _length)) throw new ArgumentOutOfRangeException(nameof(count));
        _length += count;
    }

    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        Grow(Math.Max(1, sizeHint));
        return _buffer.AsMemory(_length);
    }

    public Span<byte> GetSpan(int sizeHint = 0)
    {
        Grow(Math.Max(1, sizeHint));
        return _buffer.AsSpan(_length);
    }

    /// <summary>
    /// Runs a writer of <paramref name="value"/> against any buffer writer: straight into it when it is a <see cref="ByteWriter"/>,
    /// else by way of the thread's scratch writer and one copy.
    /// </summary>
    internal static void Into<T>(IBufferWriter<byte> into, T value, Action<T, ByteWriter> write)
    {
        if (into is ByteWriter direct)
        {
            write(value, direct);
            return;
        }
        var scratch = _scratch ??= new ByteWriter(1024);
        scratch.Clear();
        write(value, scratch);
        into.Write(scratch.WrittenSpan);
    }
}
