using Streaming.Models.Embeddings;
using Streaming.Models.Layers;
using Streaming.Models.Neural;
using Streaming.Models.Recall;
using TorchSharp;

namespace Streaming.Models.Sequences;

/// <summary>
/// A gated recurrent unit over the items so far (Hidasi et al. 2016, "Session-based Recommendations with Recurrent Neural Networks"; its unit
/// is Cho et al. 2014's): r, z = sigmoid(W x + U h), n = tanh(W x + r (U h + b)), h' = (1 - z) n + z h, as torch.nn.GRU, and the logit of
/// item i is (V h + c) . E[i] + b_i, E the table that x comes from. Trained by the softmax over all items at every place of whole histories; in
/// the live path by that over the mini-batch's items, of what was clicked after the last place. Features: sequence items.
/// Known number: none for these data; the paper's are of the clicks of RecSys Challenge 2015 and of a video site.
/// </summary>
public sealed class Gru4Rec : ISequenceNetwork, IRecallNetwork
{
    private readonly int _hidden;
    private readonly double _dropout;
    private readonly DenseParameter _item, _bias;
    private readonly Linear _input, _recurrent, _output;

    /// <param name="items">Items there are.</param>
    /// <param name="dim">Columns of the items' table.</param>
    /// <param name="hidden">Columns of h.</param>
    /// <param name="lengthMax">Items of a history that it reads.</param>
    /// <param name="dropout">Share dropped in learning, of x and of V h + c.</param>
    /// <param name="seed">Of the first values.</param>
    public Gru4Rec(int items, int dim, int hidden, int lengthMax, double dropout, ulong seed)
    {
        (_hidden, _dropout, LengthMax) = (hidden, dropout, lengthMax);
        _item = PairNetwork.Table("item", items + 1, dim, seed, 0.05);
        _bias = new DenseParameter("item.bias", DenseParameter.Constant(items, 0), items);
        _input = new Linear("gru.input", dim, 3 * hidden, seed);
        _recurrent = new Linear("gru.recurrent", hidden, 3 * hidden, seed);
        _output = new Linear("output", hidden, dim, seed);
        Parameters = [_item, _bias, .. _input.Parameters, .. _recurrent.Parameters, .. _output.Parameters];
    }

    public IReadOnlyList<DenseParameter> Parameters { get; }

    public int LengthMax { get; }

    public long MaskItem => 0;

    public torch.Tensor Encode(torch.Tensor items, bool learning)
    {
        var (batch, length) = (items.shape[0], items.shape[1]);
        // Time in front: the rows of a step lie together. W x of all steps is one product.
        var steps = items.t().contiguous();
        var x = torch.nn.functional.dropout(SequenceNetwork.Embed(_item, steps), _dropout, learning);
        var inputs = _input.Forward(x, learning);
        var there = steps.ne(0).to_type(torch.ScalarType.Float32).unsqueeze(-1);
        var h = torch.zeros([batch, _hidden], torch.ScalarType.Float32, items.device);
        var all = new torch.Tensor[length];
        for (var t = 0; t < length; t++)
        {
            var (w, u) = (inputs.select(0, t), _recurrent.Forward(h, learning));
            var gates = (w.narrow(1, 0, 2 * _hidden) + u.narrow(1, 0, 2 * _hidden)).sigmoid();
            var (r, z) = (gates.narrow(1, 0, _hidden), gates.narrow(1, _hidden, _hidden));
            var n = (w.narrow(1, 2 * _hidden, _hidden) + r * u.narrow(1, 2 * _hidden, _hidden)).tanh();
            // n + z (h - n) where an item is; before the first one the state stays 0.
            h = (n + z * (h - n)) * there.select(0, t);
            all[t] = h;
        }
        return torch.nn.functional.dropout(_output.Forward(torch.stack(all, 1), learning), _dropout, learning);
    }

    public torch.Tensor Logits(torch.Tensor vectors) => torch.nn.functional.linear(vectors, SequenceNetwork.ItemRows(_item), _bias.Leaf);

    public IReadOnlyList<RowTable> Tables => [new(_item, RowsOf.Items, 0.05 * Math.Sqrt(3)), SequenceNetwork.Biases(_bias)];

    /// <summary>A user's ends in 1, an item's in its bias.</summary>
    public int VectorDim => (int)_item.Shape[1] + 1;

    public torch.Tensor Loss(RecallPass pass) => pass.SoftmaxLoss(this.Next(pass, hasMask: false, learning: true));

    public torch.Tensor Scores(RecallPass pass) => this.Next(pass, hasMask: false, learning: false);

    public void ItemVector(ulong item, RecallRows rows, Span<float> into) => SequenceNetwork.WithBias(item, rows, into);

    public int UserVectors(in RecallQuery query, RecallRows rows, Span<float> into)
    {
        var memory = PlainMemory.Begin(7 * _hidden);
        Span<float> h = memory.Zeros(_hidden), w = memory.Take(3 * _hidden), u = memory.Take(3 * _hidden);
        for (var at = query.History.Length - 1; at >= 0; at--)
        {
            PlainForward.Run(_input, rows.Row(0, query.History[at]), w);
            PlainForward.Run(_recurrent, h, u);
            for (var i = 0; i < _hidden; i++)
            {
                var (r, z) = (VectorMath.Sigmoid(w[i] + u[i]), VectorMath.Sigmoid(w[_hidden + i] + u[_hidden + i]));
                var n = MathF.Tanh(w[2 * _hidden + i] + r * u[2 * _hidden + i]);
                h[i] = n + z * (h[i] - n);
            }
        }
        PlainForward.Run(_output, h, into[..(VectorDim - 1)]);
        into[VectorDim - 1] = 1;
        return 1;
    }
}
