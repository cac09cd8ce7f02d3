using Streaming.Models.Layers;
using TorchSharp;

namespace Streaming.Models.Ranking;

/// <summary>
/// Wide and deep: y = sigmoid(w . [x; crosses] + MLP(z) + b), the wide part learned by FTRL, the deep one by AdaGrad (Cheng et al., "Wide &amp; Deep
/// Learning for Recommender Systems", DLRS 2016, equation 3). Features: sparse, crossed, dense: crossed keys are
/// those of the live path, and rows of data sets have none.
/// Known number: none for these data; the paper's is of Google Play: 3.9 % more acquisitions of applications than by the wide part alone.
/// </summary>
public sealed class WideAndDeep : IRankerNetwork
{
    private readonly Mlp _mlp;

    /// <param name="fields">F.</param>
    /// <param name="options">Widths.</param>
    public WideAndDeep(int fields, RankerOptions options)
    {
        VectorColumns = options.Dim;
        _mlp = new Mlp("mlp", fields * options.Dim, options.Hidden, 1, (_, _) => new Relu(), options.Seed);
    }

    public int VectorColumns { get; }

    public bool ReadsLinear => true;

    public IEnumerable<DenseParameter> Parameters => _mlp.Parameters;

    public torch.Tensor Logits(RankerInput x, bool learning) => x.Linear + _mlp.Forward(x.Flat, learning);
}
