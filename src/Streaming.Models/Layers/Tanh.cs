using TorchSharp;

namespace Streaming.Models.Layers;

/// <summary>tanh x.</summary>
public sealed class Tanh : ILayer
{
    public IEnumerable<DenseParameter> Parameters => [];

    public IEnumerable<DenseBuffer> Buffers => [];

    public torch.Tensor Forward(torch.Tensor x, bool learning) => x.tanh();
}
