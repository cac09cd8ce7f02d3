using Streaming.Core.Ids;
using Streaming.Core.Wire;

namespace Streaming.Models.Embeddings;

/// <summary>Shape and bounds of an <see cref="EmbeddingTable"/>.</summary>
/// <param name="Dim">Columns of a row.</param>
/// <param name="StateSize">Floats of optimizer state beside a row, at first 0.</param>
/// <param name="AdmitCount">Occurrences after which a key gets a row; 1 admits at once.</param>
/// <param name="PendingMax">Keys counted towards admission at once; rounded up to a power of two.</param>
/// <param name="RowsMax">Rows at most; when all are taken, new keys are refused until old ones expire.</param>
/// <param name="InitScale">New rows are uniform in [-InitScale, InitScale).</param>
/// <param name="Seed">Of the initial values.</param>
public sealed record EmbeddingTableOptions(
    int Dim, int StateSize = 1, int AdmitCount = 1, int PendingMax = 65_536, int RowsMax = 10_000_000, float InitScale = 0.1f, ulong Seed = 1);

/// <summary>
/// A collisionless embedding table (Monolith, Liu et al. 2022): every key has its own row, kept by open addressing over pages
/// of flat arrays. A key is admitted after n occurrences and expires by age. The first values of a row follow from the key and
/// the seed alone, so they do not depend on the order in which keys arrive. One writer; readers only while nobody writes.
/// </summary>
public sealed partial class EmbeddingTable
{
    private const byte FormatVersion = 1;
    private const int PageRows = 1024;
    private const ulong PendingSalt = 0x5851F42D4C957F2DUL;

    private readonly EmbeddingTableOptions _options;
    private readonly int _stride;

    // The index: key 0 marks an empty cell. Deletion shifts back, so there are no tombstones.
    private ulong[] _cellKeys = new ulong[2048];
    private int[] _cellRows = new int[2048];

    private readonly List<Page> _pages = [];
    private readonly Stack<int> _free = new();
    private int _rowsUsed;
    private int _sweepAt;

    private ulong[] _pendingKeys;
    private ushort[] _pendingCounts;

    private sealed class Page(int stride)
    {
        public readonly float[] Values = new float[PageRows * stride];
        public readonly ulong[] Keys = new ulong[PageRows];
        public readonly long[] TouchedMs = new long[PageRows];
    }

