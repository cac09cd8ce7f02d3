using Streaming.Models.Embeddings;
using Streaming.Models.Layers;
using Streaming.Models.Neural;
using Streaming.Models.Offline;
using Streaming.Models.Recall;
using TorchSharp;

namespace Streaming.Models.Retrieval;

/// <summary>Shape and examples of an <see cref="Item2Vec"/>.</summary>
public sealed record Item2VecOptions
{
    /// <summary>Columns of both tables.</summary>
    public int Dim { get; init; } = 64;

    /// <summary>Items to either side of one that are its context at most; each time 1 to this many are drawn, as in word2vec.</summary>
    public int Window { get; init; } = 5;

    /// <summary>Drawn for each pair.</summary>
    public int Negatives { get; init; } = 5;

    /// <summary>Of the items' counts, in drawing them.</summary>
    public double Power { get; init; } = 0.75;

    /// <summary>rho: an item of share f is left out with the chance 1 - sqrt(rho / f), anew in every epoch; 0 for never.</summary>
    public double SubSampling { get; init; } = 1e-3;

    /// <summary>Newest items of a history that its vector is the mean of.</summary>
    public int Recent { get; init; } = 10;

    /// <summary>Pairs of a mini-batch.</summary>
    public int BatchSize { get; init; } = 8192;
}

/// <summary>
/// Skip-gram with negative sampling on histories: the mean over pairs (i, j) of neighbours of
/// <code>- log sigmoid(v_i . u_j) - sum over k draws n of log sigmoid(- v_i . u_n)</code>
/// draws in proportion to count^0.75 (Barkan and Koenigstein 2016, "Item2Vec: Neural Item Embedding for Collaborative Filtering", equations 1 to 4). Two
/// items are alike by the cosine of their v. The paper compares items; here a history is the mean of its newest items' v / |v|, and an
/// item's score the cosine with it. In the live path a click makes pairs, both ways, with the items just before it, and what is drawn are items of its
/// mini-batch, all as likely. Features: sequence items.
/// Known number: none in the paper for these data.
/// </summary>
public sealed class Item2Vec : IHistoryNetwork, IRecallNetwork
{
    private readonly Item2VecOptions _options;
    private readonly Interactions _train;
    private readonly ItemSampler _sampler;
    private readonly DenseParameter _centre, _context;
    private int[] _centres = [], _contexts = [];
    private Random _random = new(0);

    /// <param name="train">Whose histories it learns from.</param>
    /// <param name="options">Shape and examples.</param>
    /// <param name="seed">Of the first values.</param>
    public Item2Vec(Interactions train, Item2VecOptions options, ulong seed)
    {
        (_train, _options) = (train, options);
        _sampler = new ItemSampler(train, options.Power);
        _centre = PairNetwork.Table("item", train.ItemCount, options.Dim, seed, 0.1);
        _context = PairNetwork.Table("context", train.ItemCount, options.Dim, seed, 0.1);
        Parameters = [_centre, _context];
    }

    public IReadOnlyList<DenseParameter> Parameters { get; }

    public int BeginEpoch(Random random)
    {
        _random = random;
        List<int> centres = [], contexts = [];
        for (var user = 0; user < _train.UserCount; user++)
        {
            var kept = Kept(_train.History(user));
            for (var at = 0; at < kept.Count; at++)
            {
                var reach = 1 + random.Next(_options.Window);
                for (var near = Math.Max(0, at - reach); near <= Math.Min(kept.Count - 1, at + reach); near++)
                {
                    if (near == at) continue;
                    centres.Add(kept[at]);
                    contexts.Add(kept[near]);
                }
            }
        }
        var order = Enumerable.Range(0, centres.Count).ToArray();
        random.Shuffle(order);
        (_centres, _contexts) = ([.. order.Select(pair => centres[pair])], [.. order.Select(pair => contexts[pair])]);
        return (order.Length + _options.BatchSize - 1) / _options.BatchSize;
    }

    private List<int> Kept(ReadOnlySpan<int> history)
    {
        var kept = new List<int>(history.Length);
        foreach (var item in history)
            if (_options.SubSampling == 0 || _random.NextDouble() < Math.Sqrt(_options.SubSampling * _train.Count / _sampler.Counts[item])) kept.Add(item);
        return kept;
    }

    public torch.Tensor Loss(int batch, torch.Device device)
    {
        var from = batch * _options.BatchSize;
        var count = Math.Min(_options.BatchSize, _centres.Length - from);
        var (centres, contexts, negatives) = (new long[count], new long[count], new long[count * _options.Negatives]);
        for (var i = 0; i < count; i++) (centres[i], contexts[i]) = (_centres[from + i], _contexts[from + i]);
        for (var i = 0; i < negatives.Length; i++) negatives[i] = _sampler.Draw(_random);
        return PairLoss(TensorMemory.Tensor(centres, [count], device), TensorMemory.Tensor(contexts, [count], device),
            TensorMemory.Tensor(negatives, [count, _options.Negatives], device));
    }

