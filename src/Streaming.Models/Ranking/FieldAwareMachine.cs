using Streaming.Models.Layers;
using TorchSharp;

namespace Streaming.Models.Ranking;

/// <summary>
/// Field-aware factorisation machine: y = sigmoid(b + sum w_i x_i + sum_{i&lt;j} (v_{i,f(j)} . v_{j,f(i)}) x_i x_j): a key has a vector for each field that it
/// meets (Juan et al., "Field-aware Factorization Machines for CTR Prediction", RecSys 2016, equation 4). Features: sparse, dense.
/// Known number: none for these data; the paper's are log-losses on the whole of Criteo's and Avazu's contests.
/// </summary>
public sealed class FieldAwareMachine : IRankerNetwork
{
    private readonly DenseParameter _bias = new("bias", new float[1], 1);
    private readonly int _fields, _dim;

    /// <param name="fields">F.</param>
    /// <param name="dim">Columns of one of a key's F vectors.</param>
    public FieldAwareMachine(int fields, int dim) => (_fields, _dim) = (fields, dim);

    public int VectorColumns => _fields * _dim;

    public bool ReadsLinear => true;

    public IEnumerable<DenseParameter> Parameters => [_bias];

    public torch.Tensor Logits(RankerInput x, bool learning)
    {
        // [b, i, j]: the vector of field i for field j; the other way round it is that of j for i. A field with itself is no pair.
        var vectors = x.Vectors.reshape(x.Rows, _fields, _fields, _dim);
        var pairs = (vectors * vectors.transpose(1, 2)).sum(3);
        var all = pairs.reshape(x.Rows, -1).sum(1, keepdim: true);
        var own = pairs.diagonal(0, 1, 2).sum(1, keepdim: true);
        return x.Linear + _bias.Leaf + (all - own) * 0.5f;
    }
}
