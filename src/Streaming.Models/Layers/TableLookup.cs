using Streaming.Models.Embeddings;
using TorchSharp;

namespace Streaming.Models.Layers;

/// <summary>
/// Carries the rows of an <see cref="EmbeddingTable"/> that a mini-batch names into one dense tensor, and its gradients back: tables live
/// outside autograd. Call <see cref="Begin"/>, <see cref="Add"/> for every key, <see cref="Gather"/>; then compute with
/// <see cref="Rows"/>, indexed by the numbers that Add gave; after backward() call <see cref="Apply(torch.Tensor)"/>. Kept and used again, it
/// allocates nothing but tensors. One thread.
/// </summary>
/// <remarks>
/// Number 0 is the padding: a row of zeros that nothing moves. A key that the table refuses (not yet admitted, or full), and when
/// predicting any key without a row, has zeros too, and its gradient goes nowhere. A key counts once per mini-batch towards its admission.
/// </remarks>
public sealed class TableLookup
{
    private readonly EmbeddingTable _table;
    private readonly IRowOptimizer _optimizer;
    private readonly KeyNumbers _numbers = new();
    private float[] _values = [];
    private float[] _gradients = [];
    private bool[] _has = [];

    public TableLookup(EmbeddingTable table, IRowOptimizer optimizer) => (_table, _optimizer) = (table, optimizer);

    /// <summary>U + 1: distinct keys of the mini-batch, and the padding.</summary>
    public int Count => _numbers.Count;

    public int Dim => _table.Dim;

    /// <summary>Shape [U + 1, dim], as <see cref="Gather"/> found them.</summary>
    public ReadOnlySpan<float> Values => _values.AsSpan(0, Count * Dim);

    /// <summary>Forgets the mini-batch before.</summary>
    public void Begin() => _numbers.Clear();

    /// <summary>The number of a key, which is its row in <see cref="Values"/> and <see cref="Rows"/>; 0 for key 0.</summary>
    public int Add(ulong key) => _numbers.Add(key);

    /// <summary>Reads the rows of all keys that were added.</summary>
    /// <param name="learning">Whether new keys are counted and may get a row; else the table stays as it is.</param>
    /// <param name="nowMs">Event time, for the expiry of rows.</param>
    public void Gather(bool learning, long nowMs)
    {
        var keys = _numbers.Keys;
        var dim = Dim;
        if (_values.Length < keys.Length * dim) _values = new float[Math.Max(keys.Length * dim, 2 * _values.Length)];
        if (_has.Length < keys.Length) _has = new bool[Math.Max(keys.Length, 2 * _has.Length)];
        _values.AsSpan(0, dim).Clear();
        _has[0] = false;
        for (var number = 1; number < keys.Length; number++)
        {
            var into = _values.AsSpan(number * dim, dim);
            if (learning)
            {
                _has[number] = _table.GetOrAdmit(keys[number], nowMs, out var row, out _);
                if (_has[number]) row.CopyTo(into);
                else into.Clear();
            }
            else if (_table.TryGet(keys[number], out var row)) row.CopyTo(into);
            else into.Clear();
        }
    }

    /// <summary>A leaf with the gathered rows, shape [U + 1, dim], in the scope that is open.</summary>
    public torch.Tensor Rows(torch.Device device, bool learning) => TensorMemory.Tensor(Values, [Count, Dim], device, learning);

    /// <summary>One optimiser step on every row, along the gradient that backward() left at the leaf of <see cref="Rows"/>.</summary>
    public void Apply(torch.Tensor rows, long nowMs)
    {
        if (_gradients.Length < Count * Dim) _gradients = new float[Math.Max(Count * Dim, 2 * _gradients.Length)];
        var gradients = _gradients.AsSpan(0, Count * Dim);
        TensorMemory.ReadGradient(rows, gradients);
        Apply(gradients, nowMs);
    }

    /// <summary>The same from gradients of shape [U + 1, dim].</summary>
    public void Apply(ReadOnlySpan<float> gradients, long nowMs)
    {
        var keys = _numbers.Keys;
        var dim = Dim;
        for (var number = 1; number < keys.Length; number++)
            if (_has[number] && _table.GetOrAdmit(keys[number], nowMs, out var row, out var state))
                _optimizer.Step(row, gradients.Slice(number * dim, dim), state);
    }
}
