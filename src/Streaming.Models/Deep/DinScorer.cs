using System.Numerics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Streaming.Core.Items;
using Streaming.Models.Embeddings;
using Streaming.Models.Layers;

namespace Streaming.Models.Deep;

/// <summary>
/// Scores many candidates of one user with a <see cref="Din"/>, in plain arrays: the user's side is computed once and shared by the
/// candidates, and libtorch need not be there. Probabilities equal <see cref="Din.Predict"/>'s but for rounding (1e-5). Weights are read, not
/// written: several scorers, one per thread, share a model while nobody writes to it. After the model has changed call <see cref="Refresh"/>.
/// Allocates nothing. Every sum runs in a fixed order without fused steps, so that results are bit-equal on every machine.
/// </summary>
public sealed class DinScorer
{
    private readonly Din _model;
    private readonly DinOptions _options;
    private readonly IItemCatalog _catalog;
    private readonly int _columns;

    // The unit: (W1 + W3), (W2 - W3), W4 by input column, shape [D, H] each.
    private readonly float[] _ofHistory, _ofTarget, _ofProduct;

    // The MLP's linear layers by input column, shape [in, out] each, and its Dice layers as scale, shift, alpha.
    private readonly float[][] _layers;
    private readonly float[] _firstBias;
    private readonly (float[] Scale, float[] Shift, float[] Alpha)[] _dice;

    // Working memory.
    private readonly float[] _history, _historyPart, _targetPart, _hidden, _product, _input, _shared;
    private readonly float[][] _activations;

    /// <param name="model">Whose weights it reads.</param>
    public DinScorer(Din model)
    {
        (_model, _options, _catalog) = (model, model.Options, model.Catalog);
        _columns = 2 * _options.Dim;
        var unit = _options.UnitColumns;
        (_ofHistory, _ofTarget, _ofProduct) = (new float[_columns * unit], new float[_columns * unit], new float[_columns * unit]);
        var linears = Linears().ToArray();
        _firstBias = linears[0].Bias.Values;
        _layers = [.. linears.Select(l => new float[l.Weight.Length])];
        _activations = [.. linears.Select(l => new float[l.Bias.Length])];
        _dice = [.. _options.HiddenColumns.Select(n => (new float[n], new float[n], new float[n]))];
        (_history, _historyPart) = (new float[_options.HistoryMax * _columns], new float[_options.HistoryMax * unit]);
        (_targetPart, _hidden, _product) = (new float[unit], new float[unit], new float[_columns * unit]);
        (_input, _shared) = (new float[Din.Columns(_options)], new float[_options.HiddenColumns[0]]);
        Refresh();
    }

    private IEnumerable<Linear> Linears() => _model.Network.Layers.OfType<Linear>();

    /// <summary>Takes over the dense weights as they now stand; rows of tables are always read from the model itself.</summary>
    public void Refresh()
    {
        var (unit, weight) = (_options.UnitColumns, _model.Unit.Hidden.Weight.Values);
        for (var h = 0; h < unit; h++)
        for (var i = 0; i < _columns; i++)
        {
            float Block(int block) => weight[h * 4 * _columns + block * _columns + i];
            _ofHistory[i * unit + h] = Block(0) + Block(2);
            _ofTarget[i * unit + h] = Block(1) - Block(2);
            _ofProduct[i * unit + h] = Block(3);
        }
        var at = 0;
        foreach (var linear in Linears()) Transpose(linear, _layers[at++]);
        at = 0;
        foreach (var dice in _model.Network.Layers.OfType<Dice>())
        {
            dice.Affine(_dice[at].Scale, _dice[at].Shift);
            dice.Alpha.Values.CopyTo(_dice[at++].Alpha, 0);
        }
    }

    private static void Transpose(Linear linear, float[] into)
    {
        var (rows, columns) = ((int)linear.Weight.Shape[0], (int)linear.Weight.Shape[1]);
        for (var r = 0; r < rows; r++)
        for (var c = 0; c < columns; c++) into[c * rows + r] = linear.Weight.Values[r * columns + c];
    }

