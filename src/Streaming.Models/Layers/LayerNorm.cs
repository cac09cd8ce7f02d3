using TorchSharp;

namespace Streaming.Models.Layers;

/// <summary>
/// (x - mean) / sqrt(variance + eps) * weight + bias over the last dimension (Ba et al. 2016, "Layer Normalization"). Any shape [..., columns].
/// </summary>
public sealed class LayerNorm(string name, int columns, double epsilon = 1e-5) : ILayer
{
    private readonly long[] _shape = [columns];

    /// <summary>Shape [columns], at first 1.</summary>
    public DenseParameter Weight { get; } = new($"{name}.weight", DenseParameter.Constant(columns, 1), columns);

    /// <summary>Shape [columns], at first 0.</summary>
    public DenseParameter Bias { get; } = new($"{name}.bias", DenseParameter.Constant(columns, 0), columns);

    public IEnumerable<DenseParameter> Parameters => [Weight, Bias];

    public IEnumerable<DenseBuffer> Buffers => [];

    /// <summary>The same for one row in plain arrays; <paramref name="into"/> may be the row itself.</summary>
    public void Run(ReadOnlySpan<float> x, Span<float> into)
    {
        double mean = 0, square = 0;
        foreach (var value in x) mean += value;
        mean /= x.Length;
        foreach (var value in x) square += (value - mean) * (value - mean);
        var scale = 1 / Math.Sqrt(square / x.Length + epsilon);
        for (var i = 0; i < x.Length; i++) into[i] = (float)((x[i] - mean) * scale) * Weight.Values[i] + Bias.Values[i];
    }

    public torch.Tensor Forward(torch.Tensor x, bool learning) => torch.nn.functional.layer_norm(x, _shape, Weight.Leaf, Bias.Leaf, epsilon);
}