    /// <summary>The mean loss of pairs; a draw that is the context itself does not count.</summary>
    /// <param name="centres">Shape [B].</param>
    /// <param name="contexts">Shape [B].</param>
    /// <param name="negatives">Shape [B, k].</param>
    public torch.Tensor PairLoss(torch.Tensor centres, torch.Tensor contexts, torch.Tensor negatives)
    {
        var v = _centre.Leaf.index_select(0, centres);
        var near = (v * _context.Leaf.index_select(0, contexts)).sum(1);
        var drawn = _context.Leaf.index_select(0, negatives.reshape(-1)).reshape(negatives.shape[0], negatives.shape[1], -1);
        var far = drawn.bmm(v.unsqueeze(2)).squeeze(2);
        var counts = negatives.ne(contexts.unsqueeze(1)).to_type(torch.ScalarType.Float32);
        // -log sigmoid(x) is softplus(-x).
        return (torch.nn.functional.softplus(-near) + (torch.nn.functional.softplus(far) * counts).sum(1)).mean();
    }

    public torch.Tensor Scores(ReadOnlySpan<HistoryQuery> queries, torch.Device device)
    {
        var weights = new float[queries.Length * _train.ItemCount];
        for (var row = 0; row < queries.Length; row++)
        {
            var recent = queries[row].History.AsSpan();
            if (recent.Length > _options.Recent) recent = recent[^_options.Recent..];
            foreach (var item in recent) weights[row * _train.ItemCount + item] += 1f / recent.Length;
        }
        var items = torch.nn.functional.normalize(_centre.Leaf);
        var users = torch.nn.functional.normalize(TensorMemory.Tensor(weights, [queries.Length, _train.ItemCount], device).matmul(items));
        return users.matmul(items.t());
    }

    public IReadOnlyList<RowTable> Tables => [new(_centre, RowsOf.Items, 0.1 * Math.Sqrt(3)), new(_context, RowsOf.Items, 0.1 * Math.Sqrt(3))];

    public int VectorDim => _options.Dim;

    public torch.Tensor Loss(RecallPass pass)
    {
        List<long> centres = [], contexts = [];
        var (histories, targets, _) = pass.Told;
        var length = histories.Length / targets.Length;
        for (var row = 0; row < targets.Length; row++)
        {
            for (var back = 1; back <= Math.Min(length, _options.Window); back++)
            {
                var near = histories[(row + 1) * length - back];
                if (near == 0 || near == targets[row]) continue;
                centres.AddRange([targets[row], near]);
                contexts.AddRange([near, targets[row]]);
            }
        }
        var device = pass.Targets.device;
        // Clicks on nothing but the item before: there is no pair, and nothing to learn.
        if (centres.Count == 0) return _centre.Leaf.sum() * 0;
        return PairLoss(
            TensorMemory.Tensor(centres.ToArray(), [centres.Count], device), TensorMemory.Tensor(contexts.ToArray(), [contexts.Count], device),
            TensorMemory.Tensor(pass.Drawn(centres.Count * _options.Negatives), [centres.Count, _options.Negatives], device));
    }

    public torch.Tensor Scores(RecallPass pass)
    {
        var items = torch.nn.functional.normalize(_centre.Leaf);
        var length = Math.Min(_options.Recent, pass.Batch.Length);
        var recent = pass.Batch.Items.narrow(1, pass.Batch.Length - length, length);
        // Padding is a row of zeros.
        var sums = items.index_select(0, recent.reshape(-1)).reshape(recent.shape[0], length, -1).sum(1);
        return torch.nn.functional.normalize(sums).matmul(items.narrow(0, 1, pass.Candidates).t());
    }

    public void ItemVector(ulong item, RecallRows rows, Span<float> into)
    {
        rows.Row(0, item).CopyTo(into);
        PlainForward.Normalise(into[..VectorDim]);
    }

    public int UserVectors(in RecallQuery query, RecallRows rows, Span<float> into)
    {
        into = into[..VectorDim];
        into.Clear();
        foreach (var item in query.History[..Math.Min(_options.Recent, query.History.Length)])
        {
            var row = rows.Row(0, item);
            VectorMath.AddScaled(into, 1 / Math.Max(1e-12f, VectorMath.Norm(row)), row);
        }
        PlainForward.Normalise(into);
        return 1;
    }
}
