using Streaming.Models.Embeddings;
using Streaming.Models.Layers;
using Streaming.Models.Neural;
using Streaming.Models.Recall;
using TorchSharp;

namespace Streaming.Models.Sequences;

/// <summary>
/// Bidirectional encoder: x = dropout(LN(E[item] + P[place])); in each block x = LN(x + Attention(x)), x = LN(x + W2 gelu(W1 x)), each item seeing
/// all others; the logit of item i is E[i] . LN(gelu(W x + b)) + b_i. Some items are masked and told from the rest; to recommend, a
/// masked place is added at the end (Sun et al. 2019, "BERT4Rec", by the softmax over all items, equations 1 to 8). In the live
/// path it is the place after the history that is told, by the softmax over the mini-batch's items. Features: sequence items.
/// Known number: ML-1M, each user's last item among 100 drawn by popularity, HR@10 .6970, NDCG@10 .4818: a sampled figure, which that
/// among all items does not compare with.
/// </summary>
public sealed class Bert4Rec : ISequenceNetwork, IRecallNetwork
{
    private const double Epsilon = 1e-12;

    private readonly int _items;
    private readonly double _dropout;
    private readonly DenseParameter _item, _place, _bias;
    private readonly LayerNorm _first, _last;
    private readonly Block[] _blocks;
    private readonly Linear _output;

    private sealed record Block(MultiHeadAttention Attention, LayerNorm Between, Linear Inner, Linear Outer, LayerNorm After)
    {
        public IEnumerable<DenseParameter> Parameters =>
            [.. Attention.Parameters, .. Between.Parameters, .. Inner.Parameters, .. Outer.Parameters, .. After.Parameters];
    }

    /// <param name="items">Items there are.</param>
    /// <param name="dim">Columns; the feed-forward has four times as many.</param>
    /// <param name="blocks">Of attention and feed-forward.</param>
    /// <param name="heads">Divides <paramref name="dim"/>.</param>
    /// <param name="lengthMax">Rows of the table of places.</param>
    /// <param name="dropout">Share dropped in learning.</param>
    /// <param name="seed">Of the first values.</param>
    public Bert4Rec(int items, int dim, int blocks, int heads, int lengthMax, double dropout, ulong seed)
    {
        (_items, _dropout, LengthMax) = (items, dropout, lengthMax);
        _item = PairNetwork.Table("item", items + 2, dim, seed, 0.02);
        _place = PairNetwork.Table("place", lengthMax, dim, seed, 0.02);
        _bias = new DenseParameter("item.bias", DenseParameter.Constant(items, 0), items);
        _first = new LayerNorm("first", dim, Epsilon);
        _blocks = [.. Enumerable.Range(0, blocks).Select(b => new Block(
            new MultiHeadAttention($"block{b}.attention", dim, heads, dropout, seed), new LayerNorm($"block{b}.between", dim, Epsilon),
            new Linear($"block{b}.inner", dim, 4 * dim, seed), new Linear($"block{b}.outer", 4 * dim, dim, seed), new LayerNorm($"block{b}.after", dim, Epsilon)))];
        _output = new Linear("output", dim, dim, seed);
        _last = new LayerNorm("last", dim, Epsilon);
        Parameters =
        [
            _item, _place, _bias, .. _first.Parameters, .. _blocks.SelectMany(block => block.Parameters), .. _output.Parameters, .. _last.Parameters,
        ];
    }

    public IReadOnlyList<DenseParameter> Parameters { get; }

    public int LengthMax { get; }

    public long MaskItem => _items + 1;

    public torch.Tensor Encode(torch.Tensor items, bool learning)
    {
        var length = items.shape[1];
        torch.Tensor Drop(torch.Tensor x) => torch.nn.functional.dropout(x, _dropout, learning);
        var x = Drop(_first.Forward(SequenceNetwork.Embed(_item, items) + _place.Leaf.narrow(0, LengthMax - length, length), learning));
        var mask = SequenceNetwork.PaddingMask(items);
        foreach (var block in _blocks)
        {
            x = block.Between.Forward(x + Drop(block.Attention.Forward(x, x, mask, learning)), learning);
            var inner = torch.nn.functional.gelu(block.Inner.Forward(x, learning));
            x = block.After.Forward(x + Drop(block.Outer.Forward(inner, learning)), learning);
        }
        return x;
    }

    public torch.Tensor Logits(torch.Tensor vectors)
    {
        var told = _last.Forward(torch.nn.functional.gelu(_output.Forward(vectors, false)), false);
        return torch.nn.functional.linear(told, SequenceNetwork.ItemRows(_item, hasMask: true), _bias.Leaf);
    }

    public IReadOnlyList<RowTable> Tables => [new(_item, RowsOf.Items, 0.02 * Math.Sqrt(3)) { HasMask = true }, SequenceNetwork.Biases(_bias)];

    /// <summary>A user's ends in 1, an item's in its bias.</summary>
    public int VectorDim => (int)_item.Shape[1] + 1;

    public torch.Tensor Loss(RecallPass pass) => pass.SoftmaxLoss(this.Next(pass, hasMask: true, learning: true));

    public torch.Tensor Scores(RecallPass pass) => this.Next(pass, hasMask: true, learning: false);

    public void ItemVector(ulong item, RecallRows rows, Span<float> into) => SequenceNetwork.WithBias(item, rows, into);

    public int UserVectors(in RecallQuery query, RecallRows rows, Span<float> into)
    {
        var (dim, length) = (VectorDim - 1, query.History.Length + 1);
        var attention = _blocks.Length == 0 ? 0 : _blocks[0].Attention.Working(length);
        var memory = PlainMemory.Begin((2 * length + 4) * dim + attention);
        Span<float> x = memory.Take(length * dim), seen = memory.Take(length * dim), inner = memory.Take(4 * dim), working = memory.Take(attention);
        for (var t = 0; t < length; t++)
        {
            var row = x.Slice(t * dim, dim);
            rows.Row(0, t == length - 1 ? RecallModel.MaskKey : query.History[length - 2 - t]).CopyTo(row);
            VectorMath.AddScaled(row, 1, _place.Values.AsSpan((LengthMax - length + t) * dim, dim));
            _first.Run(row, row);
        }
        foreach (var block in _blocks)
        {
            // Of the last block only the place that is told is read.
            var from = block == _blocks[^1] ? length - 1 : 0;
            block.Attention.Run(x[(from * dim)..], x, causal: false, seen[(from * dim)..], working);
            for (var t = from; t < length; t++)
            {
                Span<float> row = x.Slice(t * dim, dim), sum = seen.Slice(t * dim, dim);
                VectorMath.AddScaled(row, 1, sum);
                block.Between.Run(row, row);
                PlainForward.Run(block.Inner, row, inner);
                PlainForward.Gelu(inner);
                PlainForward.Run(block.Outer, inner, sum);
                VectorMath.AddScaled(row, 1, sum);
                block.After.Run(row, row);
            }
        }
        PlainForward.Run(_output, x[((length - 1) * dim)..], into[..dim]);
        PlainForward.Gelu(into[..dim]);
        _last.Run(into[..dim], into[..dim]);
        into[dim] = 1;
        return 1;
    }
}
