using Streaming.Core.Ids;
using Streaming.Models.Embeddings;

namespace Streaming.Models.Deep;

/// <summary>Sizes of a <see cref="DuelingQNetwork"/>.</summary>
/// <param name="State">S: features of the user and the context.</param>
/// <param name="Action">A: features of the item and of the item for the user.</param>
/// <param name="Hidden1">Columns of the first hidden layer, of each stream.</param>
/// <param name="Hidden2">Columns of the advantage stream's second hidden layer.</param>
public sealed record DuelingShape(int State, int Action, int Hidden1, int Hidden2);

/// <summary>
/// The Q-network of DRN (Zheng et al. 2018, section 4.2, after Wang et al. 2016): Q(s, a) = V(s) + A(s, a), where s is the user and the
/// context and a the item with its relation to the user.
/// V(s) = w2 relu(W1 s + b1) + c; A(s, a) = u3 relu(U2 relu(U1 [s; a] + d1) + d2) + e.
/// All weights lie in one flat array, so that perturbing, copying, stepping and saving them are loops. Features: dense, of the user with the context and of the
/// item with its relation to the user.
/// Known number: none for these data; the paper's are of a news application's own log.
/// </summary>
public sealed class DuelingQNetwork
{
    private readonly Layer[] _layers;

    /// <summary>Rows (outputs) and columns (inputs) of a linear layer; its weight at <see cref="At"/>, then its bias.</summary>
    private readonly record struct Layer(string Name, int Rows, int Columns, int At)
    {
        public int BiasAt => At + Rows * Columns;
        public int End => BiasAt + Rows;
        public ReadOnlySpan<float> Row(ReadOnlySpan<float> weights, int row) => weights.Slice(At + row * Columns, Columns);
    }

    public DuelingQNetwork(DuelingShape shape)
    {
        Shape = shape;
        var at = 0;
        _layers =
        [
            Next("value.0", shape.Hidden1, shape.State), Next("value.1", 1, shape.Hidden1),
            Next("advantage.0", shape.Hidden1, shape.State + shape.Action), Next("advantage.1", shape.Hidden2, shape.Hidden1),
            Next("advantage.2", 1, shape.Hidden2),
        ];
        Length = at;

        Layer Next(string name, int rows, int columns)
        {
            if (rows < 1 || columns < 1) throw new ArgumentException($"{shape} has an empty layer");
            var layer = new Layer(name, rows, columns, at);
            at = layer.End;
            return layer;
        }
    }

    public DuelingShape Shape { get; }

    /// <summary>Weights in all.</summary>
    public int Length { get; }

    /// <summary>Where each weight and bias lies: name, shape, offset in the flat array.</summary>
    public IEnumerable<(string Name, int[] Shape, int At)> Parts => _layers.SelectMany(l => new[]
    {
        ($"{l.Name}.weight", new[] { l.Rows, l.Columns }, l.At), ($"{l.Name}.bias", new[] { l.Rows }, l.BiasAt),
    });

    /// <summary>First weights: uniform in +-1 / sqrt(columns), biases too, as PyTorch's; from the seed alone.</summary>
    public float[] Initial(ulong seed)
    {
        var weights = new float[Length];
        foreach (var layer in _layers)
        {
            var bound = 1 / Math.Sqrt(layer.Columns);
            for (var i = layer.At; i < layer.End; i++) weights[i] = (float)((2 * StableHash.Unit(StableHash.Combine(seed, (ulong)i)) - 1) * bound);
        }
        return weights;
    }

    /// <summary>
    /// Q of every action in one state. The state's share of the first layer is computed once. Allocates
    /// nothing; reentrant with scratch of its own.
    /// </summary>
    /// <param name="weights">Shape [<see cref="Length"/>].</param>
    /// <param name="state">Shape [S].</param>
    /// <param name="actions">Shape [N, A], row-major.</param>
    /// <param name="into">Shape [N].</param>
    /// <param name="scratch">Shape [<see cref="ScratchLength"/>], overwritten.</param>
    public void Score(ReadOnlySpan<float> weights, ReadOnlySpan<float> state, ReadOnlySpan<float> actions, Span<float> into, Span<float> scratch)
    {
        var (value, first, second, last) = (_layers[0], _layers[2], _layers[3], _layers[4]);
        var shared = scratch[..Shape.Hidden1];
        var hidden = scratch.Slice(Shape.Hidden1, Shape.Hidden1);
        var deep = scratch.Slice(2 * Shape.Hidden1, Shape.Hidden2);
        for (var h = 0; h < hidden.Length; h++) hidden[h] = Math.Max(0, weights[value.BiasAt + h] + VectorMath.Dot(value.Row(weights, h), state));
        var v = weights[_layers[1].BiasAt] + VectorMath.Dot(_layers[1].Row(weights, 0), hidden);
        for (var h = 0; h < shared.Length; h++) shared[h] = weights[first.BiasAt + h] + VectorMath.Dot(first.Row(weights, h)[..Shape.State], state);
        for (var n = 0; n < into.Length; n++)
        {
            var action = actions.Slice(n * Shape.Action, Shape.Action);
            for (var h = 0; h < hidden.Length; h++) hidden[h] = Math.Max(0, shared[h] + VectorMath.Dot(first.Row(weights, h)[Shape.State..], action));
            for (var h = 0; h < deep.Length; h++) deep[h] = Math.Max(0, weights[second.BiasAt + h] + VectorMath.Dot(second.Row(weights, h), hidden));
            into[n] = v + weights[last.BiasAt] + VectorMath.Dot(last.Row(weights, 0), deep);
        }
    }

