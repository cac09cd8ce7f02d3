using Streaming.Models.Embeddings;
using Streaming.Models.Layers;
using Streaming.Models.Neural;
using Streaming.Models.Offline;
using Streaming.Models.Recall;
using Streaming.Models.Sequences;
using TorchSharp;

namespace Streaming.Models.Retrieval;

/// <summary>Shape and examples of a <see cref="TransRec"/>.</summary>
public sealed record TransRecOptions
{
    /// <summary>Columns of the space.</summary>
    public int Dim { get; init; } = 64;

    /// <summary>Drawn for each step of a history, uniformly from what the user does not have; the paper draws one.</summary>
    public int Negatives { get; init; } = 1;

    /// <summary>lambda of the penalty lambda / 2 on the squares of the t_u and b_j that an example reads.</summary>
    public float Regularisation { get; init; } = 1e-4f;

    /// <summary>Steps of a mini-batch.</summary>
    public int BatchSize { get; init; } = 4096;
}

/// <summary>
/// Users as translations: the score of item j after item i is b_j - |g_i + t + t_u - g_j|^2, g within the unit ball, t shared and t_u the
/// user's own, 0 for somebody new; by the sequential Bayesian personalised ranking loss, - log sigmoid(s_j - s_n) for a drawn n
/// (He, Kang and McAuley 2017, "Translation-based Recommendation", equations 3 to 6; the squared distance of the two that it names). Features: sparse
/// user, the last of the sequence items. Without a last item the score is b_j. In the live path what is drawn are
/// items of the mini-batch.
/// Known number: none in the paper for these data.
/// </summary>
public sealed class TransRec : IHistoryNetwork, IRecallNetwork
{
    private readonly TransRecOptions _options;
    private readonly Interactions _train;
    private readonly SparseMatrix _matrix;
    private readonly DenseParameter _item, _bias, _shared, _user;
    private readonly int[] _users, _before, _after, _order;
    private Random _random = new(0);

    /// <param name="train">What it learns from.</param>
    /// <param name="options">Shape and examples.</param>
    /// <param name="seed">Of the first values.</param>
    public TransRec(Interactions train, TransRecOptions options, ulong seed)
    {
        (_train, _options, _matrix) = (train, options, SparseMatrix.UserItems(train));
        _item = PairNetwork.Table("item", train.ItemCount, options.Dim, seed, 0.5 / Math.Sqrt(options.Dim));
        _bias = new DenseParameter("bias", DenseParameter.Constant(train.ItemCount, 0), train.ItemCount);
        _shared = PairNetwork.Table("shared", 1, options.Dim, seed, 0.1 / Math.Sqrt(options.Dim));
        _user = new DenseParameter("user", DenseParameter.Constant(train.UserCount * options.Dim, 0), train.UserCount, options.Dim);
        Parameters = [_item, _bias, _shared, _user];
        List<int> users = [], before = [], after = [];
        for (var user = 0; user < train.UserCount; user++)
        {
            var history = train.History(user);
            for (var at = 1; at < history.Length; at++)
            {
                users.Add(user);
                before.Add(history[at - 1]);
                after.Add(history[at]);
            }
        }
        (_users, _before, _after, _order) = ([.. users], [.. before], [.. after], new int[users.Count]);
    }

    public IReadOnlyList<DenseParameter> Parameters { get; }

    public int BeginEpoch(Random random)
    {
        _random = random;
        for (var i = 0; i < _order.Length; i++) _order[i] = i;
        random.Shuffle(_order);
        return (_order.Length + _options.BatchSize - 1) / _options.BatchSize;
    }

    public torch.Tensor Loss(int batch, torch.Device device)
    {
        var steps = _order.AsSpan(batch * _options.BatchSize, Math.Min(_options.BatchSize, _order.Length - batch * _options.BatchSize));
        var (n, count) = (_options.Negatives, steps.Length);
        var (users, before, after, negatives) = (new long[count], new long[count], new long[count], new long[count * n]);
        for (var i = 0; i < count; i++)
        {
            (users[i], before[i], after[i]) = (_users[steps[i]], _before[steps[i]], _after[steps[i]]);
            for (var k = 0; k < n; k++) negatives[i * n + k] = Negative(_users[steps[i]]);
        }
        return StepLoss(TensorMemory.Tensor(users, [count], device), TensorMemory.Tensor(before, [count], device),
            TensorMemory.Tensor(after, [count], device), TensorMemory.Tensor(negatives, [count, n], device));
    }

    /// <summary>Some draws and no more: they would never end for who has everything.</summary>
    private int Negative(int user)
    {
        var item = _random.Next(_train.ItemCount);
        for (var tries = 0; tries < 10 && _matrix.Row(user).BinarySearch(item) >= 0; tries++) item = _random.Next(_train.ItemCount);
        return item;
    }

