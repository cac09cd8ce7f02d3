using Streaming.Core.Ids;
using Streaming.Models.Embeddings;
using Streaming.Models.Layers;
using Streaming.Models.Retrieval;
using TorchSharp;

namespace Streaming.Models.Recall;

/// <summary>
/// What the live path asks of a network beyond learning offline. Learning: its tables of items and users are those of the mini-batch, gathered from tables
/// that grow, so that the same forward pass serves both. Serving: vectors of users and items in plain arrays, without libtorch, whose largest
/// inner product is the score.
/// </summary>
public interface IRecallNetwork
{
    /// <summary>What gradients move, tables included.</summary>
    IReadOnlyList<DenseParameter> Parameters { get; }

    /// <summary>Those of the parameters that have a row for each item or user, in a fixed order.</summary>
    IReadOnlyList<RowTable> Tables { get; }

    /// <summary>What else vectors depend on.</summary>
    IReadOnlyList<DenseBuffer> Buffers => [];

    /// <summary>The loss of a mini-batch, a scalar. The parameters have begun a pass.</summary>
    torch.Tensor Loss(RecallPass pass);

    /// <summary>Called for each clicked row when the mini-batch has been learned: writes what the tables hold that no gradient moves.</summary>
    /// <param name="user">Who clicked.</param>
    /// <param name="item">What.</param>
    /// <param name="history">Keys of what the user had acted on before, newest first.</param>
    /// <param name="rows">Of all tables; <see cref="RowTable.IsKept"/> ones may be written.</param>
    /// <param name="nowMs">Event time, for the expiry of rows.</param>
    void Keep(ulong user, ulong item, ReadOnlySpan<ulong> history, RecallRows rows, long nowMs)
    {
        // Most networks are moved by gradients alone.
    }

    /// <summary>The score of each candidate for each row, shape [P, C]: up to a number that a row's candidates share, the largest inner product of the plain vectors.</summary>
    torch.Tensor Scores(RecallPass pass);

    /// <summary>Numbers of a vector.</summary>
    int VectorDim { get; }

    /// <summary>Vectors of a user at most.</summary>
    int VectorsMax => 1;

    /// <summary>The vectors of a user who has a history; returns how many. Any number of threads while nobody learns.</summary>
    /// <param name="into">Shape [<see cref="VectorsMax"/>, <see cref="VectorDim"/>].</param>
    int UserVectors(in RecallQuery query, RecallRows rows, Span<float> into);

    /// <summary>The vector of an item that has rows.</summary>
    /// <param name="into">Shape [<see cref="VectorDim"/>].</param>
    void ItemVector(ulong item, RecallRows rows, Span<float> into);
}

/// <summary>Whose rows a table has.</summary>
public enum RowsOf
{
    Items,

    /// <summary>The table is called "user", by which name a deleted user's row is found.</summary>
    Users,
}

/// <summary>
/// A parameter of a network of which the live path keeps a row for each item or user that it has met. In a pass it is the mini-batch's: row 0 is the
/// padding, zeros, and row i that of the item or user with number i.
/// </summary>
/// <param name="Parameter">The network's own; it is made for no items.</param>
/// <param name="Of">Whose rows.</param>
/// <param name="InitScale">New rows are uniform in [-scale, scale).</param>
public sealed record RowTable(DenseParameter Parameter, RowsOf Of, double InitScale)
{
    /// <summary>Columns of a row.</summary>
    public int Columns { get; init; } = Parameter.Shape.Length == 1 ? 1 : (int)Parameter.Shape[1];

    /// <summary>What the network reads in place of the rows, shape [1 + U, columns]; the rows themselves unless given.</summary>
    public Func<torch.Tensor, torch.Tensor> View { get; init; } = rows => rows;

    /// <summary>Whether its last row in a pass is that of an item to be told.</summary>
    public bool HasMask { get; init; }

    /// <summary>Whether no gradient moves its rows: the network writes them itself (<see cref="IRecallNetwork.Keep"/>).</summary>
    public bool IsKept { get; init; }
}

