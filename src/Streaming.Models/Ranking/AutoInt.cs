using Streaming.Models.Layers;
using TorchSharp;

namespace Streaming.Models.Ranking;

/// <summary>
/// AutoInt: y = sigmoid(w . vec(e) + b), e_i = relu([heads of sum_j softmax_j((Q v_i) . (K v_j)) V v_j] + R v_i), the layer repeated (Song et al., "AutoInt:
/// Automatic Feature Interaction Learning via Self-Attentive Neural Networks", CIKM 2019, equations 5 to 9). Features: sparse, dense.
/// Known number: AUC .8456, log-loss .3797 on ML-1M with grades as clicks, of users, items and their side information.
/// </summary>
public sealed class AutoInt : IRankerNetwork
{
    private const int Heads = 2, LayerCount = 2;

    private readonly int _fields, _dim;
    private readonly List<DenseParameter> _layers = [];
    private readonly Linear _out;

    /// <param name="fields">F.</param>
    /// <param name="options">Widths; a head has half of a vector's columns, so that layers keep their width.</param>
    public AutoInt(int fields, RankerOptions options)
    {
        if (options.Dim % Heads != 0) throw new ArgumentException($"{options.Dim} columns for {Heads} heads");
        (_fields, _dim) = (fields, options.Dim);
        for (var layer = 0; layer < LayerCount; layer++)
            foreach (var part in (string[])["query", "key", "value", "residual"])
            {
                var name = $"attention.{layer}.{part}";
                _layers.Add(new DenseParameter(name, DenseParameter.Uniform(name, options.Seed, _dim * _dim, 1 / Math.Sqrt(_dim)), _dim, _dim));
            }
        _out = new Linear("out", fields * _dim, 1, options.Seed);
    }

    public int VectorColumns => _dim;

    public bool ReadsLinear => false;

    public IEnumerable<DenseParameter> Parameters => [.. _layers, .. _out.Parameters];

    public torch.Tensor Logits(RankerInput x, bool learning)
    {
        var e = x.Vectors.reshape(-1, _dim);
        for (var layer = 0; layer < LayerCount; layer++)
        {
            torch.Tensor Project(int part) => torch.nn.functional.linear(e, _layers[4 * layer + part].Leaf);
            torch.Tensor ByHead(int part) => Project(part).reshape(x.Rows, _fields, Heads, _dim / Heads).transpose(1, 2).reshape(x.Rows * Heads, _fields, _dim / Heads);
            var attention = ByHead(0).bmm(ByHead(1).transpose(1, 2)).softmax(2);
            var heads = attention.bmm(ByHead(2)).reshape(x.Rows, Heads, _fields, _dim / Heads).transpose(1, 2).reshape(-1, _dim);
            e = torch.nn.functional.relu(heads + Project(3));
        }
        return _out.Forward(e.reshape(x.Rows, -1), learning);
    }
}
