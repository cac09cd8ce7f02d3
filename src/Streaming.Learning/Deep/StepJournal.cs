using System.Buffers.Binary;
using Streaming.Core.Wire;

namespace Streaming.Learning.Deep;

/// <summary>One mini-batch as it was decided on: all that is not in the log itself.</summary>
/// <param name="NowMs">The clock when it was decided on, Unix ms.</param>
/// <param name="Due">What was due after it.</param>
/// <param name="Rows">Examples in it, repeats left out; only to notice a log that has changed.</param>
/// <param name="Examples">Next offset to read per partition of <c>examples</c>: the batch is what lies between the last entry's and these.</param>
/// <param name="Items">The same for <c>items</c>, applied before.</param>
public sealed record JournalEntry(long NowMs, Due Due, int Rows, long[] Examples, long[] Items);

/// <summary>
/// What a worker decided by the clock, written before it was done, so that a worker which is killed does it all again from its last checkpoint
/// and ends bit-equal: batch boundaries and what was due after each batch. A file of frames (length, entry, CRC-32C); one that a kill cut short ends
/// the file.
/// </summary>
public sealed class StepJournal : IDisposable
{
    private const byte Version = 1;
    private const int FrameBytesMax = 1 << 20;

    private readonly FileStream _file;
    private readonly ByteWriter _frame = new();

    /// <summary>Opens a journal to append to it, created when absent; what a kill cut short is cut off.</summary>
    public StepJournal(string path)
    {
        var whole = Parse(path, null);
        _file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read);
        _file.SetLength(whole);
        if (whole == 0) _file.WriteByte(Version);
        _file.Flush();
        _file.Seek(0, SeekOrigin.End);
    }

    /// <summary>The whole entries of a journal; none where there is no file.</summary>
    /// <exception cref="InvalidDataException">From a newer build.</exception>
    public static IReadOnlyList<JournalEntry> Read(string path)
    {
        var entries = new List<JournalEntry>();
        Parse(path, entries);
        return entries;
    }

    /// <summary>Hands an entry to the system: it survives the end of the process.</summary>
    public void Append(JournalEntry entry)
    {
        _frame.Clear();
        _frame.Skip(4);
        _frame.Int64(entry.NowMs);
        _frame.Byte((byte)entry.Due);
        _frame.Count(entry.Rows);
        foreach (var offsets in (long[][])[entry.Examples, entry.Items])
        {
            _frame.Count(offsets.Length);
            foreach (var offset in offsets) _frame.Signed(offset);
        }
        BinaryPrimitives.WriteInt32LittleEndian(_frame.Written(0, 4), _frame.Length - 4);
        _frame.UInt32(Crc32C.Of(_frame.WrittenSpan[4..]));
        _file.Write(_frame.WrittenSpan);
        _file.Flush();
    }

    /// <summary>Waits for the disk itself: what is published rests on it.</summary>
    public void Sync() => _file.Flush(flushToDisk: true);

    public void Dispose() => _file.Dispose();

    /// <summary>Returns how many bytes of the file are whole.</summary>
    private static long Parse(string path, List<JournalEntry>? into)
    {
        if (!File.Exists(path)) return 0;
        var bytes = File.ReadAllBytes(path);
        if (bytes.Length == 0) return 0;
        if (bytes[0] != Version) throw new InvalidDataException($"'{path}' has version {bytes[0]}; this build reads {Version}");
        var at = 1;
        while (bytes.Length - at >= 8)
        {
            var length = BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(at));
            if (length is <= 0 or > FrameBytesMax || length > bytes.Length - at - 8) break;
            var frame = bytes.AsSpan(at + 4, length);
            if (Crc32C.Of(frame) != BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(at + 4 + length))) break;
            into?.Add(Entry(frame));
            at += length + 8;
        }
        return at;
    }

    private static JournalEntry Entry(ReadOnlySpan<byte> frame)
    {
        var reader = new ByteReader(frame);
        return new JournalEntry(reader.Int64(), (Due)reader.Byte(), (int)reader.VarInt(), Offsets(ref reader), Offsets(ref reader));
    }

    private static long[] Offsets(ref ByteReader reader)
    {
        var offsets = new long[reader.Count()];
        for (var i = 0; i < offsets.Length; i++) offsets[i] = reader.Signed();
        return offsets;
    }
}
