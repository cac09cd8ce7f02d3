using Streaming.Models.Layers;
using Streaming.Models.Recall;
using TorchSharp;

namespace Streaming.Models.Sequences;

/// <summary>
/// A network of a user's items in time order. Features: sequence <c>items</c>, nothing else; items are numbered from 1 and 0 is padding, which
/// stands in front, so that the last item is always in the last column.
/// </summary>
public interface ISequenceNetwork
{
    /// <summary>What gradients move, in a fixed order.</summary>
    IReadOnlyList<DenseParameter> Parameters { get; }

    /// <summary>Items of a sequence that it reads at most.</summary>
    int LengthMax { get; }

    /// <summary>What stands for an item that is to be told; 0 where the network tells the next one.</summary>
    long MaskItem { get; }

    /// <summary>A vector for each place of each sequence, shape [B, L, d]; those of padding mean nothing. The parameters have begun a pass.</summary>
    /// <param name="items">Shape [B, L], L at most <see cref="LengthMax"/>.</param>
    /// <param name="learning">Whether the pass will be learned from.</param>
    torch.Tensor Encode(torch.Tensor items, bool learning);

    /// <summary>The logit of every item, shape [N, items], column 0 for item 1.</summary>
    /// <param name="vectors">Of <see cref="Encode"/>, shape [N, d].</param>
    torch.Tensor Logits(torch.Tensor vectors);
}

/// <summary>What the networks share.</summary>
internal static class SequenceNetwork
{
    /// <summary>Added to a logit of attention: so far below that it counts 0, and finite, so that a row of padding is no NaN.</summary>
    private const float Never = -1e9f;

    /// <summary>Keys that no query may see: padding; shape [B, 1, 1, L].</summary>
    public static torch.Tensor PaddingMask(torch.Tensor items) => items.eq(0).to_type(torch.ScalarType.Float32).mul(Never).unsqueeze(1).unsqueeze(1);

    /// <summary>Keys after the query; shape [L, L].</summary>
    public static torch.Tensor CausalMask(long length, torch.Device device) =>
        torch.full([length, length], Never, torch.ScalarType.Float32, device).triu(1);

    /// <summary>Rows of a table for numbers of any shape: [...] to [..., columns].</summary>
    public static torch.Tensor Embed(DenseParameter table, torch.Tensor numbers) =>
        table.Leaf.index_select(0, numbers.reshape(-1)).reshape([.. numbers.shape, table.Shape[1]]);

    /// <summary>The rows of items: all but that of the padding, and of the mask where there is one.</summary>
    public static torch.Tensor ItemRows(DenseParameter table, bool hasMask = false) => table.Leaf.narrow(0, 1, table.Leaf.shape[0] - (hasMask ? 2 : 1));

    /// <summary>In the live path: the logits of the candidates after each history, shape [P, C].</summary>
    public static torch.Tensor Next(this ISequenceNetwork network, RecallPass pass, bool hasMask, bool learning)
    {
        var items = pass.Batch.Items;
        if (hasMask) items = torch.cat([items, torch.full([items.shape[0], 1], pass.Items + 1, torch.ScalarType.Int64, items.device)], 1);
        return network.Logits(network.Encode(items, learning).select(1, items.shape[1] - 1)).narrow(1, 0, pass.Candidates);
    }

    /// <summary>In the live path: an item's vector where users' end in 1, its row and then its bias.</summary>
    /// <param name="rows">Of the table of items, and of <see cref="Biases"/>.</param>
    /// <param name="into">Shape [columns + 1].</param>
    public static void WithBias(ulong item, RecallRows rows, Span<float> into)
    {
        rows.Row(0, item).CopyTo(into);
        into[^1] = rows.Row(1, item)[0];
    }

    /// <summary>What is beside the rows of items of a table of one column: a bias for each, from item 1 on.</summary>
    public static RowTable Biases(DenseParameter biases) => new(biases, RowsOf.Items, 0) { View = rows => rows.narrow(0, 1, rows.shape[0] - 1).reshape(-1) };
}
