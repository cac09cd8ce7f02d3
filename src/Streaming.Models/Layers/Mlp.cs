using TorchSharp;

namespace Streaming.Models.Layers;

/// <summary>Linear layers with an activation between each two, shape [rows, in] to [rows, out].</summary>
public sealed class Mlp : ILayer
{
    /// <param name="name">Before the numbers of the layers.</param>
    /// <param name="columnsIn">In.</param>
    /// <param name="hidden">Columns of the hidden layers.</param>
    /// <param name="columnsOut">Out.</param>
    /// <param name="activation">Makes the activation of that name and so many columns.</param>
    /// <param name="seed">Of the first values.</param>
    public Mlp(string name, int columnsIn, IReadOnlyList<int> hidden, int columnsOut, Func<string, int, ILayer> activation, ulong seed)
    {
        var layers = new List<ILayer>();
        for (var i = 0; i < hidden.Count; i++)
        {
            layers.Add(new Linear($"{name}.{i}", i == 0 ? columnsIn : hidden[i - 1], hidden[i], seed));
            layers.Add(activation($"{name}.{i}", hidden[i]));
        }
        layers.Add(new Linear($"{name}.{hidden.Count}", hidden.Count == 0 ? columnsIn : hidden[^1], columnsOut, seed));
        Layers = layers;
    }

    /// <summary>In the order in which they are applied.</summary>
    public IReadOnlyList<ILayer> Layers { get; }

    public IEnumerable<DenseParameter> Parameters => Layers.SelectMany(l => l.Parameters);

    public IEnumerable<DenseBuffer> Buffers => Layers.SelectMany(l => l.Buffers);

    public torch.Tensor Forward(torch.Tensor x, bool learning) => Forward(x, learning, out _);

    /// <inheritdoc cref="Forward(torch.Tensor, bool)"/>
    /// <param name="x">Shape [rows, in].</param>
    /// <param name="learning">Whether the pass will be learned from.</param>
    /// <param name="hidden">What the last linear layer read.</param>
    public torch.Tensor Forward(torch.Tensor x, bool learning, out torch.Tensor hidden)
    {
        for (var i = 0; i < Layers.Count - 1; i++) x = Layers[i].Forward(x, learning);
        hidden = x;
        return Layers[^1].Forward(x, learning);
    }
}