    /// <summary>Fills <paramref name="scores"/>[i] with the probability that the user likes <paramref name="items"/>[i].</summary>
    /// <param name="user">Key of the user.</param>
    /// <param name="history">Past positive items, newest first.</param>
    /// <param name="inSession">How many of them, from the start, belong to the open session.</param>
    /// <param name="surface">Key of the surface.</param>
    /// <param name="nowMs">Event time, Unix ms.</param>
    /// <param name="items">Keys of the candidates.</param>
    /// <param name="dense">Shape [items, dense columns] row-major, as <see cref="ExampleBatch.Bounded"/> makes them.</param>
    /// <param name="scores">As long as the items.</param>
    public void Score(
        ulong user, ReadOnlySpan<ulong> history, int inSession, ulong surface, long nowMs, ReadOnlySpan<ulong> items, ReadOnlySpan<float> dense,
        Span<float> scores)
    {
        if (dense.Length != items.Length * _options.DenseColumns) throw new ArgumentException($"{dense.Length} dense values for {items.Length} items of {_options.DenseColumns}");
        if (scores.Length != items.Length) throw new ArgumentException($"{items.Length} items, and a place for {scores.Length}");
        history = history[..Math.Min(history.Length, _options.HistoryMax)];
        BeginUser(user, history, surface, nowMs);
        for (var i = 0; i < items.Length; i++)
        {
            var target = TargetPart;
            ItemInput(items[i], target);
            Attend(target, history, inSession);
            scores[i] = VectorMath.Sigmoid(Logit(dense.Slice(i * _options.DenseColumns, _options.DenseColumns)) + _model.PositionMean);
        }
    }

    private int UserColumns => _options.UserRows ? _options.Dim : 0;

    private Span<float> TargetPart => _input.AsSpan(UserColumns, _columns);

    /// <summary>What all candidates share: the past items, their part of the unit, and the user's and context's part of the first layer.</summary>
    private void BeginUser(ulong user, ReadOnlySpan<ulong> history, ulong surface, long nowMs)
    {
        var (dim, unit) = (_options.Dim, _options.UnitColumns);
        for (var j = 0; j < history.Length; j++)
        {
            var vector = _history.AsSpan(j * _columns, _columns);
            ItemInput(history[j], vector);
            var part = _historyPart.AsSpan(j * unit, unit);
            part.Clear();
            AddProduct(part, vector, _ofHistory);
        }
        Row(2, user, _input.AsSpan(0, UserColumns));
        var contextAt = UserColumns + 3 * _columns;
        var context = _input.AsSpan(contextAt, 2 * dim);
        Row(3, Din.SurfaceKey(surface), context[..dim]);
        Row(3, Din.HourKey(nowMs), context[dim..]);
        _firstBias.CopyTo(_shared, 0);
        AddProduct(_shared, _input.AsSpan(0, UserColumns), _layers[0]);
        AddProduct(_shared, context, _layers[0].AsSpan(contextAt * _shared.Length));
    }

    private void Row(int table, ulong key, Span<float> into)
    {
        if (into.Length > 0 && _model.Weights.Tables[table].Table.TryGet(key, out var row)) row.CopyTo(into);
        else into.Clear();
    }

    /// <summary>As <see cref="ItemLookup"/> makes it: the item's own row, then the mean of its side rows, zeros for what has no row.</summary>
    private void ItemInput(ulong key, Span<float> into)
    {
        into.Clear();
        Row(0, key, into[.._options.Dim]);
        if (!_catalog.TryGet(key, out var item)) return;
        Span<ulong> sides = stackalloc ulong[_options.SideKeysMax];
        var count = ItemLookup.SideKeys(item, sides);
        foreach (var side in sides[..count])
            if (_model.Weights.Tables[1].Table.TryGet(side, out var row)) VectorMath.AddScaled(into[_options.Dim..], 1f / count, row);
    }

    /// <summary>The activation unit: fills the session's and the older items' part of the input.</summary>
    private void Attend(ReadOnlySpan<float> target, ReadOnlySpan<ulong> history, int inSession)
    {
        var unit = _options.UnitColumns;
        var interests = _input.AsSpan(UserColumns + _columns, 2 * _columns);
        interests.Clear();
        if (history.IsEmpty) return;
        _model.Unit.Hidden.Bias.Values.CopyTo(_targetPart, 0);
        AddProduct(_targetPart, target, _ofTarget);
        // W4 (h * t) is (W4 with its columns scaled by t) h.
        for (var i = 0; i < _columns; i++) Scale(_product.AsSpan(i * unit, unit), target[i], _ofProduct.AsSpan(i * unit, unit));
        var (slope, weights, bias) = (_model.Unit.Act.Slope.Values, _model.Unit.Out.Weight.Values, _model.Unit.Out.Bias.Values[0]);
        for (var j = 0; j < history.Length; j++)
        {
            // Key 0 pads; it has no weight.
            if (history[j] == 0) continue;
            var vector = _history.AsSpan(j * _columns, _columns);
            _targetPart.CopyTo(_hidden, 0);
            VectorMath.AddScaled(_hidden, 1f, _historyPart.AsSpan(j * unit, unit));
            AddProduct(_hidden, vector, _product);
            for (var h = 0; h < unit; h++) _hidden[h] = Math.Max(0f, _hidden[h]) + slope[h] * Math.Min(0f, _hidden[h]);
            var weight = bias + VectorMath.Dot(_hidden, weights);
            VectorMath.AddScaled(interests.Slice(j < inSession ? 0 : _columns, _columns), weight, vector);
        }
    }

