using Streaming.Models.Embeddings;
using Streaming.Models.Layers;
using Streaming.Models.Recall;
using TorchSharp;

namespace Streaming.Models.Retrieval;

/// <summary>
/// I-AutoRec of the live path: an autoencoder of items' rows, which have a column for each user (Sedhain et al. 2015, equations 1 and 2; offline it is
/// <see cref="AutoRec"/>). The score of item i for user u is w_u h_i + b_u, h_i = sigmoid(mu + sum of v_c over who clicked i) - 1/2: the half is the paper's
/// b_u written otherwise. An item has nothing of its own but the sum, to which a user's first click on it adds the v that they have by then, while what was
/// there fades, so that the newest <see cref="Clicks"/> or so count. w_u is what was learned of the user on top of the mean of h over their history, to which
/// one step of plain gradient is proportional: lists follow a click before it is learned, and somebody new has the mean alone. Of a mini-batch's clicks every
/// other one, by a draw, is read, and all are told, with what those users clicked before; what they did not is told as 0. Features: sparse user, sequence
/// items.
/// Known number: none of this form; the paper's, of ratings, is that of <see cref="AutoRec"/>.
/// </summary>
public sealed class ItemAutoRec : IRecallNetwork
{
    /// <summary>Clicks after which an item's sum has kept a third of what it was.</summary>
    private const float Clicks = 100;

    private const int Sum = 0, Decoder = 1, Encoder = 2;

    private readonly AutoRecOptions _options;
    private readonly DenseParameter _sum, _bias, _encoder, _decoder;

    /// <param name="options">Shape and loss.</param>
    public ItemAutoRec(AutoRecOptions options)
    {
        _options = options;
        DenseParameter Rows(string name, int columns) => new(name, [], 0, columns);
        (_sum, _encoder, _decoder) = (Rows("sum", options.Hidden), Rows("user.encoder", options.Hidden), Rows("user", options.Hidden + 1));
        _bias = new DenseParameter("encoder.bias", DenseParameter.Constant(options.Hidden, 0), options.Hidden);
        Parameters = [_sum, _decoder, _encoder, _bias];
        Tables =
        [
            new RowTable(_sum, RowsOf.Items, 0) { IsKept = true },
            new RowTable(_decoder, RowsOf.Users, 0),
            new RowTable(_encoder, RowsOf.Users, 1 / Math.Sqrt(options.Hidden)),
        ];
    }

    public IReadOnlyList<DenseParameter> Parameters { get; }

    public IReadOnlyList<RowTable> Tables { get; }

    public int VectorDim => _options.Hidden;

    public torch.Tensor Loss(RecallPass pass)
    {
        var (items, users) = (pass.Candidates, (int)_decoder.Leaf.shape[0]);
        float[] read = new float[items * users], told = new float[items * users];
        var (histories, targets, asking) = pass.Told;
        var length = histories.Length / targets.Length;
        // By user, the row that tells their history: the newest.
        var newest = new long[users];
        for (var row = 0; row < targets.Length; row++)
        {
            newest[asking[row]] = row;
            for (var at = row * length; at < (row + 1) * length; at++)
                if (histories[at] is > 0 and var item && item <= items) told[(item - 1) * users + asking[row]] = 1;
            var cell = (targets[row] - 1) * users + asking[row];
            told[cell] = 1;
            if (pass.Draw(row, 2) == 0) read[cell] = 1;
        }
        torch.Tensor Matrix(float[] values) => TensorMemory.Tensor(values, [items, users], pass.Targets.device);
        var (rows, learned, bias) = (Matrix(told), _decoder.Leaf.narrow(1, 0, _options.Hidden), _decoder.Leaf.select(1, _options.Hidden));
        var hidden = Hidden(_sum.Leaf.narrow(0, 1, items) + Matrix(read).matmul(_encoder.Leaf));
        var mean = MeanOfHistory(pass.Batch).detach().index_select(0, TensorMemory.Tensor(newest, [users], pass.Targets.device));
        var given = hidden.matmul((mean + learned).t()) + bias.unsqueeze(0);
        // The padding is nobody.
        var weights = (rows + (1 - rows) * _options.Unseen).narrow(1, 1, users - 1);
        var size = _encoder.Leaf.square().sum() + learned.square().sum();
        return ((rows - given).narrow(1, 1, users - 1).square() * weights).sum() / items + size * (_options.Regularisation / 2 / items);
    }

    public torch.Tensor Scores(RecallPass pass)
    {
        var learned = _decoder.Leaf.index_select(0, pass.Batch.Users).narrow(1, 0, _options.Hidden);
        return (MeanOfHistory(pass.Batch) + learned).matmul(Hidden(_sum.Leaf.narrow(0, 1, pass.Candidates)).t());
    }

    /// <summary>Less a half, so that what nothing is known of is 0.</summary>
    private torch.Tensor Hidden(torch.Tensor sums) => (sums + _bias.Leaf.unsqueeze(0)).sigmoid() - 0.5f;

    /// <summary>Shape [P, hidden].</summary>
    private torch.Tensor MeanOfHistory(HistoryBatch batch)
    {
        var there = batch.There.unsqueeze(2);
        var history = Hidden(_sum.Leaf).index_select(0, batch.Items.reshape(-1)).reshape(batch.Rows, batch.Length, _options.Hidden);
        return (history * there).sum(1) / there.sum(1);
    }

    public void Keep(ulong user, ulong item, ReadOnlySpan<ulong> history, RecallRows rows, long nowMs)
    {
        // As a row of zeros and ones has it once.
        if (history.Contains(item) || !rows.TryWrite(Sum, item, nowMs, out var sum)) return;
        foreach (ref var value in sum) value *= 1 - 1 / Clicks;
        VectorMath.AddScaled(sum, 1, rows.Row(Encoder, user));
    }

    public void ItemVector(ulong item, RecallRows rows, Span<float> into)
    {
        rows.Row(Sum, item).CopyTo(into);
        for (var i = 0; i < into.Length; i++) into[i] = VectorMath.Sigmoid(into[i] + _bias.Values[i]) - 0.5f;
    }

    public int UserVectors(in RecallQuery query, RecallRows rows, Span<float> into)
    {
        Span<float> hidden = stackalloc float[_options.Hidden];
        rows.Row(Decoder, query.User)[.._options.Hidden].CopyTo(into);
        foreach (var item in query.History)
        {
            ItemVector(item, rows, hidden);
            VectorMath.AddScaled(into, 1f / query.History.Length, hidden);
        }
        return 1;
    }
}
