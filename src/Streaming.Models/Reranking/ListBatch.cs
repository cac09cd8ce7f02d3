namespace Streaming.Models.Reranking;

/// <summary>
/// Ranked lists side by side, B of them, padded to the longest, n: what a re-ranker learns from and orders anew. Lists are added one by one; the arrays are
/// kept and grow, so a batch that is cleared and filled again allocates nothing. One thread.
/// </summary>
/// <param name="columns">C: features of an item.</param>
public sealed class ListBatch(int columns)
{
    private readonly List<int> _lengths = [];
    private float[] _given = [], _givenLabels = [], _features = [], _labels = [], _mask = [];
    private int _items;

    /// <summary>C.</summary>
    public int Columns => columns;

    /// <summary>B.</summary>
    public int Count => _lengths.Count;

    /// <summary>n: items of the longest list; 1 at least.</summary>
    public int Longest { get; private set; } = 1;

    /// <summary>Items of a list.</summary>
    public int Length(int list) => _lengths[list];

    public void Clear()
    {
        _lengths.Clear();
        (_items, Longest) = (0, 1);
    }

    /// <summary>Adds a list.</summary>
    /// <param name="features">Shape [items, C] row-major, in the order of the ranker before.</param>
    /// <param name="labels">Shape [items], or nothing for zeros.</param>
    public void Add(ReadOnlySpan<float> features, ReadOnlySpan<float> labels = default)
    {
        var items = features.Length / columns;
        if (items == 0 || items * columns != features.Length) throw new ArgumentException($"{features.Length} features are no list of items with {columns}");
        if (labels.Length != 0 && labels.Length != items) throw new ArgumentException($"{labels.Length} labels for {items} items");
        Reserve(ref _given, (_items + items) * columns);
        Reserve(ref _givenLabels, _items + items);
        features.CopyTo(_given.AsSpan(_items * columns));
        var own = _givenLabels.AsSpan(_items, items);
        own.Clear();
        labels.CopyTo(own);
        _lengths.Add(items);
        (_items, Longest) = (_items + items, Math.Max(Longest, items));
    }

    /// <summary>Shape [B, n, C]; zeros behind a list's end.</summary>
    public ReadOnlySpan<float> Features => Padded(_given, columns, ref _features);

    /// <summary>Shape [B, n]; zeros behind a list's end.</summary>
    public ReadOnlySpan<float> Labels => Padded(_givenLabels, 1, ref _labels);

    /// <summary>Shape [B, n]: 1 where there is an item.</summary>
    public ReadOnlySpan<float> Mask
    {
        get
        {
            var mask = Cleared(ref _mask, Count * Longest);
            for (var list = 0; list < Count; list++) mask.Slice(list * Longest, _lengths[list]).Fill(1f);
            return mask;
        }
    }

    private ReadOnlySpan<float> Padded(float[] given, int wide, ref float[] into)
    {
        var padded = Cleared(ref into, Count * Longest * wide);
        for (int list = 0, at = 0; list < Count; at += _lengths[list++] * wide)
            given.AsSpan(at, _lengths[list] * wide).CopyTo(padded[(list * Longest * wide)..]);
        return padded;
    }

    private static Span<float> Cleared(ref float[] buffer, int length)
    {
        Reserve(ref buffer, length);
        buffer.AsSpan(0, length).Clear();
        return buffer.AsSpan(0, length);
    }

    private static void Reserve(ref float[] buffer, int length)
    {
        if (buffer.Length < length) Array.Resize(ref buffer, Math.Max(length, 2 * buffer.Length));
    }
}
