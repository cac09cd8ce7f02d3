using Streaming.Models.Layers;
using TorchSharp;

namespace Streaming.Models.Ranking;

/// <summary>
/// DeepFM: y = sigmoid(FM + MLP(z)), both on the same vectors (Guo et al., "DeepFM: A Factorization-Machine based Neural Network for CTR Prediction",
/// IJCAI 2017, equation 1). Features: sparse, dense.
/// Known number: AUC .8007, log-loss .4508 on the whole of Criteo's contest.
/// </summary>
public sealed class DeepFm : IRankerNetwork
{
    private readonly Mlp _mlp;
    private readonly int _hidden;

    /// <param name="fields">F.</param>
    /// <param name="options">Widths.</param>
    public DeepFm(int fields, RankerOptions options)
    {
        (VectorColumns, _hidden) = (options.Dim, options.Hidden[^1]);
        _mlp = new Mlp("mlp", fields * options.Dim, options.Hidden, 1, (_, _) => new Relu(), options.Seed);
    }

    public int VectorColumns { get; }

    public bool ReadsLinear => true;

    public int HiddenColumns => _hidden;

    public IEnumerable<DenseParameter> Parameters => _mlp.Parameters;

    public torch.Tensor Logits(RankerInput x, bool learning)
    {
        var deep = _mlp.Forward(x.Flat, learning, out var hidden);
        x.Hidden = hidden;
        return x.Linear + FactorisationMachine.BiInteraction(x.Vectors).sum(1, keepdim: true) + deep;
    }
}
