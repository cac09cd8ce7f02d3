using Streaming.Models.Layers;
using TorchSharp;

namespace Streaming.Models.Ranking;

/// <summary>
/// Attentional factorisation machine: y = sigmoid(b + sum w_i x_i + p . sum_{i&lt;j} a_ij (v_i * v_j)), a = softmax over pairs of h . relu(W (v_i * v_j) + c) (Xiao et
/// al., "Attentional Factorization Machines", IJCAI 2017, equations 5 and 6). Features: sparse, dense.
/// Known number: none for clicks; the paper's are of regressions, 8.6 % better than FM (abstract).
/// </summary>
public sealed class Afm : IRankerNetwork
{
    private readonly long[] _first, _second;
    private readonly Linear _hidden, _score;
    private readonly DenseParameter _projection;
    private readonly DenseParameter _bias = new("bias", new float[1], 1);

    /// <param name="fields">F.</param>
    /// <param name="options">Widths; the attention has as many hidden columns as a vector.</param>
    public Afm(int fields, RankerOptions options)
    {
        VectorColumns = options.Dim;
        var pairs = (from i in Enumerable.Range(0, fields) from j in Enumerable.Range(i + 1, fields - i - 1) select (i, j)).ToArray();
        (_first, _second) = ([.. pairs.Select(p => (long)p.i)], [.. pairs.Select(p => (long)p.j)]);
        _hidden = new Linear("attention.hidden", options.Dim, options.Dim, options.Seed);
        _score = new Linear("attention.score", options.Dim, 1, options.Seed);
        _projection = new DenseParameter("projection", DenseParameter.Constant(options.Dim, 1f), options.Dim, 1);
    }

    public int VectorColumns { get; }

    public bool ReadsLinear => true;

    /// <summary>The bias of the score is the same for all pairs, which softmax does not see.</summary>
    public IEnumerable<DenseParameter> Parameters => [.. _hidden.Parameters, .. _score.Parameters, _projection, _bias];

    public torch.Tensor Logits(RankerInput x, bool learning)
    {
        torch.Tensor Pick(long[] fields) => x.Vectors.index_select(1, TensorMemory.Tensor(fields, [fields.Length], x.Vectors.device));
        var pairs = Pick(_first) * Pick(_second);
        var flat = pairs.reshape(-1, VectorColumns);
        var scores = _score.Forward(torch.nn.functional.relu(_hidden.Forward(flat, learning)), learning).reshape(x.Rows, 1, _first.Length);
        var pooled = scores.softmax(2).bmm(pairs).squeeze(1);
        return x.Linear + _bias.Leaf + pooled.mm(_projection.Leaf);
    }
}
