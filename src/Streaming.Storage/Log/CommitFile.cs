using Streaming.Core.Wire;
using System.Buffers.Binary;
using FASTER.core;
using Microsoft.Win32.SafeHandles;

namespace Streaming.Storage.Log;

/// <summary>
/// How far a FasterLog is committed: two slots in one small file, written in turn, so that a write that is cut short leaves the
/// slot before it. FASTER's own manager creates and deletes a file per commit, which is what limits it to some hundred a second.
/// Slot (512 bytes): version byte, CRC-32C of the rest, commit number, begin, until (8 bytes each), length and FASTER's own bytes.
/// </summary>
internal sealed class CommitFile : ILogCommitManager
{
    private const byte Version = 1;
    private const int SlotBytes = 512;
    private const int HeaderBytes = 5;
    private const int FixedBytes = HeaderBytes + 3 * 8 + 4;

    private readonly SafeFileHandle _file;
    private readonly bool _sync;
    private readonly byte[] _slot = new byte[SlotBytes];
    private readonly List<Slot> _found = [];
    private int _next;
    private Exception? _failure;

    private sealed record Slot(long CommitNum, long Begin, long Until, byte[] Metadata);

    /// <exception cref="InvalidDataException">The file holds something, but no slot that is whole.</exception>
    public CommitFile(string path, bool sync)
    {
        _sync = sync;
        _file = File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read);
        for (var i = 0; i < 2; i++)
            if (ReadSlot(i) is { } slot)
            {
                if (_found.Count == 0 || slot.CommitNum > _found[0].CommitNum) _next = 1 - i;
                _found.Insert(_found.Count == 0 || slot.CommitNum > _found[0].CommitNum ? 0 : 1, slot);
            }
        if (_found.Count > 0 || RandomAccess.GetLength(_file) == 0) return;
        _file.Dispose();
        throw new InvalidDataException($"'{path}' holds no whole commit");
    }

    /// <summary>Address up to which the newest commit found at opening reaches, or null when there was none.</summary>
    public long? Until => _found.Count == 0 ? null : _found[0].Until;

    /// <summary>The first commit that could not be written, or null. FASTER takes a commit for done once it has called <see cref="Commit"/>.</summary>
    public Exception? Failure => Volatile.Read(ref _failure);

    public void Commit(long beginAddress, long untilAddress, byte[] commitMetadata, long commitNum, bool forceWriteMetadata)
    {
        try
        {
            if (_failure is not null) return;
            _slot.AsSpan().Clear();
            _slot[0] = Version;
            BinaryPrimitives.WriteInt64LittleEndian(_slot.AsSpan(HeaderBytes), commitNum);
            BinaryPrimitives.WriteInt64LittleEndian(_slot.AsSpan(HeaderBytes + 8), beginAddress);
            BinaryPrimitives.WriteInt64LittleEndian(_slot.AsSpan(HeaderBytes + 16), untilAddress);
            BinaryPrimitives.WriteInt32LittleEndian(_slot.AsSpan(HeaderBytes + 24), commitMetadata.Length);
            commitMetadata.CopyTo(_slot.AsSpan(FixedBytes));
            BinaryPrimitives.WriteUInt32LittleEndian(_slot.AsSpan(1), Crc32C.Of(_slot.AsSpan(HeaderBytes)));
            RandomAccess.Write(_file, _slot, _next * SlotBytes);
            if (_sync) RandomAccess.FlushToDisk(_file);
            _next = 1 - _next;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ObjectDisposedException)
        {
            Volatile.Write(ref _failure, e);
        }
    }

    public IEnumerable<long> ListCommits() => _found.Select(slot => slot.CommitNum);

    public byte[] GetCommitMetadata(long commitNum) => _found.First(slot => slot.CommitNum == commitNum).Metadata;

    public void RemoveCommit(long commitNum)
    {
        // Slots are overwritten in turn: there is nothing to remove.
    }

    public void RemoveAllCommits()
    {
        // As above.
    }

    public void OnRecovery(long commitNum)
    {
        // As above.
    }

    public void Dispose() => _file.Dispose();

    /// <summary>What the newest whole commit in a copy of such a file says; null when there is none.</summary>
    public static (long Begin, long Until)? Newest(ReadOnlySpan<byte> file)
    {
        Slot? newest = null;
        for (var i = 0; i < 2 && (i + 1) * SlotBytes <= file.Length; i++)
            if (Parse(file.Slice(i * SlotBytes, SlotBytes)) is { } slot && (newest is null || slot.CommitNum > newest.CommitNum)) newest = slot;
        return newest is null ? null : (newest.Begin, newest.Until);
    }

    private Slot? ReadSlot(int index)
    {
        var slot = new byte[SlotBytes];
        return RandomAccess.Read(_file, slot, index * SlotBytes) < SlotBytes ? null : Parse(slot);
    }

    private static Slot? Parse(ReadOnlySpan<byte> slot)
    {
        if (slot[0] != Version || BinaryPrimitives.ReadUInt32LittleEndian(slot[1..]) != Crc32C.Of(slot[HeaderBytes..])) return null;
        var length = BinaryPrimitives.ReadInt32LittleEndian(slot[(HeaderBytes + 24)..]);
        if (length is < 0 or > SlotBytes - FixedBytes) return null;
        return new Slot(
            BinaryPrimitives.ReadInt64LittleEndian(slot[HeaderBytes..]), BinaryPrimitives.ReadInt64LittleEndian(slot[(HeaderBytes + 8)..]),
            BinaryPrimitives.ReadInt64LittleEndian(slot[(HeaderBytes + 16)..]), slot.Slice(FixedBytes, length).ToArray());
    }
}
