using Streaming.Models.Layers;
using TorchSharp;

namespace Streaming.Models.Ranking;

/// <summary>
/// Factorisation machine of degree 2: y = sigmoid(b + sum w_i x_i + sum_{i&lt;j} (v_i . v_j) x_i x_j), the sum of pairs as
/// (|sum v|^2 - sum |v|^2) / 2 (Rendle, "Factorization Machines", ICDM 2010, equations 1 and 5). Features: sparse, dense.
/// Known number: none for these data; the paper's are of tags and of Netflix's ratings.
/// </summary>
public sealed class FactorisationMachine : IRankerNetwork
{
    private readonly DenseParameter _bias = new("bias", new float[1], 1);

    /// <param name="dim">Columns of a vector.</param>
    public FactorisationMachine(int dim) => VectorColumns = dim;

    public int VectorColumns { get; }

    public bool ReadsLinear => true;

    public IEnumerable<DenseParameter> Parameters => [_bias];

    /// <summary>Half of what the square of the sum is above the sum of squares, column by column, shape [B, d].</summary>
    /// <param name="vectors">Shape [B, F, d].</param>
    public static torch.Tensor BiInteraction(torch.Tensor vectors)
    {
        var sum = vectors.sum(1);
        return (sum * sum - (vectors * vectors).sum(1)) * 0.5f;
    }

    public torch.Tensor Logits(RankerInput x, bool learning) => x.Linear + _bias.Leaf + BiInteraction(x.Vectors).sum(1, keepdim: true);
}
