using Streaming.Models.Layers;
using TorchSharp;

namespace Streaming.Models.Ranking;

/// <summary>
/// Logistic regression: y = sigmoid(b + sum w_i x_i), in the live path with crosses of target and past items among the x (McMahan et al. 2013, "Ad Click
/// Prediction: a View from the Trenches", without its FTRL; that is the live ranker). Features: sparse, crossed in the
/// live path, dense.
/// Known number: none for these data; the paper's figures are relative ones, on Google's own ads.
/// </summary>
public sealed class LogisticRegression : IRankerNetwork
{
    private readonly DenseParameter _bias = new("bias", new float[1], 1);

    public int VectorColumns => 0;

    public bool ReadsLinear => true;

    public IEnumerable<DenseParameter> Parameters => [_bias];

    public torch.Tensor Logits(RankerInput x, bool learning) => x.Linear + _bias.Leaf;
}
