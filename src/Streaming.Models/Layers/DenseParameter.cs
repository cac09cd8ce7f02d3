using Streaming.Core.Ids;
using Streaming.Models.Deep;
using TorchSharp;

namespace Streaming.Models.Layers;

/// <summary>An array that predictions depend on and that no gradient moves, as running statistics.</summary>
public class DenseBuffer : IDenseWeights
{
    /// <param name="name">Unique within the model.</param>
    /// <param name="values">Its first values, row-major; taken over.</param>
    public DenseBuffer(string name, float[] values) => (Name, Values) = (name, values);

    public string Name { get; }

    public int Length => Values.Length;

    public float[] Values { get; }

    public void CopyTo(Span<float> into)
    {
        if (into.Length != Length) throw new ArgumentException($"{Name} has {Length} elements, not {into.Length}");
        Values.CopyTo(into);
    }

    public void CopyFrom(ReadOnlySpan<float> from)
    {
        if (from.Length != Length) throw new ArgumentException($"{Name} has {Length} elements, not {from.Length}");
        from.CopyTo(Values);
    }
}

/// <summary>
/// A weight that gradients move. Its values live in a plain array; <see cref="Begin"/> copies them into a tensor for one forward (and
/// backward) pass, so that between passes nothing is held in native memory, whatever the device, and saving is copying.
/// </summary>
public sealed class DenseParameter : DenseBuffer
{
    private torch.Tensor? _leaf;

    /// <param name="name">Unique within the model.</param>
    /// <param name="values">Its first values, row-major; taken over.</param>
    /// <param name="shape">Their shape.</param>
    public DenseParameter(string name, float[] values, params long[] shape)
        : base(name, values)
    {
        if (shape.Aggregate(1L, (product, size) => product * size) != values.Length)
            throw new ArgumentException($"{name}: {values.Length} values for shape [{string.Join(", ", shape)}]");
        Shape = shape;
    }

    public long[] Shape { get; }

    /// <summary>The tensor of the pass that <see cref="Begin"/> began.</summary>
    /// <exception cref="InvalidOperationException">None was begun.</exception>
    public torch.Tensor Leaf => _leaf ?? throw new InvalidOperationException($"{Name}: no pass was begun");

    /// <summary>Makes the tensor, in the scope that is open: with the scope it goes.</summary>
    public void Begin(torch.Device device, bool learning) => _leaf = TensorMemory.Tensor(Values, Shape, device, learning);

    /// <summary>Takes the rows of a mini-batch for the tensor of a pass: those of a table that grows, of which <see cref="DenseBuffer.Values"/> holds nothing.</summary>
    /// <param name="leaf">In the scope that is open.</param>
    public void Borrow(torch.Tensor leaf) => _leaf = leaf;

    /// <summary>Makes the tensor for good, held outside of any scope: what serves a model that is learned no more.</summary>
    public void Hold(torch.Device device)
    {
        Begin(device, learning: false);
        Leaf.DetachFromDisposeScope();
    }

    /// <summary>Uniform in [-bound, bound), from the name and the seed alone: the same whatever the tensor library.</summary>
    public static float[] Uniform(string name, ulong seed, int length, double bound)
    {
        var salt = StableHash.Combine(seed, StableHash.Of(name));
        var values = new float[length];
        for (var i = 0; i < length; i++) values[i] = (float)((2 * StableHash.Unit(StableHash.Combine(salt, (ulong)i)) - 1) * bound);
        return values;
    }

    public static float[] Constant(int length, float value)
    {
        var values = new float[length];
        Array.Fill(values, value);
        return values;
    }
}
