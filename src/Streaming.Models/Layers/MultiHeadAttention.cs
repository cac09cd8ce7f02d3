using Streaming.Models.Embeddings;
using TorchSharp;

namespace Streaming.Models.Layers;

/// <summary>
/// Scaled dot-product attention in several heads: concat_h softmax(Q_h K_h^T / sqrt(d_h) + mask) V_h, each of Q, K and V a linear map, and one
/// more over the heads (Vaswani et al. 2017, "Attention Is All You Need", section 3.2). As torch.nn.MultiheadAttention.
/// </summary>
public sealed class MultiHeadAttention
{
    private readonly Linear _query, _key, _value, _output;
    private readonly int _heads;
    private readonly double _dropout;

    /// <param name="name">Before the names of the four maps.</param>
    /// <param name="columns">d, of queries, keys and values.</param>
    /// <param name="heads">Divides <paramref name="columns"/>.</param>
    /// <param name="dropout">Share of the attention weights that learning drops.</param>
    /// <param name="seed">Of the first values.</param>
    public MultiHeadAttention(string name, int columns, int heads, double dropout, ulong seed)
    {
        if (heads < 1 || columns % heads != 0) throw new ArgumentException($"{columns} columns for {heads} heads", nameof(heads));
        (_heads, _dropout) = (heads, dropout);
        _query = new Linear($"{name}.query", columns, columns, seed);
        _key = new Linear($"{name}.key", columns, columns, seed);
        _value = new Linear($"{name}.value", columns, columns, seed);
        _output = new Linear($"{name}.output", columns, columns, seed);
    }

    public IEnumerable<DenseParameter> Parameters => [.. _query.Parameters, .. _key.Parameters, .. _value.Parameters, .. _output.Parameters];

    /// <param name="queries">Shape [B, Q, d].</param>
    /// <param name="keys">Shape [B, K, d]: what keys and values are made of.</param>
    /// <param name="mask">Added to the logits, shape broadcast to [B, heads, Q, K]; null for none.</param>
    /// <param name="learning">Whether to drop.</param>
    /// <returns>Shape [B, Q, d].</returns>
    public torch.Tensor Forward(torch.Tensor queries, torch.Tensor keys, torch.Tensor? mask, bool learning)
    {
        var (batch, rows, columns) = (queries.shape[0], queries.shape[1], queries.shape[2]);
        var (q, k, v) = (Split(_query.Forward(queries, learning)), Split(_key.Forward(keys, learning)), Split(_value.Forward(keys, learning)));
        var logits = (q * (1 / Math.Sqrt((double)columns / _heads))).matmul(k.transpose(-2, -1));
        if (mask is not null) logits += mask;
        var weights = torch.nn.functional.dropout(logits.softmax(-1), _dropout, learning);
        return _output.Forward(weights.matmul(v).transpose(1, 2).reshape(batch, rows, columns), learning);
    }

    /// <summary>Numbers of working memory for so many keys.</summary>
    public int Working(int keys) => (2 * keys + 2) * Columns + keys;

    /// <summary>The same for one sequence in plain arrays.</summary>
    /// <param name="queries">Shape [Q, d].</param>
    /// <param name="keys">Shape [K, d].</param>
    /// <param name="causal">Whether query i sees keys up to K - Q + i alone: the queries are those of the last Q places.</param>
    /// <param name="into">Shape [Q, d], not the queries' nor the keys' own.</param>
    /// <param name="working">As long as <see cref="Working"/> says.</param>
    public void Run(ReadOnlySpan<float> queries, ReadOnlySpan<float> keys, bool causal, Span<float> into, Span<float> working)
    {
        var (d, head) = (Columns, Columns / _heads);
        var (q, k) = (queries.Length / d, keys.Length / d);
        Span<float> keyRows = working[..(k * d)], valueRows = working.Slice(k * d, k * d), query = working.Slice(2 * k * d, d), sum = working.Slice((2 * k + 1) * d, d);
        var weights = working.Slice((2 * k + 2) * d, k);
        for (var j = 0; j < k; j++)
        {
            PlainForward.Run(_key, keys.Slice(j * d, d), keyRows.Slice(j * d, d));
            PlainForward.Run(_value, keys.Slice(j * d, d), valueRows.Slice(j * d, d));
        }
        var scale = (float)(1 / Math.Sqrt(head));
        for (var i = 0; i < q; i++)
        {
            PlainForward.Run(_query, queries.Slice(i * d, d), query);
            sum.Clear();
            var seen = weights[..(causal ? k - q + i + 1 : k)];
            for (var h = 0; h < d; h += head)
            {
                for (var j = 0; j < seen.Length; j++) seen[j] = VectorMath.Dot(query.Slice(h, head), keyRows.Slice(j * d + h, head)) * scale;
                PlainForward.Softmax(seen);
                for (var j = 0; j < seen.Length; j++) VectorMath.AddScaled(sum.Slice(h, head), seen[j], valueRows.Slice(j * d + h, head));
            }
            PlainForward.Run(_output, sum, into.Slice(i * d, d));
        }
    }

    private int Columns => _query.Bias.Length;

    /// <summary>[B, L, d] to [B, heads, L, d / heads].</summary>
    private torch.Tensor Split(torch.Tensor x) => x.reshape(x.shape[0], x.shape[1], _heads, x.shape[2] / _heads).transpose(1, 2);
}
