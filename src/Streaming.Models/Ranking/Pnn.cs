using Streaming.Models.Layers;
using TorchSharp;

namespace Streaming.Models.Ranking;

/// <summary>
/// Product-based neural network: y = sigmoid(MLP([z; p])), z the fields' vectors; inner: p_ij = v_i . v_j for all pairs; outer: p = vec(s s^T) with
/// s = sum v_i, the superposition (Qu et al., "Product-based Neural Networks for User Response Prediction", ICDM 2016, equations 4, 7 and 14). Features: sparse,
/// dense.
/// Known number: none for these data; the paper's are of eight days of Criteo's log and of iPinYou's.
/// </summary>
public sealed class Pnn : IRankerNetwork
{
    private readonly bool _outer;
    private readonly int _fields;
    private readonly Mlp _mlp;

    /// <param name="outer">Outer products in place of inner ones.</param>
    /// <param name="fields">F.</param>
    /// <param name="options">Widths.</param>
    public Pnn(bool outer, int fields, RankerOptions options)
    {
        (_outer, _fields, VectorColumns) = (outer, fields, options.Dim);
        var products = outer ? options.Dim * options.Dim : fields * fields;
        _mlp = new Mlp("mlp", fields * options.Dim + products, options.Hidden, 1, (_, _) => new Relu(), options.Seed);
    }

    public int VectorColumns { get; }

    public bool ReadsLinear => false;

    public IEnumerable<DenseParameter> Parameters => _mlp.Parameters;

    public torch.Tensor Logits(RankerInput x, bool learning)
    {
        torch.Tensor products;
        if (_outer)
        {
            var sum = x.Vectors.sum(1);
            products = sum.unsqueeze(2).bmm(sum.unsqueeze(1));
        }
        else
        {
            // The matrix is symmetric: its upper part tells all, and the rest is set to 0, not left out, to keep the shape dense.
            products = x.Vectors.bmm(x.Vectors.transpose(1, 2)).triu(1);
        }
        return _mlp.Forward(torch.cat([x.Flat, products.reshape(x.Rows, -1)], 1), learning);
    }
}
