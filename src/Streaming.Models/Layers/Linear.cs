using TorchSharp;

namespace Streaming.Models.Layers;

/// <summary>A layer: what it has learned, and how it maps a tensor. Parameters must have begun a pass.</summary>
public interface ILayer
{
    /// <summary>What gradients move.</summary>
    IEnumerable<DenseParameter> Parameters { get; }

    /// <summary>What else predictions depend on.</summary>
    IEnumerable<DenseBuffer> Buffers { get; }

    /// <param name="x">Shape [rows, columns].</param>
    /// <param name="learning">Whether the pass will be learned from.</param>
    torch.Tensor Forward(torch.Tensor x, bool learning);
}

/// <summary>x W^T + b, shape [rows, in] to [rows, out]. First values uniform in +-1 / sqrt(in), as PyTorch's.</summary>
public sealed class Linear : ILayer
{
    /// <param name="name">Before ".weight" and ".bias".</param>
    /// <param name="columnsIn">In.</param>
    /// <param name="columnsOut">Out.</param>
    /// <param name="seed">Of the first values.</param>
    public Linear(string name, int columnsIn, int columnsOut, ulong seed)
    {
        var bound = 1 / Math.Sqrt(columnsIn);
        Weight = new DenseParameter($"{name}.weight", DenseParameter.Uniform($"{name}.weight", seed, columnsIn * columnsOut, bound), columnsOut, columnsIn);
        Bias = new DenseParameter($"{name}.bias", DenseParameter.Uniform($"{name}.bias", seed, columnsOut, bound), columnsOut);
    }

    /// <summary>Shape [out, in].</summary>
    public DenseParameter Weight { get; }

    /// <summary>Shape [out].</summary>
    public DenseParameter Bias { get; }

    public IEnumerable<DenseParameter> Parameters => [Weight, Bias];

    public IEnumerable<DenseBuffer> Buffers => [];

    public torch.Tensor Forward(torch.Tensor x, bool learning) => torch.nn.functional.linear(x, Weight.Leaf, Bias.Leaf);
}