    /// <summary>The mean loss of steps.</summary>
    /// <param name="users">Shape [B].</param>
    /// <param name="before">Shape [B].</param>
    /// <param name="after">Shape [B].</param>
    /// <param name="negatives">Shape [B, n].</param>
    public torch.Tensor StepLoss(torch.Tensor users, torch.Tensor before, torch.Tensor after, torch.Tensor negatives)
    {
        var (items, own) = (InBall(), _user.Leaf.index_select(0, users));
        var query = (items.index_select(0, before) + _shared.Leaf + own).unsqueeze(1);
        // Shape [B, 1 + n]: the item that came, then those drawn.
        var which = torch.cat([after.unsqueeze(1), negatives], 1).reshape(-1);
        var targets = items.index_select(0, which).reshape(users.shape[0], -1, _options.Dim);
        var biases = _bias.Leaf.index_select(0, which).reshape(users.shape[0], -1);
        var scores = biases - (query - targets).square().sum(2);
        var margin = scores.narrow(1, 0, 1) - scores.narrow(1, 1, negatives.shape[1]);
        var size = own.square().sum() + biases.square().sum();
        return torch.nn.functional.softplus(-margin).mean() + size * (_options.Regularisation / 2 / users.shape[0]);
    }

    public torch.Tensor Scores(ReadOnlySpan<HistoryQuery> queries, torch.Device device)
    {
        var (last, user, hasLast, known) = (new long[queries.Length], new long[queries.Length], new float[queries.Length], new float[queries.Length]);
        for (var i = 0; i < queries.Length; i++)
        {
            if (queries[i].History.Length > 0) (last[i], hasLast[i]) = (queries[i].History[^1], 1);
            if (queries[i].User < _train.UserCount) (user[i], known[i]) = (queries[i].User, 1);
        }
        torch.Tensor Column(float[] values) => TensorMemory.Tensor(values, [values.Length, 1], device);
        var items = InBall();
        var own = _user.Leaf.index_select(0, TensorMemory.Tensor(user, [user.Length], device)) * Column(known);
        var query = items.index_select(0, TensorMemory.Tensor(last, [last.Length], device)) + _shared.Leaf + own;
        var distances = query.square().sum(1, keepdim: true) - 2 * query.matmul(items.t()) + items.square().sum(1).unsqueeze(0);
        return _bias.Leaf.unsqueeze(0) - distances * Column(hasLast);
    }

    public IReadOnlyList<RowTable> Tables =>
    [
        new(_item, RowsOf.Items, 0.5 / Math.Sqrt(_options.Dim) * Math.Sqrt(3)), new(_bias, RowsOf.Items, 0) { View = rows => rows.reshape(-1) },
        new(_user, RowsOf.Users, 0),
    ];

    /// <summary>A user's is 2 q and 1, q = g_i + t + t_u, an item's g_j and b_j - |g_j|^2: |q|^2 is the same for all items.</summary>
    public int VectorDim => _options.Dim + 1;

    public torch.Tensor Loss(RecallPass pass)
    {
        var rows = pass.Targets.shape[0];
        var negatives = TensorMemory.Tensor(pass.Drawn((int)rows * _options.Negatives), [rows, _options.Negatives], pass.Targets.device);
        return StepLoss(pass.Batch.Users, pass.Batch.Items.select(1, pass.Batch.Length - 1), pass.Targets, negatives);
    }

    public torch.Tensor Scores(RecallPass pass)
    {
        var items = InBall();
        var query = items.index_select(0, pass.Batch.Items.select(1, pass.Batch.Length - 1)) + _shared.Leaf + _user.Leaf.index_select(0, pass.Batch.Users);
        var candidates = items.narrow(0, 1, pass.Candidates);
        return _bias.Leaf.narrow(0, 1, pass.Candidates) - (query.unsqueeze(1) - candidates.unsqueeze(0)).square().sum(2);
    }

    public void ItemVector(ulong item, RecallRows rows, Span<float> into)
    {
        var place = into[.._options.Dim];
        InBall(rows.Row(0, item), place);
        into[_options.Dim] = rows.Row(1, item)[0] - VectorMath.Dot(place, place);
    }

    public int UserVectors(in RecallQuery query, RecallRows rows, Span<float> into)
    {
        var place = into[.._options.Dim];
        InBall(rows.Row(0, query.History[0]), place);
        VectorMath.AddScaled(place, 1, _shared.Values);
        VectorMath.AddScaled(place, 1, rows.Row(2, query.User));
        foreach (ref var value in place) value *= 2;
        into[_options.Dim] = 1;
        return 1;
    }

    private static void InBall(ReadOnlySpan<float> row, Span<float> into)
    {
        row.CopyTo(into);
        var scale = 1 / Math.Max(1, VectorMath.Norm(row));
        foreach (ref var value in into) value *= scale;
    }

    /// <summary>g, shape [items, columns]: what lies outside of the unit ball is drawn to its surface.</summary>
    private torch.Tensor InBall() => _item.Leaf / _item.Leaf.square().sum(1, keepdim: true).sqrt().clamp_min(1);
}
