using Streaming.Models.Embeddings;
using Streaming.Models.Layers;
using Streaming.Models.Offline;
using Streaming.Models.Recall;
using TorchSharp;

namespace Streaming.Models.Retrieval;

/// <summary>Shape and examples of an <see cref="AutoRec"/>.</summary>
public sealed record AutoRecOptions
{
    /// <summary>True for I-AutoRec, whose rows are items with a column for each user; false for U-AutoRec, the other way round.</summary>
    public bool OfItems { get; init; }

    /// <summary>Columns of the hidden layer.</summary>
    public int Hidden { get; init; } = 256;

    /// <summary>lambda.</summary>
    public float Regularisation { get; init; } = 1f;

    /// <summary>
    /// Weight of what was not seen, as a 0 beside ones for what was; 0 for the paper's own loss, which fits the grades of what was seen and knows
    /// nothing of the rest.
    /// </summary>
    public float Unseen { get; init; } = 1f;

    /// <summary>Rows of a mini-batch.</summary>
    public int BatchSize { get; init; } = 128;
}

/// <summary>
/// An autoencoder of a row of the matrix of users and items: h(r) = W sigmoid(V r + mu) + b, by
/// <code>sum over rows of |r - h(r)|^2, of entries that count, + lambda / 2 (|W|^2 + |V|^2)</code>
/// (Sedhain et al. 2015, "AutoRec: Autoencoders Meet Collaborative Filtering", equations 1 and 2). Rows of users read the history that
/// is asked for; rows of items have a column for each user, and somebody unknown is the mean of all. In the live path
/// this is rows of users, over the items of a mini-batch: of a history, the history and what was clicked after it is told, so that it is no mere copy; rows
/// of items are <see cref="ItemAutoRec"/>. Features: sparse user, sequence items.
/// Known number: rating prediction, RMSE on ML-1M .831 (I-AutoRec) and .874 (U-AutoRec), in the paper; none for ranking.
/// </summary>
public sealed class AutoRec : IHistoryNetwork, IRecallNetwork
{
    private readonly AutoRecOptions _options;
    private readonly SparseMatrix _users, _rows;
    private readonly Linear _encoder, _decoder;
    private readonly float _meanGrade;
    private int[] _order = [];
    private torch.Tensor? _encodedItems;

    /// <param name="train">What it learns from.</param>
    /// <param name="options">Shape and examples.</param>
    /// <param name="seed">Of the first values.</param>
    public AutoRec(Interactions train, AutoRecOptions options, ulong seed)
    {
        _options = options;
        _users = SparseMatrix.UserItems(train);
        _rows = options.OfItems ? _users.Transpose() : _users;
        var sum = 0.0;
        foreach (var value in train.Values) sum += value;
        _meanGrade = train.Count == 0 ? 1 : (float)(sum / train.Count);
        _encoder = new Linear("encoder", _rows.ColumnCount, options.Hidden, seed);
        _decoder = new Linear("decoder", options.Hidden, _rows.ColumnCount, seed);
        Parameters = [.. _encoder.Parameters, .. _decoder.Parameters];
    }

    public IReadOnlyList<DenseParameter> Parameters { get; }

    private bool Grades => _options.Unseen == 0;

    public int BeginEpoch(Random random)
    {
        _order = [.. Enumerable.Range(0, _rows.RowCount).Where(row => _rows.Row(row).Length > 0)];
        random.Shuffle(_order);
        return (_order.Length + _options.BatchSize - 1) / _options.BatchSize;
    }

    public torch.Tensor Loss(int batch, torch.Device device)
    {
        var rows = _order.AsSpan(batch * _options.BatchSize, Math.Min(_options.BatchSize, _order.Length - batch * _options.BatchSize));
        return RowLoss(Dense(rows, device));
    }

    /// <summary>The loss of so many rows, and their part of the penalty, over their number.</summary>
    /// <param name="rows">Shape [B, columns], 0 where nothing was seen.</param>
    public torch.Tensor RowLoss(torch.Tensor rows)
    {
        var error = Error(rows, rows);
        var size = _encoder.Weight.Leaf.square().sum() + _decoder.Weight.Leaf.square().sum();
        return error + size * (_options.Regularisation / 2 / _rows.RowCount);
    }

    private torch.Tensor Error(torch.Tensor read, torch.Tensor told)
    {
        var seen = told.ne(0).to_type(torch.ScalarType.Float32);
        var weights = seen + (1 - seen) * _options.Unseen;
        return ((told - Decode(Encode(read))).square() * weights).sum() / told.shape[0];
    }

    public torch.Tensor Scores(ReadOnlySpan<HistoryQuery> queries, torch.Device device) =>
        _options.OfItems ? OfItems(queries, device) : Decode(Encode(Histories(queries, device)));

    /// <summary>What the items' rows come to is the same whoever asks.</summary>
    public void Freeze(torch.Device device)
    {
        if (!_options.OfItems) return;
        using var scope = torch.NewDisposeScope();
        _encodedItems = EncodeItems(device).DetachFromDisposeScope();
    }

    private torch.Tensor Encode(torch.Tensor rows) => _encoder.Forward(rows, true).sigmoid();

    private torch.Tensor Decode(torch.Tensor hidden) => _decoder.Forward(hidden, true);

