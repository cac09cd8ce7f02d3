using Streaming.Models.Layers;
using TorchSharp;

namespace Streaming.Models.Reranking;

/// <summary>Widths of a <see cref="PrmNetwork"/>.</summary>
public sealed record PrmOptions
{
    /// <summary>d.</summary>
    public int Dim { get; init; } = 32;

    /// <summary>Hidden columns of the feed-forward part of a block.</summary>
    public int Hidden { get; init; } = 64;

    /// <summary>Divides <see cref="Dim"/>.</summary>
    public int Heads { get; init; } = 2;

    /// <summary>N_x.</summary>
    public int Blocks { get; init; } = 2;

    /// <summary>Items of a list at most.</summary>
    public int ItemsMax { get; init; } = 50;

    /// <summary>Share that learning drops.</summary>
    public double Dropout { get; init; }

    /// <summary>Whether the head adds to the log-odds of the ranker before, the last feature, from 0 on; not in the paper.</summary>
    public bool AddsToBase { get; init; }

    /// <summary>Of the first values.</summary>
    public ulong Seed { get; init; } = 1;

    /// <exception cref="ArgumentOutOfRangeException">Names the value that makes no sense.</exception>
    public void Check()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(Dim, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(Hidden, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(Heads, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(Blocks, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(ItemsMax, 1);
        if (Dropout is not (>= 0 and < 1)) throw new ArgumentOutOfRangeException(nameof(Dropout), Dropout, "must be 0 to below 1");
    }
}

/// <summary>
/// Personalised re-ranking: E = ([x_i ; pv_i] + pe_i) W + b for the items i of a ranked list, x_i features of the item, pv_i the personalised vector, which is the
/// last hidden layer of a pre-trained ranker for the user and the item, pe_i of its place; N_x encoder blocks, LN(z + FFN(z)) with z = LN(E + MultiHead(E)); P(y_i) =
/// softmax over the list of F w + b; loss -sum over lists and clicked items of log P(y_i) (Pei et al., "Personalized Re-ranking for Recommendation", RecSys 2019,
/// equations 1 to 8). Known number: none on a set that we have; the paper has it 4.5 to 5.0 % above its base ranker in MAP on Yahoo Letor and on Taobao's own log.
/// Features: dense, sequence (the list).
/// </summary>
public sealed class PrmNetwork
{
    private const float Never = -1e9f;

    private readonly PrmOptions _options;
    private readonly DenseParameter _places;
    private readonly Linear _input, _output;
    private readonly Block[] _blocks;

    private sealed record Block(MultiHeadAttention Attention, LayerNorm Between, Linear Inner, Linear Outer, LayerNorm After)
    {
        public IEnumerable<DenseParameter> Parameters =>
            [.. Attention.Parameters, .. Between.Parameters, .. Inner.Parameters, .. Outer.Parameters, .. After.Parameters];
    }

    /// <param name="columns">C: of an item, its features and its personalised vector together.</param>
    /// <param name="options">Widths.</param>
    public PrmNetwork(int columns, PrmOptions options)
    {
        options.Check();
        (Columns, _options) = (columns, options);
        _places = new DenseParameter("place", DenseParameter.Uniform("place", options.Seed, options.ItemsMax * columns, 0.02), options.ItemsMax, columns);
        _input = new Linear("input", columns, options.Dim, options.Seed);
        _blocks = [.. Enumerable.Range(0, options.Blocks).Select(b => new Block(
            new MultiHeadAttention($"block{b}.attention", options.Dim, options.Heads, options.Dropout, options.Seed), new LayerNorm($"block{b}.between", options.Dim),
            new Linear($"block{b}.inner", options.Dim, options.Hidden, options.Seed), new Linear($"block{b}.outer", options.Hidden, options.Dim, options.Seed),
            new LayerNorm($"block{b}.after", options.Dim)))];
        _output = new Linear("output", options.Dim, 1, options.Seed);
        // Nothing learned adds nothing: the order is that of the ranker before.
        if (options.AddsToBase) foreach (var parameter in _output.Parameters) Array.Clear(parameter.Values);
        Parameters = [_places, .. _input.Parameters, .. _blocks.SelectMany(b => b.Parameters), .. _output.Parameters];
    }

    /// <summary>C.</summary>
    public int Columns { get; }

    /// <summary>Items of a list at most.</summary>
    public int ItemsMax => _options.ItemsMax;

    public IReadOnlyList<DenseParameter> Parameters { get; }

    /// <summary>Shape [B, n]: F w + b; far below all others behind a list's end. The parameters have begun a pass.</summary>
    /// <param name="lists">Lists of at most <see cref="ItemsMax"/> items.</param>
    /// <param name="learning">Whether the pass will be learned from.</param>
    /// <param name="device">Where it computes.</param>
    public torch.Tensor Logits(ListBatch lists, bool learning, torch.Device device)
    {
        var (rows, length) = (lists.Count, lists.Longest);
        if (lists.Columns != Columns || length > ItemsMax) throw new ArgumentException($"lists of {length} items with {lists.Columns} features for a network of {ItemsMax} with {Columns}");
        torch.Tensor Drop(torch.Tensor x) => torch.nn.functional.dropout(x, _options.Dropout, learning);
        var features = TensorMemory.Tensor(lists.Features, [rows, length, Columns], device);
        var behind = (1 - TensorMemory.Tensor(lists.Mask, [rows, length], device)) * Never;
        var mask = behind.unsqueeze(1).unsqueeze(1);
        var x = _input.Forward(features + _places.Leaf.narrow(0, 0, length), learning);
        foreach (var block in _blocks)
        {
            var z = block.Between.Forward(x + Drop(block.Attention.Forward(x, x, mask, learning)), learning);
            x = block.After.Forward(z + Drop(block.Outer.Forward(torch.nn.functional.relu(block.Inner.Forward(z, learning)), learning)), learning);
        }
        var logits = _output.Forward(x, learning).squeeze(-1);
        if (_options.AddsToBase) logits = logits + features.narrow(2, Columns - 1, 1).squeeze(-1);
        return logits + behind;
    }

    /// <summary>A scalar: mean over the lists of -sum of log P over the clicked items.</summary>
    /// <param name="logits">Of <see cref="Logits"/>.</param>
    /// <param name="lists">The same; one without a click adds nothing.</param>
    /// <param name="device">Where it computes.</param>
    public static torch.Tensor Loss(torch.Tensor logits, ListBatch lists, torch.Device device) =>
        -(logits.log_softmax(1) * TensorMemory.Tensor(lists.Labels, [lists.Count, lists.Longest], device)).sum(1).mean();
}
