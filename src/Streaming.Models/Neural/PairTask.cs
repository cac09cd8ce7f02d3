using Streaming.Core.Ids;
using Streaming.Models.Layers;
using Streaming.Models.Offline;
using Streaming.Models.Training;
using TorchSharp;

namespace Streaming.Models.Neural;

/// <summary>
/// Learns a <see cref="IPairNetwork"/> from who has what: every interaction counts 1 and comes with sampled items that count 0, by the
/// cross-entropy (He et al. 2017, equation 7). Validation is NDCG@10 of some users' last item among 99 that the user does not have;
/// those last items are not learned.
/// </summary>
internal sealed class PairTask : ITrainingTask
{
    private const int Candidates = 99, CutOff = 10, HistoryMin = 5;

    private readonly IPairNetwork _network;
    private readonly PairOptions _options;
    private readonly long _seed;
    private readonly SparseMatrix _matrix;
    private readonly int[] _pairUsers, _pairItems, _order;
    private readonly int _positives;
    private readonly long[] _users, _items;
    private readonly float[] _labels;
    private readonly long[] _heldUsers, _heldItems;
    private Random _random = new(0);

    public PairTask(IPairNetwork network, Interactions train, PairOptions options, long seed)
    {
        (_network, _options, _seed) = (network, options, seed);
        Parameters = network.Parameters();
        var random = Generator(-1);
        var held = HoldOut(train, options.ValidationUsersMax, random);
        _matrix = SparseMatrix.UserItems(Without(train, held));
        (_pairUsers, _pairItems) = (new int[_matrix.Count], new int[_matrix.Count]);
        for (int user = 0, at = 0; user < _matrix.RowCount; user++)
            foreach (var item in _matrix.Row(user)) (_pairUsers[at], _pairItems[at++]) = (user, item);
        _order = new int[_matrix.Count];
        _positives = options.BatchSize / (1 + options.Negatives);
        var size = _positives * (1 + options.Negatives);
        (_users, _items, _labels) = (new long[size], new long[size], new float[size]);
        (_heldUsers, _heldItems) = DrawCandidates(train, held, random);
    }

    public IReadOnlyList<DenseParameter> Parameters { get; }

    public int BeginEpoch(int epoch)
    {
        _random = Generator(epoch);
        for (var i = 0; i < _order.Length; i++) _order[i] = i;
        _random.Shuffle(_order);
        return (_order.Length + _positives - 1) / _positives;
    }

    public torch.Tensor Loss(int batch, torch.Device device)
    {
        var count = Draw(batch);
        var users = TensorMemory.Tensor(_users.AsSpan(0, count), [count], device);
        var items = TensorMemory.Tensor(_items.AsSpan(0, count), [count], device);
        var labels = TensorMemory.Tensor(_labels.AsSpan(0, count), [count], device);
        var (userRows, itemRows) = (PairNetwork.Rows(_network.UserTables, users), PairNetwork.Rows(_network.ItemTables, items));
        var loss = torch.nn.functional.binary_cross_entropy_with_logits(_network.Logits(userRows, itemRows), labels);
        if (_options.Regularisation == 0) return loss;
        foreach (var rows in (torch.Tensor[])[.. userRows, .. itemRows]) loss += rows.square().sum() * (_options.Regularisation / 2 / count);
        return loss;
    }

    public double Validate(torch.Device device)
    {
        if (_heldUsers.Length == 0) return double.NaN;
        var scores = new float[_heldUsers.Length];
        TensorMemory.Read(_network.Pairs(
            TensorMemory.Tensor(_heldUsers, [scores.Length], device), TensorMemory.Tensor(_heldItems, [scores.Length], device)), scores);
        double sum = 0;
        const int group = Candidates + 1;
        for (var at = 0; at < scores.Length; at += group)
        {
            // Where scores are equal the held item stands behind, so that a model that knows nothing gains nothing.
            var rank = 0;
            for (var i = 1; i < group; i++) if (scores[at + i] >= scores[at]) rank++;
            if (rank < CutOff) sum += 1 / Math.Log2(rank + 2);
        }
        return sum / (scores.Length / group);
    }

    /// <summary>Fills the mini-batch: each positive, then its negatives. Returns its examples.</summary>
    private int Draw(int batch)
    {
        var count = 0;
        for (var at = batch * _positives; at < Math.Min(_order.Length, (batch + 1) * _positives); at++)
        {
            var user = _pairUsers[_order[at]];
            Add(user, _pairItems[_order[at]], 1);
            for (var n = 0; n < _options.Negatives; n++)
            {
                var item = _random.Next(_matrix.ColumnCount);
                // A draw that the user has is passed over: they are few, and drawing on may never end for who has everything.
                if (_matrix.Row(user).BinarySearch(item) < 0) Add(user, item, 0);
            }
        }
        return count;

        void Add(int user, int item, float label) => (_users[count], _items[count], _labels[count++]) = (user, item, label);
    }

    private Random Generator(int epoch) => new(unchecked((int)StableHash.Combine(StableHash.Finalise((ulong)_seed), (ulong)(uint)epoch)));

    /// <summary>Rows held out: the last of some users with a history, if the user had not had that item before.</summary>
    private static int[] HoldOut(Interactions train, int usersMax, Random random)
    {
        var rows = Enumerable.Range(0, train.UserCount)
            .Where(user => train.History(user) is { Length: >= HistoryMin } history && !history[..^1].Contains(history[^1]))
            .Select(user => train.HistoryRows(user)[^1]).ToArray();
        random.Shuffle(rows);
        return rows[..Math.Min(usersMax, rows.Length / 5)];
    }

    /// <summary>The interactions but those rows.</summary>
    internal static Interactions Without(Interactions train, int[] held)
    {
        var gone = held.ToHashSet();
        var rows = Enumerable.Range(0, train.Count).Where(row => !gone.Contains(row)).ToArray();
        T[] Of<T>(ReadOnlySpan<T> column)
        {
            var kept = new T[rows.Length];
            for (var i = 0; i < rows.Length; i++) kept[i] = column[rows[i]];
            return kept;
        }
        return new Interactions(train.UserCount, train.ItemCount, Of(train.Users), Of(train.Items), Of(train.Values), Of(train.TimesMs));
    }

    /// <summary>Per row held out its item and then 99 draws from the items that the user does not have, repeats allowed.</summary>
    private (long[] Users, long[] Items) DrawCandidates(Interactions train, int[] held, Random random)
    {
        List<long> users = [], items = [];
        foreach (var row in held)
        {
            var (user, own) = (train.Users[row], train.Items[row]);
            var others = Enumerable.Range(0, train.ItemCount).Where(item => item != own && _matrix.Row(user).BinarySearch(item) < 0).ToArray();
            if (others.Length == 0) continue;
            users.AddRange(Enumerable.Repeat((long)user, Candidates + 1));
            items.Add(own);
            for (var i = 0; i < Candidates; i++) items.Add(others[random.Next(others.Length)]);
        }
        return ([.. users], [.. items]);
    }
}