    /// <summary>Shape [queries, items]: the columns of the users who ask.</summary>
    private torch.Tensor OfItems(ReadOnlySpan<HistoryQuery> queries, torch.Device device)
    {
        var hidden = _encodedItems ?? EncodeItems(device);
        List<torch.Tensor> weights = [], biases = [];
        foreach (var query in queries)
        {
            var known = query.User < _users.RowCount && _users.Row(query.User).Length > 0;
            torch.Tensor Row(DenseParameter of) => known ? of.Leaf.narrow(0, query.User, 1) : of.Leaf.mean([0], keepdim: true);
            weights.Add(Row(_decoder.Weight));
            biases.Add(Row(_decoder.Bias));
        }
        return torch.cat(weights, 0).matmul(hidden.t()) + torch.cat(biases, 0).unsqueeze(1);
    }

    /// <summary>Shape [items, hidden], some hundred rows at a time: a dense matrix of all would be large.</summary>
    private torch.Tensor EncodeItems(torch.Device device)
    {
        var parts = new List<torch.Tensor>();
        foreach (var rows in Enumerable.Range(0, _rows.RowCount).Chunk(512)) parts.Add(Encode(Dense(rows, device)));
        return torch.cat(parts, 0);
    }

    private torch.Tensor Dense(ReadOnlySpan<int> rows, torch.Device device)
    {
        var values = new float[rows.Length * _rows.ColumnCount];
        for (var r = 0; r < rows.Length; r++)
        {
            var columns = _rows.Row(rows[r]);
            var grades = _rows.RowValues(rows[r]);
            for (var i = 0; i < columns.Length; i++) values[r * _rows.ColumnCount + columns[i]] = Grades ? grades[i] : 1;
        }
        return TensorMemory.Tensor(values, [rows.Length, _rows.ColumnCount], device);
    }

    private torch.Tensor Histories(ReadOnlySpan<HistoryQuery> queries, torch.Device device)
    {
        var values = new float[queries.Length * _rows.ColumnCount];
        for (var r = 0; r < queries.Length; r++)
            foreach (var item in queries[r].History) values[r * _rows.ColumnCount + item] = Grades ? Grade(queries[r].User, item) : 1;
        return TensorMemory.Tensor(values, [queries.Length, _rows.ColumnCount], device);
    }

    /// <summary>A history comes without grades: the user's own where training knows it, else the mean of all.</summary>
    private float Grade(int user, int item) =>
        user < _users.RowCount && _users.Row(user).BinarySearch(item) is >= 0 and var at ? _users.RowValues(user)[at] : _meanGrade;

    public IReadOnlyList<RowTable> Tables
    {
        get
        {
            static torch.Tensor Items(torch.Tensor rows) => rows.narrow(0, 1, rows.shape[0] - 1);
            var scale = 1 / Math.Sqrt(_options.Hidden);
            return
            [
                new(_decoder.Weight, RowsOf.Items, scale) { Columns = _options.Hidden, View = Items },
                new(_decoder.Bias, RowsOf.Items, 0) { View = rows => Items(rows).reshape(-1) },
                new(_encoder.Weight, RowsOf.Items, scale) { Columns = _options.Hidden, View = rows => Items(rows).t() },
            ];
        }
    }

    /// <summary>A user's is the hidden layer and 1, an item's its row of W and its bias.</summary>
    public int VectorDim => _options.Hidden + 1;

    public torch.Tensor Loss(RecallPass pass)
    {
        var (read, told) = LiveRows(pass);
        var size = _encoder.Weight.Leaf.square().sum() + _decoder.Weight.Leaf.square().sum();
        return Error(read, told) + size * (_options.Regularisation / 2 / pass.Items);
    }

    public torch.Tensor Scores(RecallPass pass) => Decode(Encode(LiveRows(pass).Read)).narrow(1, 0, pass.Candidates);

    /// <summary>Histories over the items of the mini-batch, and the same with what was clicked after each; shape [P, items].</summary>
    private static (torch.Tensor Read, torch.Tensor Told) LiveRows(RecallPass pass)
    {
        var (histories, targets, _) = pass.Told;
        var values = new float[targets.Length * pass.Items];
        torch.Tensor Rows() => TensorMemory.Tensor(values, [targets.Length, pass.Items], pass.Targets.device);
        for (var at = 0; at < histories.Length; at++)
            if (histories[at] > 0) values[at / (histories.Length / targets.Length) * pass.Items + histories[at] - 1] = 1;
        var read = Rows();
        for (var row = 0; row < targets.Length; row++) values[row * pass.Items + targets[row] - 1] = 1;
        return (read, Rows());
    }

    public void ItemVector(ulong item, RecallRows rows, Span<float> into)
    {
        rows.Row(0, item).CopyTo(into);
        into[_options.Hidden] = rows.Row(1, item)[0];
    }

    public int UserVectors(in RecallQuery query, RecallRows rows, Span<float> into)
    {
        var hidden = into[.._options.Hidden];
        _encoder.Bias.Values.CopyTo(hidden);
        for (var i = 0; i < query.History.Length; i++)
        {
            // An item that stands there twice is seen once.
            if (query.History[..i].Contains(query.History[i])) continue;
            VectorMath.AddScaled(hidden, 1, rows.Row(2, query.History[i]));
        }
        foreach (ref var value in hidden) value = VectorMath.Sigmoid(value);
        into[_options.Hidden] = 1;
        return 1;
    }
}
