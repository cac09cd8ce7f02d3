using System.Runtime.InteropServices;
using FASTER.core;

namespace Streaming.Storage.State;

/// <summary>
/// A record as FasterKV lays it out in a page of its log: RecordInfo (8 bytes), key and value, each a length (4 bytes) and its bytes; the value starts
/// at a multiple of 8, and so does the next record. A record of zeros is a gap of 8 bytes. A test holds this to what FASTER itself scans.
/// </summary>
/// <param name="At">Offset in the page.</param>
/// <param name="Length">Without what rounding adds.</param>
internal readonly record struct StoredRecord(int At, int Length, int KeyAt, int KeyLength, bool IsTombstone)
{
    private const int InfoBytes = 8;
    private const int LengthBytes = 4;

    /// <summary>The records of a page that can be read; those that FASTER has closed (an older version of one copied since) are among them, erased ones not.</summary>
    /// <param name="page">The whole page.</param>
    /// <param name="from">Where a record starts.</param>
    /// <param name="until">Where the last one ends.</param>
    /// <exception cref="InvalidDataException">What stands there is no record.</exception>
    public static IEnumerable<StoredRecord> Walk(ReadOnlyMemory<byte> page, int from, int until)
    {
        for (var at = from; at + InfoBytes <= until;)
        {
            if (MemoryMarshal.Read<long>(page.Span[at..]) == 0)
            {
                at += InfoBytes;
                continue;
            }
            if (!TryMeasure(page.Span[at..], out var keyLength, out var valueAt, out var valueLength))
                throw new InvalidDataException($"there is no record at offset {at} of a page");
            var length = valueAt + valueLength;
            var info = MemoryMarshal.Read<RecordInfo>(page.Span[at..]);
            if (!IsErased(page.Span[at..], keyLength)) yield return new StoredRecord(at, length, at + InfoBytes + LengthBytes, keyLength, info.Tombstone);
            at += Align(length);
        }
    }

    /// <summary>Zeros key and value, and marks the record as no longer valid: scans and recovery pass over it. What links records stays.</summary>
    public static bool TryErase(Span<byte> record)
    {
        if (!TryMeasure(record, out var keyLength, out var valueAt, out var valueLength) || valueAt + valueLength != record.Length) return false;
        ref var info = ref MemoryMarshal.AsRef<RecordInfo>(record);
        info.SetInvalid();
        record.Slice(InfoBytes + LengthBytes, keyLength).Clear();
        record[valueAt..].Clear();
        return true;
    }

    private static bool TryMeasure(ReadOnlySpan<byte> record, out int keyLength, out int valueAt, out int valueLength)
    {
        (keyLength, valueAt, valueLength) = (0, 0, 0);
        if (record.Length < InfoBytes + LengthBytes) return false;
        keyLength = MemoryMarshal.Read<int>(record[InfoBytes..]);
        if (keyLength < 0 || keyLength > record.Length) return false;
        var lengthAt = InfoBytes + Align(LengthBytes + keyLength);
        if (lengthAt + LengthBytes > record.Length) return false;
        valueLength = MemoryMarshal.Read<int>(record[lengthAt..]);
        valueAt = lengthAt + LengthBytes;
        return valueLength >= 0 && valueLength <= record.Length - valueAt;
    }

    private static bool IsErased(ReadOnlySpan<byte> record, int keyLength) =>
        keyLength == 0 || (MemoryMarshal.Read<RecordInfo>(record).Invalid && !record.Slice(InfoBytes + LengthBytes, keyLength).ContainsAnyExcept((byte)0));

    private static int Align(int length) => (length + 7) & ~7;
}