    private float Logit(ReadOnlySpan<float> dense)
    {
        var first = _activations[0];
        _shared.CopyTo(first, 0);
        AddProduct(first, _input.AsSpan(UserColumns, 3 * _columns), _layers[0].AsSpan(UserColumns * first.Length));
        AddProduct(first, dense, _layers[0].AsSpan((_input.Length - dense.Length) * first.Length));
        var layer = 0;
        for (var i = 1; i < _model.Network.Layers.Count; i++)
        {
            if (_model.Network.Layers[i] is Dice)
            {
                Activate(_activations[layer], _dice[layer]);
                layer++;
            }
            else if (_model.Network.Layers[i] is Linear linear)
            {
                linear.Bias.Values.CopyTo(_activations[layer], 0);
                AddProduct(_activations[layer], _activations[layer - 1], _layers[layer]);
            }
        }
        return _activations[layer][0];
    }

    /// <summary>s (p (1 - alpha) + alpha) with p = sigmoid(scale s + shift).</summary>
    private static void Activate(Span<float> s, in (float[] Scale, float[] Shift, float[] Alpha) dice)
    {
        var (one, low, high) = (Vector256<float>.One, Vector256.Create(-35f), Vector256.Create(35f));
        var i = 0;
        for (; i + 8 <= s.Length; i += 8)
        {
            var x = Vector256.Create<float>(s[i..]);
            var alpha = Vector256.Create<float>(dice.Alpha.AsSpan(i));
            var z = x * Vector256.Create<float>(dice.Scale.AsSpan(i)) + Vector256.Create<float>(dice.Shift.AsSpan(i));
            var p = one / (one + Vector256.Exp(-Vector256.Min(Vector256.Max(z, low), high)));
            (x * (p * (one - alpha) + alpha)).CopyTo(s[i..]);
        }
        for (; i < s.Length; i++)
        {
            var p = VectorMath.Sigmoid(s[i] * dice.Scale[i] + dice.Shift[i]);
            s[i] *= p * (1 - dice.Alpha[i]) + dice.Alpha[i];
        }
    }

    private static void Scale(Span<float> into, float factor, ReadOnlySpan<float> from)
    {
        from = from[..into.Length];
        var wide = MemoryMarshal.Cast<float, Vector<float>>(into);
        var source = MemoryMarshal.Cast<float, Vector<float>>(from);
        for (var i = 0; i < wide.Length; i++) wide[i] = source[i] * factor;
        for (var i = wide.Length * Vector<float>.Count; i < into.Length; i++) into[i] = factor * from[i];
    }

    /// <summary>into += x W, with W by input column, shape [in, out]: four columns at a time, each sum in the order of the columns.</summary>
    private static void AddProduct(Span<float> into, ReadOnlySpan<float> x, ReadOnlySpan<float> weights)
    {
        var n = into.Length;
        var i = 0;
        for (; i + 4 <= x.Length; i += 4) AddFour(into, x.Slice(i, 4), weights.Slice(i * n, 4 * n));
        for (; i < x.Length; i++) VectorMath.AddScaled(into, x[i], weights.Slice(i * n, n));
    }

    private static void AddFour(Span<float> into, ReadOnlySpan<float> x, ReadOnlySpan<float> weights)
    {
        var n = into.Length;
        var (x0, x1, x2, x3) = (x[0], x[1], x[2], x[3]);
        var w0 = weights[..n];
        var w1 = weights.Slice(n, n);
        var w2 = weights.Slice(2 * n, n);
        var w3 = weights.Slice(3 * n, n);
        var wide = MemoryMarshal.Cast<float, Vector<float>>(into);
        var v0 = MemoryMarshal.Cast<float, Vector<float>>(w0)[..wide.Length];
        var v1 = MemoryMarshal.Cast<float, Vector<float>>(w1)[..wide.Length];
        var v2 = MemoryMarshal.Cast<float, Vector<float>>(w2)[..wide.Length];
        var v3 = MemoryMarshal.Cast<float, Vector<float>>(w3)[..wide.Length];
        for (var k = 0; k < wide.Length; k++) wide[k] = (((wide[k] + v0[k] * x0) + v1[k] * x1) + v2[k] * x2) + v3[k] * x3;
        for (var k = wide.Length * Vector<float>.Count; k < n; k++) into[k] = (((into[k] + w0[k] * x0) + w1[k] * x1) + w2[k] * x2) + w3[k] * x3;
    }
}