    public EmbeddingTable(EmbeddingTableOptions options)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Dim, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.StateSize, 0);
        ArgumentOutOfRangeException.ThrowIfNotEqual(options.AdmitCount is >= 1 and <= ushort.MaxValue, true);
        ArgumentOutOfRangeException.ThrowIfNotEqual(options.RowsMax is >= 1 and <= 1 << 28, true);
        _options = options;
        _stride = options.Dim + options.StateSize;
        var pending = options.AdmitCount == 1 ? 1 : (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)options.PendingMax);
        _pendingKeys = new ulong[pending];
        _pendingCounts = new ushort[pending];
    }

    public int Dim => _options.Dim;

    /// <summary>Live rows.</summary>
    public int Count => _rowsUsed - _free.Count;

    /// <summary>The row of a key, shape [dim]; false when it has none.</summary>
    public bool TryGet(ulong key, out ReadOnlySpan<float> row)
    {
        var at = Find(key);
        if (at < 0)
        {
            row = default;
            return false;
        }
        row = Slice(at, 0, _options.Dim);
        return true;
    }

    /// <summary>
    /// The row, shape [dim], and optimizer state of a key, for writing; counts the occurrence and admits the key when it has
    /// come often enough. False while it has no row.
    /// </summary>
    public bool GetOrAdmit(ulong key, long nowMs, out Span<float> row, out Span<float> state)
    {
        ArgumentOutOfRangeException.ThrowIfZero(key);
        var at = Find(key);
        if (at < 0) at = Admit(key);
        if (at < 0)
        {
            row = default;
            state = default;
            return false;
        }
        ref var touched = ref _pages[at / PageRows].TouchedMs[at % PageRows];
        if (nowMs > touched) touched = nowMs;
        if (_tracks) NoteChanged(at);
        row = Slice(at, 0, _options.Dim);
        state = Slice(at, _options.Dim, _options.StateSize);
        return true;
    }

    /// <summary>
    /// Looks at the next <paramref name="rowsMax"/> rows, round and round, and removes those last touched before
    /// <paramref name="olderThanMs"/>. Returns how many went.
    /// </summary>
    public int Sweep(long olderThanMs, int rowsMax)
    {
        var removed = 0;
        for (var i = Math.Min(rowsMax, _rowsUsed); i > 0; i--)
        {
            if (_sweepAt >= _rowsUsed) _sweepAt = 0;
            var at = _sweepAt++;
            var page = _pages[at / PageRows];
            var key = page.Keys[at % PageRows];
            if (key == 0 || page.TouchedMs[at % PageRows] >= olderThanMs) continue;
            RemoveRow(key, at);
            if (_tracks) NoteRemoved(key);
            removed++;
        }
        return removed;
    }

    /// <summary>Removes a key's row, and what counts towards one; a copy learns of it from the next delta. False when it has none.</summary>
    public bool Forget(ulong key)
    {
        if (_options.AdmitCount > 1)
        {
            var cell = StableHash.Finalise(key ^ PendingSalt) & (ulong)(_pendingKeys.Length - 1);
            if (_pendingKeys[cell] == key) (_pendingKeys[cell], _pendingCounts[cell]) = (0, 0);
        }
        if (Find(key) is var at && at < 0) return false;
        RemoveRow(key, at);
        if (_tracks) NoteRemoved(key);
        return true;
    }

    /// <summary>The keys that have a row, in an order that depends on history alone.</summary>
    public IEnumerable<ulong> Keys
    {
        get
        {
            for (var i = 0; i < _rowsUsed; i++)
                if (_pages[i / PageRows].Keys[i % PageRows] is var key and not 0) yield return key;
        }
    }

    private Span<float> Slice(int at, int from, int length) =>
        _pages[at / PageRows].Values.AsSpan(at % PageRows * _stride + from, length);

    private int Find(ulong key)
    {
        var mask = _cellKeys.Length - 1;
        for (var cell = (int)StableHash.Finalise(key) & mask; ; cell = (cell + 1) & mask)
        {
            var found = _cellKeys[cell];
            if (found == key && key != 0) return _cellRows[cell];
            if (found == 0) return -1;
        }
    }

    private int Admit(ulong key)
    {
        if (Count >= _options.RowsMax || !CameOftenEnough(key)) return -1;
        var at = NewRow(key);
        var row = Slice(at, 0, _stride);
        row.Clear();
        for (var i = 0; i < _options.Dim; i++)
        {
            var draw = StableHash.Unit(StableHash.Finalise(StableHash.Finalise(key ^ _options.Seed) + (ulong)i * 0x9E3779B97F4A7C15UL));
            row[i] = (float)(2 * draw - 1) * _options.InitScale;
        }
        return at;
    }

    /// <summary>A row of its own for a key that has none; what stands in it is of no meaning yet.</summary>
    private int NewRow(ulong key)
    {
        if (!_free.TryPop(out var at)) at = _rowsUsed++;
        if (at / PageRows == _pages.Count) _pages.Add(new Page(_stride));
        var page = _pages[at / PageRows];
        page.Keys[at % PageRows] = key;
        page.TouchedMs[at % PageRows] = long.MinValue;
        InsertCell(key, at);
        return at;
    }

    private void RemoveRow(ulong key, int at)
    {
        _pages[at / PageRows].Keys[at % PageRows] = 0;
        RemoveCell(key);
        _free.Push(at);
    }

    /// <summary>
    /// Counts in a direct-mapped table: a different key in the cell loses one count, and the cell when that was its last
    /// (Misra-Gries per cell), so that rare keys cannot hold a place for ever.
    /// </summary>
    private bool CameOftenEnough(ulong key)
    {
        if (_options.AdmitCount == 1) return true;
        var cell = StableHash.Finalise(key ^ PendingSalt) & (ulong)(_pendingKeys.Length - 1);
        ref var count = ref _pendingCounts[cell];
        if (_pendingKeys[cell] == key)
        {
            if (++count < _options.AdmitCount) return false;
            _pendingKeys[cell] = 0;
            count = 0;
            return true;
        }
        if (count > 1)
        {
            count--;
            return false;
        }
        _pendingKeys[cell] = key;
        count = 1;
        return false;
    }

    private void InsertCell(ulong key, int row)
    {
        if ((Count + 1) * 2 > _cellKeys.Length) GrowIndex();
        PlaceCell(key, row);
    }

    private void PlaceCell(ulong key, int row)
    {
        var mask = _cellKeys.Length - 1;
        var cell = (int)StableHash.Finalise(key) & mask;
        while (_cellKeys[cell] != 0) cell = (cell + 1) & mask;
        _cellKeys[cell] = key;
        _cellRows[cell] = row;
    }

    private void GrowIndex()
    {
        var (keys, rows) = (_cellKeys, _cellRows);
        _cellKeys = new ulong[keys.Length * 2];
        _cellRows = new int[keys.Length * 2];
        for (var i = 0; i < keys.Length; i++)
            if (keys[i] != 0) PlaceCell(keys[i], rows[i]);
    }

    private void RemoveCell(ulong key)
    {
        var mask = _cellKeys.Length - 1;
        var hole = (int)StableHash.Finalise(key) & mask;
        while (_cellKeys[hole] != key) hole = (hole + 1) & mask;
        for (var cell = (hole + 1) & mask; _cellKeys[cell] != 0; cell = (cell + 1) & mask)
        {
            // An entry may move back into the hole unless its home lies after the hole.
            var home = (int)StableHash.Finalise(_cellKeys[cell]) & mask;
            if (((cell - home) & mask) < ((cell - hole) & mask)) continue;
            _cellKeys[hole] = _cellKeys[cell];
            _cellRows[hole] = _cellRows[cell];
            hole = cell;
        }
        _cellKeys[hole] = 0;
    }

    public void Save(Stream into)
    {
        var writer = new CheckpointWriter(into, FormatVersion);
        writer.Int32(_options.Dim);
        writer.Int32(_options.StateSize);
        writer.Int32(_pendingKeys.Length);
        writer.Int32(_rowsUsed);
        writer.Int32(_sweepAt);
        for (var i = 0; i < _pages.Count; i++)
        {
            var rows = Math.Min(PageRows, _rowsUsed - i * PageRows);
            writer.Values<ulong>(_pages[i].Keys.AsSpan(0, rows));
            writer.Values<long>(_pages[i].TouchedMs.AsSpan(0, rows));
            writer.Values<float>(_pages[i].Values.AsSpan(0, rows * _stride));
        }
        // A stack enumerates from its top; reversed, pushing restores it.
        var free = _free.Reverse().ToArray();
        writer.Int32(free.Length);
        writer.Values<int>(free);
        writer.Values<ulong>(_pendingKeys);
        writer.Values<ushort>(_pendingCounts);
        writer.Finish();
    }

    /// <exception cref="InvalidDataException">Torn, corrupt, of another shape, or from a newer build; the table is unchanged.</exception>
    public void Load(Stream from)
    {
        var reader = new CheckpointReader(from, FormatVersion, "embedding table");
        reader.Expect(_options.Dim, "dimension");
        reader.Expect(_options.StateSize, "state size");
        reader.Expect(_pendingKeys.Length, "pending cells");
        var rowsUsed = reader.Count(_options.RowsMax);
        var sweepAt = reader.Count(rowsUsed);
        var pages = new List<Page>();
        for (var left = rowsUsed; left > 0; left -= PageRows)
        {
            var page = new Page(_stride);
            var rows = Math.Min(PageRows, left);
            reader.Values(page.Keys.AsSpan(0, rows));
            reader.Values(page.TouchedMs.AsSpan(0, rows));
            reader.Values(page.Values.AsSpan(0, rows * _stride));
            pages.Add(page);
        }
        var free = new int[reader.Count(rowsUsed)];
        reader.Values(free.AsSpan());
        var pendingKeys = new ulong[_pendingKeys.Length];
        var pendingCounts = new ushort[_pendingCounts.Length];
        reader.Values(pendingKeys.AsSpan());
        reader.Values(pendingCounts.AsSpan());
        reader.Finish();
        ForgetChanges();
        (_rowsUsed, _sweepAt, _pendingKeys, _pendingCounts) = (rowsUsed, sweepAt, pendingKeys, pendingCounts);
        _pages.Clear();
        _pages.AddRange(pages);
        _free.Clear();
        foreach (var at in free) _free.Push(at);
        RebuildIndex();
    }

    private void RebuildIndex()
    {
        var cells = Math.Max(2048, System.Numerics.BitOperations.RoundUpToPowerOf2((uint)(Count + 2) * 2));
        _cellKeys = new ulong[cells];
        _cellRows = new int[cells];
        for (var i = 0; i < _rowsUsed; i++)
            if (_pages[i / PageRows].Keys[i % PageRows] is var key and not 0) PlaceCell(key, i);
    }
}
