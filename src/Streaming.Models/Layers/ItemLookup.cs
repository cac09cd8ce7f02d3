using Streaming.Core.Items;
using Streaming.Models.Embeddings;
using TorchSharp;

namespace Streaming.Models.Layers;

/// <summary>
/// Vectors of items with side information, shape [2 dim]: the item's own row, then the mean of the rows of its categories, author
/// and tags, so that an item without a row of its own still has a place. Carries them into one dense tensor and the gradients back, as
/// <see cref="TableLookup"/> does for plain rows; number 0 is the padding, all zeros.
/// </summary>
public sealed class ItemLookup
{
    private readonly IItemCatalog _catalog;
    private readonly int _sideMax;
    private readonly KeyNumbers _numbers = new();
    private readonly TableLookup _items;
    private readonly TableLookup _sides;
    private float[] _values = [];
    private float[] _gradients = [];
    private float[] _ownGradients = [];
    private float[] _sideGradients = [];

    // The side rows of item n are _sideNumbers[_starts[n] .. _starts[n + 1]].
    private int[] _starts = new int[64];
    private int[] _sideNumbers = new int[64];
    private int _sideCount;

    /// <param name="items">Rows of items.</param>
    /// <param name="sides">Rows of categories, authors and tags, by their interest keys; as wide.</param>
    /// <param name="optimizer">Of both.</param>
    /// <param name="catalog">Knows the side information.</param>
    /// <param name="sideMax">Side rows of an item at most: categories first, then the author, then tags.</param>
    public ItemLookup(EmbeddingTable items, EmbeddingTable sides, IRowOptimizer optimizer, IItemCatalog catalog, int sideMax)
    {
        if (items.Dim != sides.Dim) throw new ArgumentException($"items have {items.Dim} columns, side information {sides.Dim}");
        (_catalog, _sideMax) = (catalog, sideMax);
        (_items, _sides) = (new TableLookup(items, optimizer), new TableLookup(sides, optimizer));
    }

    /// <summary>U + 1: distinct items of the mini-batch, and the padding.</summary>
    public int Count => _items.Count;

    /// <summary>Columns of an item's vector.</summary>
    public int Columns => 2 * _items.Dim;

    /// <summary>Shape [U + 1, columns], as <see cref="Gather"/> found them.</summary>
    public ReadOnlySpan<float> Values => _values.AsSpan(0, Count * Columns);

    /// <summary>Forgets the mini-batch before.</summary>
    public void Begin()
    {
        _numbers.Clear();
        _items.Begin();
        _sides.Begin();
        _sideCount = 0;
        _starts[0] = _starts[1] = 0;
    }

    /// <summary>The number of an item; 0 for key 0.</summary>
    public int Add(ulong item)
    {
        var number = _numbers.Add(item, out var isNew);
        if (!isNew) return number;
        _items.Add(item);
        if (_starts.Length < number + 2) Array.Resize(ref _starts, _starts.Length * 2);
        if (_catalog.TryGet(item, out var known)) AddSides(known);
        _starts[number + 1] = _sideCount;
        return number;
    }

    private void AddSides(Item item)
    {
        Span<ulong> keys = stackalloc ulong[_sideMax];
        foreach (var key in keys[..SideKeys(item, keys)])
        {
            if (_sideCount == _sideNumbers.Length) Array.Resize(ref _sideNumbers, _sideNumbers.Length * 2);
            _sideNumbers[_sideCount++] = _sides.Add(key);
        }
    }

    /// <summary>Keys of an item's side information, categories first, then the author, then tags, as many as fit; returns how many.</summary>
    public static int SideKeys(Item item, Span<ulong> into)
    {
        var count = 0;
        foreach (var key in item.CategoryKeys)
            if (key != 0 && count < into.Length) into[count++] = key;
        if (item.AuthorKey != 0 && count < into.Length) into[count++] = item.AuthorKey;
        foreach (var key in item.TagKeys)
            if (key != 0 && count < into.Length) into[count++] = key;
        return count;
    }

    private ReadOnlySpan<int> SidesOf(int number) => _sideNumbers.AsSpan(_starts[number], _starts[number + 1] - _starts[number]);

    /// <inheritdoc cref="TableLookup.Gather"/>
    public void Gather(bool learning, long nowMs)
    {
        _items.Gather(learning, nowMs);
        _sides.Gather(learning, nowMs);
        var dim = _items.Dim;
        if (_values.Length < Count * Columns) _values = new float[Math.Max(Count * Columns, 2 * _values.Length)];
        _values.AsSpan(0, Columns).Clear();
        for (var number = 1; number < Count; number++)
        {
            var vector = _values.AsSpan(number * Columns, Columns);
            _items.Values.Slice(number * dim, dim).CopyTo(vector);
            var side = vector[dim..];
            side.Clear();
            var sides = SidesOf(number);
            foreach (var at in sides) VectorMath.AddScaled(side, 1f / sides.Length, _sides.Values.Slice(at * dim, dim));
        }
    }

    /// <summary>A leaf with the vectors, shape [U + 1, columns], in the scope that is open.</summary>
    public torch.Tensor Rows(torch.Device device, bool learning) => TensorMemory.Tensor(Values, [Count, Columns], device, learning);

    /// <summary>One optimiser step on every row behind the vectors, along the gradient that backward() left at the leaf of <see cref="Rows"/>.</summary>
    public void Apply(torch.Tensor rows, long nowMs)
    {
        var gradients = ClearedGradients();
        TensorMemory.ReadGradient(rows, gradients);
        Apply(nowMs);
    }

    /// <summary>Where gradients are added up, shape [U + 1, columns], all zeros now; <see cref="Apply(long)"/> then takes the step.</summary>
    public Span<float> ClearedGradients()
    {
        if (_gradients.Length < Count * Columns) _gradients = new float[Math.Max(Count * Columns, 2 * _gradients.Length)];
        var gradients = _gradients.AsSpan(0, Count * Columns);
        gradients.Clear();
        return gradients;
    }

    /// <summary>One optimiser step on every row behind the vectors, along what was added to <see cref="ClearedGradients"/>.</summary>
    public void Apply(long nowMs)
    {
        var dim = _items.Dim;
        if (_ownGradients.Length < Count * dim) _ownGradients = new float[Math.Max(Count * dim, 2 * _ownGradients.Length)];
        if (_sideGradients.Length < _sides.Count * dim) _sideGradients = new float[Math.Max(_sides.Count * dim, 2 * _sideGradients.Length)];
        var gradients = _gradients.AsSpan(0, Count * Columns);
        var sideGradients = _sideGradients.AsSpan(0, _sides.Count * dim);
        sideGradients.Clear();
        for (var number = 1; number < Count; number++)
        {
            var gradient = gradients.Slice(number * Columns, Columns);
            gradient[..dim].CopyTo(_ownGradients.AsSpan(number * dim, dim));
            var sides = SidesOf(number);
            foreach (var at in sides) VectorMath.AddScaled(sideGradients.Slice(at * dim, dim), 1f / sides.Length, gradient[dim..]);
        }
        _items.Apply(_ownGradients.AsSpan(0, Count * dim), nowMs);
        _sides.Apply(sideGradients, nowMs);
    }
}
