using Streaming.Models.Embeddings;
using Streaming.Models.Layers;
using Streaming.Models.Neural;
using Streaming.Models.Recall;
using TorchSharp;

namespace Streaming.Models.Sequences;

/// <summary>
/// Self-attentive sequential recommendation: x = sqrt(d) E[item] + P[place]; in each block x = q + Attention(q, x, x) with q = LN(x), keys
/// not after their query, then x = y + W2 relu(W1 y + b1) + b2 with y = LN(x); the logit of item i at a place is LN(x) . E[i]
/// (Kang and McAuley 2018, "Self-Attentive Sequential Recommendation"; the layout of the authors' code). Trained by the softmax over all
/// items at every place (Klenitskiy and Vasilev 2023, "Turning Dross Into Gold Loss: is BERT4Rec really better than SASRec?"); in the live path by
/// that over the mini-batch's items, of what was clicked after the last place. Features: sequence items.
/// Known number: ML-1M, each user's last item among 100 drawn ones, HR@10 .8245, NDCG@10 .5905 (Kang and McAuley, by their loss of one
/// negative): a sampled figure, which that among all items does not compare with.
/// </summary>
public sealed class SasRec : ISequenceNetwork, IRecallNetwork
{
    private readonly double _dropout;
    private readonly DenseParameter _item, _place;
    private readonly Block[] _blocks;
    private readonly LayerNorm _last;

    private sealed record Block(LayerNorm Before, MultiHeadAttention Attention, LayerNorm Between, Linear Inner, Linear Outer)
    {
        public IEnumerable<DenseParameter> Parameters =>
            [.. Before.Parameters, .. Attention.Parameters, .. Between.Parameters, .. Inner.Parameters, .. Outer.Parameters];
    }

    /// <param name="items">Items there are.</param>
    /// <param name="dim">d.</param>
    /// <param name="blocks">Of attention and feed-forward.</param>
    /// <param name="heads">Divides <paramref name="dim"/>.</param>
    /// <param name="lengthMax">Rows of the table of places.</param>
    /// <param name="dropout">Share dropped in learning.</param>
    /// <param name="seed">Of the first values.</param>
    public SasRec(int items, int dim, int blocks, int heads, int lengthMax, double dropout, ulong seed)
    {
        (_dropout, LengthMax) = (dropout, lengthMax);
        _item = PairNetwork.Table("item", items + 1, dim, seed, 0.02);
        _place = PairNetwork.Table("place", lengthMax, dim, seed, 0.02);
        _blocks = [.. Enumerable.Range(0, blocks).Select(b => new Block(
            new LayerNorm($"block{b}.before", dim, 1e-8), new MultiHeadAttention($"block{b}.attention", dim, heads, dropout, seed),
            new LayerNorm($"block{b}.between", dim, 1e-8), new Linear($"block{b}.inner", dim, dim, seed), new Linear($"block{b}.outer", dim, dim, seed)))];
        _last = new LayerNorm("last", dim, 1e-8);
        Parameters = [_item, _place, .. _blocks.SelectMany(block => block.Parameters), .. _last.Parameters];
    }

    public IReadOnlyList<DenseParameter> Parameters { get; }

    public int LengthMax { get; }

    public long MaskItem => 0;

    public torch.Tensor Encode(torch.Tensor items, bool learning)
    {
        var length = items.shape[1];
        torch.Tensor Drop(torch.Tensor x) => torch.nn.functional.dropout(x, _dropout, learning);
        // Padding is in front: the places of a shorter batch are the last ones, as if it were padded to the full length.
        var x = SequenceNetwork.Embed(_item, items) * Math.Sqrt(_item.Shape[1]) + _place.Leaf.narrow(0, LengthMax - length, length);
        var there = items.ne(0).to_type(torch.ScalarType.Float32).unsqueeze(-1);
        x = Drop(x) * there;
        var mask = SequenceNetwork.PaddingMask(items) + SequenceNetwork.CausalMask(length, items.device);
        foreach (var block in _blocks)
        {
            var query = block.Before.Forward(x, learning);
            var y = block.Between.Forward(query + block.Attention.Forward(query, x, mask, learning), learning);
            var inner = Drop(torch.nn.functional.relu(block.Inner.Forward(y, learning)));
            x = (y + Drop(block.Outer.Forward(inner, learning))) * there;
        }
        return _last.Forward(x, learning);
    }

    public torch.Tensor Logits(torch.Tensor vectors) => vectors.matmul(SequenceNetwork.ItemRows(_item).t());

    public IReadOnlyList<RowTable> Tables => [new(_item, RowsOf.Items, 0.02 * Math.Sqrt(3))];

    public int VectorDim => (int)_item.Shape[1];

    public torch.Tensor Loss(RecallPass pass) => pass.SoftmaxLoss(this.Next(pass, hasMask: false, learning: true));

    public torch.Tensor Scores(RecallPass pass) => this.Next(pass, hasMask: false, learning: false);

    public void ItemVector(ulong item, RecallRows rows, Span<float> into) => rows.Row(0, item).CopyTo(into);

    public int UserVectors(in RecallQuery query, RecallRows rows, Span<float> into)
    {
        var (dim, length) = (VectorDim, query.History.Length);
        var attention = _blocks.Length == 0 ? 0 : _blocks[0].Attention.Working(length);
        var memory = PlainMemory.Begin((3 * length + 1) * dim + attention);
        Span<float> x = memory.Take(length * dim), queries = memory.Take(length * dim), seen = memory.Take(length * dim), inner = memory.Take(dim);
        var working = memory.Take(attention);
        for (var t = 0; t < length; t++)
        {
            var row = x.Slice(t * dim, dim);
            _place.Values.AsSpan((LengthMax - length + t) * dim, dim).CopyTo(row);
            VectorMath.AddScaled(row, MathF.Sqrt(dim), rows.Row(0, query.History[length - 1 - t]));
        }
        foreach (var block in _blocks)
        {
            // Of the last block only what the last place sees is read.
            var from = block == _blocks[^1] ? length - 1 : 0;
            for (var t = from; t < length; t++) block.Before.Run(x.Slice(t * dim, dim), queries.Slice(t * dim, dim));
            block.Attention.Run(queries[(from * dim)..], x, causal: true, seen[(from * dim)..], working);
            for (var t = from; t < length; t++)
            {
                Span<float> row = x.Slice(t * dim, dim), sum = seen.Slice(t * dim, dim);
                VectorMath.AddScaled(sum, 1, queries.Slice(t * dim, dim));
                var y = queries.Slice(t * dim, dim);
                block.Between.Run(sum, y);
                PlainForward.Run(block.Inner, y, inner);
                PlainForward.Relu(inner);
                PlainForward.Run(block.Outer, inner, row);
                VectorMath.AddScaled(row, 1, y);
            }
        }
        _last.Run(x[((length - 1) * dim)..], into[..dim]);
        return 1;
    }
}
