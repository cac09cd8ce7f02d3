using Streaming.Models.Layers;
using TorchSharp;

namespace Streaming.Models.Ranking;

/// <summary>
/// <see cref="Deep.Din"/>'s arithmetic on rows of any fields, for data sets whose steps and targets are not items: y = sigmoid(MLP([z; sum_j a(h_j, t) h_j])), a the
/// <see cref="ActivationUnit"/> (Zhou et al. 2018, equation 3), ReLU between the layers as its rivals here have, so that attention is all that differs. The live path
/// serves <see cref="Deep.Din"/>. Features: sparse, dense, sequence.
/// </summary>
public sealed class DinNetwork : IRankerNetwork
{
    private readonly ActivationUnit _unit;
    private readonly Mlp _mlp;

    /// <param name="shape">Of the rows.</param>
    /// <param name="options">Widths.</param>
    public DinNetwork(RankerShape shape, RankerOptions options)
    {
        VectorColumns = options.Dim;
        _unit = new ActivationUnit("unit", shape.TargetFields * options.Dim, 36, options.Seed);
        _mlp = new Mlp("mlp", (shape.PlainVectors + shape.TargetFields) * options.Dim, options.Hidden, 1, (_, _) => new Relu(), options.Seed);
    }

    public int VectorColumns { get; }

    public bool ReadsLinear => false;

    public bool ReadsSequence => true;

    public IEnumerable<DenseParameter> Parameters => [.. _unit.Parameters, .. _mlp.Parameters];

    public torch.Tensor Logits(RankerInput x, bool learning)
    {
        var history = x.ForRows(x.Sequence).contiguous();
        var weights = _unit.Forward(history, x.Target) * x.ForRows(x.Mask);
        var interest = weights.unsqueeze(1).bmm(history).squeeze(1);
        return _mlp.Forward(torch.cat([x.Plain, interest], 1), learning);
    }
}
