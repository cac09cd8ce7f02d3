using System.Runtime.InteropServices;
using Streaming.Core.Wire;

namespace Streaming.Models.Embeddings;

/// <summary>
/// What changed in a table since the last look, so that copies of it elsewhere follow by sparse deltas (Liu et al. 2022, "Monolith",
/// section 2.3): values of the rows handed out for writing, and the keys that lost theirs. Optimizer state stays where it is.
/// </summary>
/// <remarks>
/// A block: version byte, columns (32 bits), number of removed keys and of rows (32 bits each), the removed keys, then key and
/// values per row. Removals come before rows: a key in both was removed and came back.
/// </remarks>
public sealed partial class EmbeddingTable
{
    /// <summary>Removed keys remembered at most; beyond, only <see cref="WriteAll"/> tells a copy what to drop.</summary>
    public const int RemovedMax = 1 << 20;

    private const byte DeltaVersion = 1;
    private const int DeltaHeadBytes = 13;

    private readonly List<int> _changedRows = [];
    private readonly List<ulong> _removedKeys = [];
    private ulong[] _changedBits = [];
    private bool _tracks;

    /// <summary>Whether changes are noted. Switched on, it starts with none.</summary>
    public bool TracksChanges
    {
        get => _tracks;
        set
        {
            ForgetChanges();
            _tracks = value;
        }
    }

    /// <summary>Rows noted as changed; one that has expired since counts until it is written.</summary>
    public int ChangedRows => _changedRows.Count;

    /// <summary>Keys noted as removed.</summary>
    public int RemovedKeys => _removedKeys.Count;

    /// <summary>False once more keys were removed than are remembered: a delta would leave rows behind that are gone.</summary>
    public bool IsDeltaComplete { get; private set; } = true;

    /// <summary>Starts noting anew: what stands now counts as known.</summary>
    public void ForgetChanges()
    {
        foreach (var at in _changedRows) _changedBits[at >> 6] = 0;
        _changedRows.Clear();
        _removedKeys.Clear();
        IsDeltaComplete = true;
    }

    /// <summary>
    /// Appends a block of what has changed and forgets what it wrote. Returns whether there is more, for the next block: blocks are applied in the
    /// order in which they were written.
    /// </summary>
    /// <param name="bytesMax">Length of the block at most; at least one row must fit.</param>
    public bool WriteDelta(ByteWriter into, int bytesMax = int.MaxValue)
    {
        var start = BeginBlock(into, bytesMax);
        var removed = Math.Min(_removedKeys.Count, (bytesMax - DeltaHeadBytes) / sizeof(ulong));
        into.Raw(MemoryMarshal.AsBytes(CollectionsMarshal.AsSpan(_removedKeys)[..removed]));
        _removedKeys.RemoveRange(0, removed);
        var rows = 0;
        // Rows go once every removal has: a row of a key that is still to be removed would be lost at the other end.
        while (_removedKeys.Count == 0 && _changedRows.Count > 0 && bytesMax - (into.Length - start) >= RowBytes)
        {
            var at = _changedRows[^1];
            _changedRows.RemoveAt(_changedRows.Count - 1);
            _changedBits[at >> 6] &= ~(1UL << (at & 63));
            if (WriteRow(at, into)) rows++;
        }
        EndBlock(into, start, removed, rows);
        return _removedKeys.Count > 0 || _changedRows.Count > 0;
    }

    /// <summary>
    /// Appends a block of all rows from <paramref name="cursor"/> (0 at first) on and moves it. Returns whether there is more. Changes stay noted, and
    /// the table must not change between the blocks. A copy is <see cref="Clear">cleared</see> before it takes them.
    /// </summary>
    /// <inheritdoc cref="WriteDelta"/>
    public bool WriteAll(ByteWriter into, ref int cursor, int bytesMax = int.MaxValue)
    {
        var start = BeginBlock(into, bytesMax);
        var rows = 0;
        for (; cursor < _rowsUsed && bytesMax - (into.Length - start) >= RowBytes; cursor++)
            if (WriteRow(cursor, into)) rows++;
        EndBlock(into, start, removed: 0, rows);
        return cursor < _rowsUsed;
    }

    /// <summary>Puts a block into this table: rows come and go as it says, whatever admission would say. Nothing is noted as changed.</summary>
    /// <param name="from">At the block's start; then behind it.</param>
    /// <param name="touchedMs">When the rows count as touched last; only a table that <see cref="Sweep">sweeps</see> minds.</param>
    /// <exception cref="FormatException">Cut short, corrupt, of another shape, or from a newer build; the table is unchanged.</exception>
    public void ApplyDelta(ref ByteReader from, long touchedMs = long.MaxValue)
    {
        ReadBlock(ref from, out var removed, out var rows);
        for (var i = 0; i < removed.Length; i += sizeof(ulong)) Remove(MemoryMarshal.Read<ulong>(removed[i..]));
        for (var i = 0; i < rows.Length; i += RowBytes)
        {
            var at = RowOf(MemoryMarshal.Read<ulong>(rows[i..]), touchedMs);
            rows.Slice(i + sizeof(ulong), RowBytes - sizeof(ulong)).CopyTo(MemoryMarshal.AsBytes(Slice(at, 0, _options.Dim)));
        }
    }

    /// <summary>Looks at a block as <see cref="ApplyDelta"/> does and changes nothing. Returns whether all its values are finite.</summary>
    /// <inheritdoc cref="ApplyDelta"/>
    public bool CheckDelta(ref ByteReader from)
    {
        ReadBlock(ref from, out _, out var rows);
        var finite = true;
        for (var i = 0; i < rows.Length && finite; i += RowBytes)
            foreach (var value in MemoryMarshal.Cast<byte, float>(rows.Slice(i + sizeof(ulong), RowBytes - sizeof(ulong))))
                finite &= float.IsFinite(value);
        return finite;
    }

