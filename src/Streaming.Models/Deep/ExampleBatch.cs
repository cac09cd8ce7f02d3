using Streaming.Core.Examples;

namespace Streaming.Models.Deep;

/// <summary>
/// A mini-batch in columns, B rows: what every deep model trains on and predicts from. A key of 0 stands for nothing. Rows are
/// added one by one; the arrays are kept and grow, so a batch that is cleared and filled again allocates nothing. One thread.
/// </summary>
public sealed class ExampleBatch
{
    /// <summary>Dense values are kept within this much of 0, so that a figure that runs away takes no model with it.</summary>
    private const float DenseMax = 8f;

    private readonly int _historyMax;
    private readonly uint[] _denseFeatures;
    private Example?[] _sources = [];
    private ulong[] _users = [];
    private ulong[] _items = [];
    private float[] _labels = [];
    private float[] _weights = [];
    private long[] _shownMs = [];
    private ulong[] _surfaces = [];
    private int[] _positions = [];
    private int[] _inSession = [];
    private ulong[] _histories = [];
    private float[] _dense = [];

    /// <param name="historyMax">L: past items of a row at most; the newest are kept.</param>
    /// <param name="denseFeatures">Hashes by which examples' features hold the D dense values of a row; none unless given.</param>
    public ExampleBatch(int historyMax, params uint[] denseFeatures)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(historyMax);
        (_historyMax, _denseFeatures) = (historyMax, denseFeatures);
    }

    /// <summary>B.</summary>
    public int Count { get; private set; }

    /// <summary>L.</summary>
    public int HistoryMax => _historyMax;

    /// <summary>Shape [B], keys of the users.</summary>
    public ReadOnlySpan<ulong> Users => _users.AsSpan(0, Count);

    /// <summary>Shape [B], keys of the target items.</summary>
    public ReadOnlySpan<ulong> Items => _items.AsSpan(0, Count);

    /// <summary>Shape [B], 1 or 0; 0 where a row is there to be predicted only.</summary>
    public ReadOnlySpan<float> Labels => _labels.AsSpan(0, Count);

    /// <summary>Shape [B], weight of a row's loss: 1 over the rate at which rows like it were kept.</summary>
    public ReadOnlySpan<float> Weights => _weights.AsSpan(0, Count);

    /// <summary>Shape [B], event time of the showing, Unix ms.</summary>
    public ReadOnlySpan<long> ShownMs => _shownMs.AsSpan(0, Count);

    /// <summary>Event time of the newest showing, Unix ms; the least there is without rows.</summary>
    public long NewestMs
    {
        get
        {
            var newest = long.MinValue;
            foreach (var shownMs in ShownMs) newest = Math.Max(newest, shownMs);
            return newest;
        }
    }

    /// <summary>Shape [B], keys of the surfaces.</summary>
    public ReadOnlySpan<ulong> Surfaces => _surfaces.AsSpan(0, Count);

    /// <summary>Shape [B], zero-based positions in the list; -1 unknown.</summary>
    public ReadOnlySpan<int> Positions => _positions.AsSpan(0, Count);

    /// <summary>Shape [B, L] row-major, past positive items newest first, then 0.</summary>
    public ReadOnlySpan<ulong> Histories => _histories.AsSpan(0, Count * _historyMax);

    /// <summary>Shape [B], how many of a row's past items, from its start, belong to the open session.</summary>
    public ReadOnlySpan<int> InSession => _inSession.AsSpan(0, Count);

    /// <summary>D.</summary>
    public int DenseColumns => _denseFeatures.Length;

    /// <summary>Shape [B, D] row-major, real values of about unit scale; 0 where nothing is known.</summary>
    public ReadOnlySpan<float> Dense => _dense.AsSpan(0, Count * DenseColumns);

    /// <summary>Shape [D], those of one row.</summary>
    public ReadOnlySpan<float> DenseRow(int row) => Dense.Slice(row * DenseColumns, DenseColumns);

    /// <summary>Past items of one row, newest first, without the padding.</summary>
    public ReadOnlySpan<ulong> History(int row)
    {
        var whole = Histories.Slice(row * _historyMax, _historyMax);
        var end = whole.IndexOf(0UL);
        return end < 0 ? whole : whole[..end];
    }

    /// <summary>The joined example of a row, for models that read more of it than the columns; null where there is none.</summary>
    public Example? Source(int row) => _sources[row];

    public void Clear()
    {
        Array.Clear(_sources, 0, Count);
        Count = 0;
    }

    /// <summary>Adds a joined example.</summary>
    public void Add(Example example)
    {
        Add(
            Core.Ids.StableHash.Of(example.User), example.ItemKey, example.History, example.HistoryInSession, example.ShownMs,
            Core.Ids.StableHash.Of(example.Surface), example.Position, example.Label, 1f / example.SampleRate);
        _sources[Count - 1] = example;
        var dense = _dense.AsSpan((Count - 1) * DenseColumns, DenseColumns);
        for (var i = 0; i < dense.Length; i++)
            if (example.Features.AsSpan().IndexOf(_denseFeatures[i]) is >= 0 and var at) dense[i] = Bounded(example.Values[at]);
    }

    /// <summary>A dense value as models read it.</summary>
    public static float Bounded(float value) => float.IsFinite(value) ? Math.Clamp(value, -DenseMax, DenseMax) : 0f;

    /// <summary>Adds a row: <paramref name="history"/> newest first; <paramref name="dense"/> of shape [D], or nothing for zeros.</summary>
    public void Add(
        ulong user, ulong item, ReadOnlySpan<ulong> history, int inSession, long shownMs, ulong surface, int position = -1, float label = 0,
        float weight = 1, ReadOnlySpan<float> dense = default)
    {
        if (dense.Length != 0 && dense.Length != DenseColumns) throw new ArgumentException($"{dense.Length} dense values for {DenseColumns} columns");
        if (Count == _users.Length) Grow();
        var kept = history[..Math.Min(history.Length, _historyMax)];
        var row = _histories.AsSpan(Count * _historyMax, _historyMax);
        kept.CopyTo(row);
        row[kept.Length..].Clear();
        var values = _dense.AsSpan(Count * DenseColumns, DenseColumns);
        values.Clear();
        for (var i = 0; i < dense.Length; i++) values[i] = Bounded(dense[i]);
        (_users[Count], _items[Count], _labels[Count], _weights[Count]) = (user, item, label, weight);
        (_shownMs[Count], _surfaces[Count], _positions[Count]) = (shownMs, surface, position);
        _inSession[Count++] = Math.Min(inSession, kept.Length);
    }

    private void Grow()
    {
        var size = Math.Max(16, _users.Length * 2);
        Array.Resize(ref _sources, size);
        Array.Resize(ref _users, size);
        Array.Resize(ref _items, size);
        Array.Resize(ref _labels, size);
        Array.Resize(ref _weights, size);
        Array.Resize(ref _shownMs, size);
        Array.Resize(ref _surfaces, size);
        Array.Resize(ref _positions, size);
        Array.Resize(ref _inSession, size);
        Array.Resize(ref _histories, size * _historyMax);
        Array.Resize(ref _dense, size * DenseColumns);
    }
}
