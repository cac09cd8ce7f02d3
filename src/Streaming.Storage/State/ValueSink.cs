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
/// What FASTER calls back. A stored value starts with its CRC-32C, which is checked when the value comes from the disk; memory is trusted.
/// </summary>
internal sealed class StoreFunctions : SpanByteFunctions<SpanByte, ValueSink, Empty>
{
    public const int CrcBytes = 4;

    /// <summary>Status of the last read that had to go to the disk.</summary>
    public Status Completed { get; private set; }

    public bool FromDisk { get; set; }

    public bool Corrupt { get; set; }

    public override bool SingleReader(ref SpanByte key, ref SpanByte input, ref SpanByte value, ref ValueSink dst, ref ReadInfo readInfo)
    {
        var stored = value.AsReadOnlySpan();
        Corrupt = FromDisk && (stored.Length < CrcBytes || BitConverter.ToUInt32(stored) != Crc32C.Of(stored[CrcBytes..]));
        if (!Corrupt) dst.Accept(stored[CrcBytes..]);
        return true;
    }

    public override bool ConcurrentReader(ref SpanByte key, ref SpanByte input, ref SpanByte value, ref ValueSink dst, ref ReadInfo readInfo)
    {
        dst.Accept(value.AsReadOnlySpan()[CrcBytes..]);
        return true;
    }

    public override void ReadCompletionCallback(ref SpanByte key, ref SpanByte input, ref ValueSink output, Empty ctx, Status status, RecordMetadata recordMetadata) =>
        Completed = status;
}