    /// <summary>Removes every row; counts towards admission stay. Nothing is noted as changed.</summary>
    public void Clear()
    {
        ForgetChanges();
        foreach (var page in _pages) Array.Clear(page.Keys);
        Array.Clear(_cellKeys);
        _free.Clear();
        (_rowsUsed, _sweepAt) = (0, 0);
    }

    /// <summary>
    /// Takes over the rows and values of a table of the same shape. A row that both had keeps its optimizer state; one that only the
    /// other had starts with none. Nothing is noted as changed.
    /// </summary>
    /// <param name="touchedMs">When rows that only the other had count as touched last.</param>
    public void TakeValues(EmbeddingTable other, long touchedMs = long.MaxValue)
    {
        if (other._options.Dim != _options.Dim) throw new ArgumentException($"a row has {_options.Dim} columns, the other table's {other._options.Dim}");
        ForgetChanges();
        for (var at = 0; at < _rowsUsed; at++)
            if (_pages[at / PageRows].Keys[at % PageRows] is var key and not 0 && other.Find(key) < 0) Remove(key);
        // In order of keys: where new rows come to lie does not depend on how the other table came by its own.
        foreach (var key in other.Keys.Order())
        {
            var at = Find(key);
            if (at < 0) at = RowOf(key, touchedMs);
            other.Slice(other.Find(key), 0, _options.Dim).CopyTo(Slice(at, 0, _options.Dim));
        }
    }

    /// <summary>Notes as changed what a copy of this table, which stands as this one once did, does not hold as this one does now.</summary>
    public void NoteDifferences(EmbeddingTable copy)
    {
        for (var at = 0; at < _rowsUsed; at++)
        {
            if (_pages[at / PageRows].Keys[at % PageRows] is not (var key and not 0)) continue;
            var there = copy.Find(key);
            // Bit by bit, so that a value which is no number differs from itself no more than any other.
            if (there < 0 || !MemoryMarshal.AsBytes(Slice(at, 0, _options.Dim)).SequenceEqual(MemoryMarshal.AsBytes(copy.Slice(there, 0, _options.Dim))))
                NoteChanged(at);
        }
        foreach (var key in copy.Keys)
            if (Find(key) < 0) NoteRemoved(key);
    }

    private int RowBytes => sizeof(ulong) + _options.Dim * sizeof(float);

    private int BeginBlock(ByteWriter into, int bytesMax)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(bytesMax, DeltaHeadBytes + RowBytes);
        var start = into.Length;
        into.Byte(DeltaVersion);
        into.UInt32((uint)_options.Dim);
        into.UInt64(0);
        return start;
    }

    private static void EndBlock(ByteWriter into, int start, int removed, int rows)
    {
        var counts = into.Written(start + 5, 8);
        System.Buffers.Binary.BinaryPrimitives.WriteInt32LittleEndian(counts, removed);
        System.Buffers.Binary.BinaryPrimitives.WriteInt32LittleEndian(counts[4..], rows);
    }

    private bool WriteRow(int at, ByteWriter into)
    {
        if (_pages[at / PageRows].Keys[at % PageRows] is not (var key and not 0)) return false;
        into.UInt64(key);
        into.Raw(MemoryMarshal.AsBytes(Slice(at, 0, _options.Dim)));
        return true;
    }

    /// <summary>Reads and checks a block: the removed keys, 8 bytes each, and the rows, <see cref="RowBytes"/> each.</summary>
    private void ReadBlock(ref ByteReader from, out ReadOnlySpan<byte> removed, out ReadOnlySpan<byte> rows)
    {
        from.Version(DeltaVersion, "a delta of an embedding table");
        var dim = from.UInt32();
        if (dim != _options.Dim) throw new FormatException($"a delta has rows of {dim} columns; the table's have {_options.Dim}");
        var (removals, changes) = (from.UInt32(), from.UInt32());
        if ((long)removals * sizeof(ulong) + (long)changes * RowBytes > from.Remaining)
            throw new FormatException($"a delta of {removals} removals and {changes} rows does not fit the {from.Remaining} bytes that are left");
        removed = from.Raw((int)removals * sizeof(ulong));
        rows = from.Raw((int)changes * RowBytes);
        for (var i = 0; i < rows.Length; i += RowBytes)
            if (MemoryMarshal.Read<ulong>(rows[i..]) == 0) throw new FormatException("a delta has a row for key 0, which stands for none");
    }

    /// <summary>
    /// The row of a key, made where there is none. Rows made here are not held to the bound of admission: the table that the values come
    /// from keeps it.
    /// </summary>
    private int RowOf(ulong key, long touchedMs)
    {
        var at = Find(key);
        if (at < 0)
        {
            at = NewRow(key);
            Slice(at, _options.Dim, _options.StateSize).Clear();
            _pages[at / PageRows].TouchedMs[at % PageRows] = touchedMs;
        }
        return at;
    }

    private void Remove(ulong key)
    {
        var at = Find(key);
        if (at >= 0) RemoveRow(key, at);
    }

    private void NoteChanged(int at)
    {
        if (at >> 6 >= _changedBits.Length) Array.Resize(ref _changedBits, Math.Max((at >> 6) + 1, _changedBits.Length * 2));
        ref var word = ref _changedBits[at >> 6];
        var bit = 1UL << (at & 63);
        if ((word & bit) != 0) return;
        word |= bit;
        _changedRows.Add(at);
    }

    private void NoteRemoved(ulong key)
    {
        if (_removedKeys.Count < RemovedMax) _removedKeys.Add(key);
        else IsDeltaComplete = false;
    }
}
