using Streaming.Models.Layers;
using TorchSharp;

namespace Streaming.Models.Ranking;

/// <summary>
/// Neural factorisation machine: y = sigmoid(sum w_i x_i + MLP(f)), f = ((sum v)^2 - sum v^2) / 2 column by column, the bi-interaction pooling (He and Chua,
/// "Neural Factorization Machines for Sparse Predictive Analytics", SIGIR 2017, equations 3 to 5), without its dropout and batch norm. Features: sparse,
/// dense.
/// Known number: none for clicks; the paper's are of regressions, 7.3 % better than FM (abstract).
/// </summary>
public sealed class Nfm : IRankerNetwork
{
    private readonly Mlp _mlp;

    /// <param name="options">Widths.</param>
    public Nfm(RankerOptions options)
    {
        VectorColumns = options.Dim;
        _mlp = new Mlp("mlp", options.Dim, options.Hidden, 1, (_, _) => new Relu(), options.Seed);
    }

    public int VectorColumns { get; }

    public bool ReadsLinear => true;

    public IEnumerable<DenseParameter> Parameters => _mlp.Parameters;

    public torch.Tensor Logits(RankerInput x, bool learning) => x.Linear + _mlp.Forward(FactorisationMachine.BiInteraction(x.Vectors), learning);
}
