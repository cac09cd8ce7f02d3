using TorchSharp;

namespace Streaming.Models.Layers;

/// <summary>max(0, x).</summary>
public sealed class Relu : ILayer
{
    public IEnumerable<DenseParameter> Parameters => [];

    public IEnumerable<DenseBuffer> Buffers => [];

    public torch.Tensor Forward(torch.Tensor x, bool learning) => torch.nn.functional.relu(x);
}
