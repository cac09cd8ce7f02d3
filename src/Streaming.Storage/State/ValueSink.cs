using Streaming.Core.Wire;
using FASTER.core;

namespace Streaming.Storage.State;

/// <summary>
/// Where a value that is read goes. It may not throw: FASTER holds a lock and its epoch meanwhile. FASTER may hand over a value and
/// then try again; what counts is the last call before the read ends.
/// </summary>
internal abstract class ValueSink
{
    public abstract void Accept(ReadOnlySpan<byte> value);
}

/// <summary>
/// What FASTER calls back. A stored value is CRC-32C, length, bytes, and zeros up to a round size: a value that grows or shrinks a
/// little is then written over in place instead of growing the log. The CRC is checked when the value comes from the disk; memory is
/// trusted.
/// </summary>
internal sealed class StoreFunctions : SpanByteFunctions<SpanByte, ValueSink, Empty>
{
    private const int HeaderBytes = 8;
    private const int RoundBytes = 512;

    /// <summary>Bytes that a value takes; rounded up only where that fits <paramref name="bytesMax"/>.</summary>
    public static int FrameLength(int valueLength, int bytesMax)
    {
        var length = HeaderBytes + valueLength;
        var rounded = (length + RoundBytes - 1) / RoundBytes * RoundBytes;
        return rounded <= bytesMax ? rounded : length;
    }

    /// <summary>Fills <paramref name="frame"/>, of <see cref="FrameLength"/> bytes.</summary>
    public static void Frame(ReadOnlySpan<byte> value, Span<byte> frame)
    {
        BitConverter.TryWriteBytes(frame, Crc32C.Of(value));
        BitConverter.TryWriteBytes(frame[4..], value.Length);
        value.CopyTo(frame[HeaderBytes..]);
        frame[(HeaderBytes + value.Length)..].Clear();
    }

    private static bool TryUnframe(ReadOnlySpan<byte> frame, out ReadOnlySpan<byte> value)
    {
        value = default;
        if (frame.Length < HeaderBytes) return false;
        var length = BitConverter.ToInt32(frame[4..]);
        if (length < 0 || length > frame.Length - HeaderBytes) return false;
        value = frame.Slice(HeaderBytes, length);
        return true;
    }

    /// <summary>Status of the last read that had to go to the disk.</summary>
    public Status Completed { get; private set; }

    public bool FromDisk { get; set; }

    public bool Corrupt { get; set; }

    public override bool SingleReader(ref SpanByte key, ref SpanByte input, ref SpanByte value, ref ValueSink dst, ref ReadInfo readInfo)
    {
        var frame = value.AsReadOnlySpan();
        Corrupt = !TryUnframe(frame, out var stored) || (FromDisk && BitConverter.ToUInt32(frame) != Crc32C.Of(stored));
        if (!Corrupt) dst.Accept(stored);
        return true;
    }

    public override bool ConcurrentReader(ref SpanByte key, ref SpanByte input, ref SpanByte value, ref ValueSink dst, ref ReadInfo readInfo)
    {
        Corrupt = !TryUnframe(value.AsReadOnlySpan(), out var stored);
        if (!Corrupt) dst.Accept(stored);
        return true;
    }

    public override void ReadCompletionCallback(ref SpanByte key, ref SpanByte input, ref ValueSink output, Empty ctx, Status status, RecordMetadata recordMetadata) =>
        Completed = status;
}
