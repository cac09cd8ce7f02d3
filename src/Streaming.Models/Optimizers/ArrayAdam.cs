using Streaming.Core.Wire;

namespace Streaming.Models.Optimizers;

/// <summary>
/// Adam (Kingma and Ba 2015) over one flat array, in plain memory, as torch.optim.Adam computes it: <see cref="AdamMath"/> with its state.
/// </summary>
/// <param name="length">Weights.</param>
/// <param name="rate">Step size.</param>
public sealed class ArrayAdam(int length, float rate, float beta1 = 0.9f, float beta2 = 0.999f, float epsilon = 1e-8f)
{
    private float[] _m = new float[length];
    private float[] _v = new float[length];

    /// <summary>Steps taken.</summary>
    public long Steps { get; private set; }

    /// <param name="weights">Shape [length], changed.</param>
    /// <param name="gradient">Shape [length].</param>
    public void Step(Span<float> weights, ReadOnlySpan<float> gradient)
    {
        if (weights.Length != _m.Length || gradient.Length != _m.Length) throw new ArgumentException($"{weights.Length} weights and {gradient.Length} gradients for an optimizer of {_m.Length}");
        Steps++;
        var (step, least) = AdamMath.Corrected(rate, beta1, beta2, epsilon, Steps);
        AdamMath.Step(weights, gradient, _m, _v, step, beta1, beta2, least);
    }

    public void Save(CheckpointWriter into)
    {
        into.Int64(Steps);
        into.Values<float>(_m);
        into.Values<float>(_v);
    }

    /// <exception cref="InvalidDataException">Cut short; nothing has changed.</exception>
    public void Load(CheckpointReader from)
    {
        var steps = from.Int64();
        var (m, v) = (new float[_m.Length], new float[_v.Length]);
        from.Values<float>(m);
        from.Values<float>(v);
        (Steps, _m, _v) = (steps, m, v);
    }
}