    /// <summary>Floats that <see cref="Score"/> and <see cref="Gradient"/> need.</summary>
    public int ScratchLength => 3 * Shape.Hidden1 + 2 * Shape.Hidden2;

    /// <summary>
    /// Mean squared error of Q against the targets, and its gradient with respect to the weights: back-propagation row by row in plain arrays. Networks
    /// of this size gain nothing from tensors, and without them DRN runs where there is no libtorch.
    /// </summary>
    /// <param name="weights">Shape [<see cref="Length"/>].</param>
    /// <param name="states">Shape [B, S], row-major.</param>
    /// <param name="actions">Shape [B, A], row-major.</param>
    /// <param name="targets">Shape [B].</param>
    /// <param name="gradient">Shape [<see cref="Length"/>], overwritten.</param>
    /// <param name="scratch">Shape [<see cref="ScratchLength"/>], overwritten.</param>
    public float Gradient(
        ReadOnlySpan<float> weights, ReadOnlySpan<float> states, ReadOnlySpan<float> actions, ReadOnlySpan<float> targets, Span<float> gradient,
        Span<float> scratch)
    {
        gradient.Clear();
        var loss = 0.0;
        for (var b = 0; b < targets.Length; b++)
            loss += AddRow(weights, states.Slice(b * Shape.State, Shape.State), actions.Slice(b * Shape.Action, Shape.Action), targets[b], 2f / targets.Length, gradient, scratch);
        return (float)(loss / targets.Length);
    }

    /// <summary>Adds one row's share of the gradient; returns its squared error.</summary>
    private float AddRow(
        ReadOnlySpan<float> weights, ReadOnlySpan<float> state, ReadOnlySpan<float> action, float target, float scale, Span<float> gradient, Span<float> scratch)
    {
        var (value, valueOut, first, second, last) = (_layers[0], _layers[1], _layers[2], _layers[3], _layers[4]);
        var (h1, h2) = (Shape.Hidden1, Shape.Hidden2);
        var valued = scratch[..h1];
        var hidden = scratch.Slice(h1, h1);
        var back = scratch.Slice(2 * h1, h1);
        var deep = scratch.Slice(3 * h1, h2);
        var deepBack = scratch.Slice(3 * h1 + h2, h2);
        for (var h = 0; h < h1; h++)
        {
            valued[h] = Math.Max(0, weights[value.BiasAt + h] + VectorMath.Dot(value.Row(weights, h), state));
            var row = first.Row(weights, h);
            hidden[h] = Math.Max(0, weights[first.BiasAt + h] + VectorMath.Dot(row[..state.Length], state) + VectorMath.Dot(row[state.Length..], action));
        }
        for (var j = 0; j < h2; j++) deep[j] = Math.Max(0, weights[second.BiasAt + j] + VectorMath.Dot(second.Row(weights, j), hidden));
        var q = weights[valueOut.BiasAt] + VectorMath.Dot(valueOut.Row(weights, 0), valued) + weights[last.BiasAt] + VectorMath.Dot(last.Row(weights, 0), deep);
        var error = q - target;
        var slope = scale * error;

        Add(gradient, valueOut, 0, slope, valued);
        Add(gradient, last, 0, slope, deep);
        back.Clear();
        for (var j = 0; j < h2; j++)
        {
            deepBack[j] = deep[j] > 0 ? slope * last.Row(weights, 0)[j] : 0;
            if (deepBack[j] == 0) continue;
            Add(gradient, second, j, deepBack[j], hidden);
            VectorMath.AddScaled(back, deepBack[j], second.Row(weights, j));
        }
        for (var h = 0; h < h1; h++)
        {
            if (valued[h] > 0) Add(gradient, value, h, slope * valueOut.Row(weights, 0)[h], state);
            if (hidden[h] <= 0) continue;
            var into = gradient.Slice(first.At + h * first.Columns, first.Columns);
            VectorMath.AddScaled(into[..state.Length], back[h], state);
            VectorMath.AddScaled(into[state.Length..], back[h], action);
            gradient[first.BiasAt + h] += back[h];
        }
        return error * error;
    }

    /// <summary>The gradient of one output of a layer, given the slope there and the layer's input.</summary>
    private static void Add(Span<float> gradient, Layer layer, int row, float slope, ReadOnlySpan<float> input)
    {
        VectorMath.AddScaled(gradient.Slice(layer.At + row * layer.Columns, layer.Columns), slope, input);
        gradient[layer.BiasAt + row] += slope;
    }
}
