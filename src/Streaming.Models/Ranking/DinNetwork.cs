using Streaming.Models.Layers;
using TorchSharp;

namespace Streaming.Models.Ranking;

/// <summary>
/// Deep interest network on rows of any fields, as its authors' code has it: y = sigmoid(MLP([z; m; m * t; sum_j softmax_j(a(h_j, t))
/// h_j])), m the mean of the steps, t the target, a the <see cref="ActivationUnit"/> (Zhou et al. 2018). Mean, product and softmax are not in the paper's equation 3
/// but in the code that its authors published with DIEN, as its rival there; ReLU between the layers, as all rankers here have. In the live
/// path it is "din_softmax"; "din" is <see cref="Deep.Din"/> there, which is equation 3.
/// Features: sparse, dense, sequence.
/// Known number: that of <see cref="Deep.Din"/>, AUC .7348 on MovieLens-20M and .8871 on Amazon Electronics.
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
        _mlp = new Mlp("mlp", (shape.PlainVectors + 3 * shape.TargetFields) * options.Dim, options.Hidden, 1, (_, _) => new Relu(), options.Seed);
    }

    public int VectorColumns { get; }

    public bool ReadsLinear => false;

    public bool ReadsSequence => true;

    public IEnumerable<DenseParameter> Parameters => [.. _unit.Parameters, .. _mlp.Parameters];

    public torch.Tensor Logits(RankerInput x, bool learning)
    {
        var history = x.ForRows(x.Sequence).contiguous();
        var weights = x.SharesOfSteps(_unit.Forward(history, x.Target));
        var interest = weights.unsqueeze(1).bmm(history).squeeze(1);
        var mean = x.MeanStep();
        return _mlp.Forward(torch.cat([x.Plain, mean, mean * x.Target, interest], 1), learning);
    }
}
