using Streaming.Models.Layers;
using TorchSharp;

namespace Streaming.Models.Ranking;

/// <summary>
/// Field-weighted factorisation machine: y = sigmoid(b + sum w_i x_i + sum_{i&lt;j} r_ij (v_i . v_j)), one weight r for each pair of fields, where a field-aware
/// machine has a vector for each (Pan et al., "Field-weighted Factorization Machines for Click-Through Rate Prediction in Display Advertising", WWW 2018,
/// equation 6; by its abstract on a par with FFM at 4 % of the parameters). Features: sparse, dense.
/// Known number: none for these data; the paper's AUC is .92 and .47 % above FFM's with as many parameters, on its two sets (abstract).
/// </summary>
public sealed class Fwfm : IRankerNetwork
{
    private readonly DenseParameter _bias = new("bias", new float[1], 1);
    private readonly DenseParameter _pairs;

    /// <param name="fields">F.</param>
    /// <param name="dim">Columns of a vector.</param>
    public Fwfm(int fields, int dim)
    {
        VectorColumns = dim;
        // It begins as a factorisation machine.
        var ones = new float[fields * fields];
        Array.Fill(ones, 1f);
        _pairs = new DenseParameter("pairs", ones, fields, fields);
    }

    public int VectorColumns { get; }

    public bool ReadsLinear => true;

    public IEnumerable<DenseParameter> Parameters => [_bias, _pairs];

    public torch.Tensor Logits(RankerInput x, bool learning)
    {
        // Shape [B, F, F]: each pair of fields once, in the upper part.
        var products = x.Vectors.bmm(x.Vectors.transpose(1, 2)).triu(1);
        return x.Linear + _bias.Leaf + (products * _pairs.Leaf).sum(2).sum(1, keepdim: true);
    }
}