/// <summary>A mini-batch of clicked items with what stood before them: P rows, and C distinct items that might have been clicked, numbered from 1 before all others.</summary>
/// <param name="Batch">The histories, L columns; items and users by their numbers.</param>
/// <param name="Targets">Shape [P], numbers of the items that were clicked.</param>
/// <param name="Candidates">C.</param>
/// <param name="LogP">Shape [1, C], log of the chance that a mini-batch holds the candidate.</param>
/// <param name="Weights">Shape [P], of the rows' losses.</param>
/// <param name="Items">U: distinct items. Where a table has a mask, that is number U + 1.</param>
/// <param name="Told">The same numbers as <see cref="HistoryBatch.Items"/>, as <paramref name="Targets"/> and as <see cref="HistoryBatch.Users"/>, in plain arrays.</param>
/// <param name="Step">Mini-batches learned, this one included: another in every step, so that draws can hang on it.</param>
public sealed record RecallPass(
    HistoryBatch Batch, torch.Tensor Targets, int Candidates, torch.Tensor LogP, torch.Tensor Weights, int Items, (long[] Histories, long[] Targets, long[] Users) Told, long Step)
{
    /// <summary>
    /// The mean of - w log of the softmax over the candidates, each logit less the log of its chance (Yi et al. 2019, as <see cref="Deep.TwoTower"/>).
    /// </summary>
    /// <param name="logits">Shape [P, C].</param>
    public torch.Tensor SoftmaxLoss(torch.Tensor logits) =>
        -((logits - LogP).log_softmax(1).gather(1, (Targets - 1).unsqueeze(1)).squeeze(1) * Weights).mean();

    /// <summary>Numbers of candidates, all as likely, the same every time.</summary>
    /// <param name="count">How many.</param>
    public long[] Drawn(int count)
    {
        var drawn = new long[count];
        for (var i = 0; i < count; i++) drawn[i] = 1 + Draw(i, Candidates);
        return drawn;
    }

    /// <summary>The pass's draw of a number, from 0 and below a bound, the same every time.</summary>
    /// <param name="index">Which draw.</param>
    /// <param name="bound">How many numbers there are.</param>
    public long Draw(int index, int bound) => (long)Math.BigMul(StableHash.Combine(StableHash.Finalise((ulong)Step), (ulong)index), (ulong)bound, out _);

    /// <summary>The candidates' numbers, shape [C].</summary>
    public torch.Tensor CandidateNumbers => torch.arange(1, Candidates + 1, torch.ScalarType.Int64, Targets.device);
}

/// <summary>Who asks.</summary>
/// <param name="user">Key of the user.</param>
/// <param name="history">Keys of the user's past positive items, newest first, at least one.</param>
/// <param name="inSession">How many of them, from the start, belong to the open session.</param>
public readonly ref struct RecallQuery(ulong user, ReadOnlySpan<ulong> history, int inSession)
{
    public ulong User { get; } = user;

    public ReadOnlySpan<ulong> History { get; } = history;

    public int InSession { get; } = inSession;
}

/// <summary>The rows of a model's tables.</summary>
public sealed class RecallRows
{
    private readonly EmbeddingTable[] _tables;
    private readonly float[] _none;

    /// <param name="tables">In the order of <see cref="IRecallNetwork.Tables"/>.</param>
    public RecallRows(IReadOnlyList<EmbeddingTable> tables) => (_tables, _none) = ([.. tables], new float[tables.Max(t => t.Dim)]);

    /// <summary>Whether the table has a row of this key.</summary>
    public bool Has(int table, ulong key) => key != 0 && _tables[table].TryGet(key, out _);

    /// <summary>The row of a key; zeros where there is none, as in learning.</summary>
    public ReadOnlySpan<float> Row(int table, ulong key) => key != 0 && _tables[table].TryGet(key, out var row) ? row : _none.AsSpan(0, _tables[table].Dim);

    /// <summary>The row of a key, to write, for the learner; false where there is none.</summary>
    public bool TryWrite(int table, ulong key, long nowMs, out Span<float> row)
    {
        row = default;
        return Has(table, key) && _tables[table].GetOrAdmit(key, nowMs, out row, out _);
    }

    /// <summary>The mean of the rows of so many keys.</summary>
    public void Mean(int table, ReadOnlySpan<ulong> keys, Span<float> into)
    {
        into.Clear();
        foreach (var key in keys) VectorMath.AddScaled(into, 1f / keys.Length, Row(table, key));
    }
}
