using Streaming.Models.Layers;
using Streaming.Models.Offline;
using Streaming.Models.Sequences;
using TorchSharp;

namespace Streaming.Models.Retrieval;

/// <summary>What the retrieval networks share: sizes, examples, and the sampled softmax.</summary>
public sealed record RetrievalOptions
{
    /// <summary>d, columns of the items' vectors.</summary>
    public int Dim { get; init; } = 64;

    /// <summary>Newest items of a history that are read.</summary>
    public int HistoryMax { get; init; } = 50;

    /// <summary>Share of the items' and users' rows that learning drops, element by element.</summary>
    public double Dropout { get; init; } = 0.2;

    /// <summary>Steps of a user's history that an epoch learns at most, drawn anew in each, so that no user counts for hundreds (Covington et al. 2016, section 3.4).</summary>
    public int ExamplesPerUserMax { get; init; } = 50;

    /// <summary>Items drawn for a mini-batch, which all its examples share.</summary>
    public int Negatives { get; init; } = 512;

    /// <summary>They are drawn in proportion to this power of the counts; the softmax is corrected for it.</summary>
    public double Power { get; init; } = 0.75;

    /// <summary>Examples of a mini-batch.</summary>
    public int BatchSize { get; init; } = 512;

    /// <summary>A longer pause ends a session.</summary>
    public long SessionGapMs { get; init; } = 600_000;
}

/// <summary>
/// A network that makes one or several vectors of a user's history and one of an item; an item's score is the largest inner product. It tells the
/// next item of a history from items that are drawn, by the softmax corrected for their chances (Jean et al. 2015, "On Using Very Large Target
/// Vocabulary for Neural Machine Translation", section 3; the loss of Covington et al. 2016).
/// </summary>
public abstract partial class RetrievalNetwork : IHistoryNetwork
{
    private readonly Interactions _train;
    private readonly ItemSampler _sampler;
    private readonly HistoryReader _reader;
    private (int User, int At)[] _examples = [];
    private torch.Tensor? _items;
    private Random _random = new(0);

    /// <param name="train">What it learns from.</param>
    /// <param name="options">Sizes and examples.</param>
    protected RetrievalNetwork(Interactions train, RetrievalOptions options)
    {
        (_train, Options) = (train, options);
        _sampler = new ItemSampler(train, options.Power);
        _reader = new HistoryReader(train, options.HistoryMax, options.SessionGapMs);
    }

    public abstract IReadOnlyList<DenseParameter> Parameters { get; }

    protected RetrievalOptions Options { get; }

    /// <summary>The vectors of each row's user, shape [B, K, d].</summary>
    protected abstract torch.Tensor Interests(HistoryBatch batch, bool learning);

    /// <summary>The vectors of items, shape [N, d].</summary>
    /// <param name="numbers">Shape [N], items from 1.</param>
    protected abstract torch.Tensor ItemVectors(torch.Tensor numbers);

    /// <summary>The one vector of a user that is learned with a target, shape [B, d].</summary>
    /// <param name="interests">Of <see cref="Interests"/>.</param>
    /// <param name="targets">The targets' vectors, shape [B, d].</param>
    /// <param name="batch">Where the interests are from.</param>
    protected virtual torch.Tensor ForTarget(torch.Tensor interests, torch.Tensor targets, HistoryBatch batch) => interests.select(1, 0);

    /// <summary>Added to the scores of interests, shape [B, K]: 0 or so little that it never is the largest; null where all count.</summary>
    protected virtual torch.Tensor? InterestMask(HistoryBatch batch) => null;

    /// <summary>Element by element, while learning.</summary>
    protected torch.Tensor Drop(torch.Tensor x, bool learning) => torch.nn.functional.dropout(x, Options.Dropout, learning);

    /// <summary>The mean of rows over the places that count, shape [B, d]; zeros where none does.</summary>
    /// <param name="rows">Shape [B, L, d].</param>
    /// <param name="counts">Shape [B, L], 1 or 0.</param>
    protected static torch.Tensor Mean(torch.Tensor rows, torch.Tensor counts) =>
        counts.unsqueeze(1).bmm(rows).squeeze(1) / counts.sum(1, keepdim: true).clamp_min(1);

    public int BeginEpoch(Random random)
    {
        _random = random;
        var examples = new List<(int, int)>();
        for (var user = 0; user < _train.UserCount; user++)
        {
            var places = Enumerable.Range(1, Math.Max(0, _train.History(user).Length - 1)).ToArray();
            if (places.Length > Options.ExamplesPerUserMax)
            {
                random.Shuffle(places);
                places = places[..Options.ExamplesPerUserMax];
            }
            examples.AddRange(places.Select(at => (user, at)));
        }
        _examples = [.. examples];
        random.Shuffle(_examples);
        return (_examples.Length + Options.BatchSize - 1) / Options.BatchSize;
    }

    public torch.Tensor Loss(int batch, torch.Device device)
    {
        var examples = _examples.AsSpan(batch * Options.BatchSize, Math.Min(Options.BatchSize, _examples.Length - batch * Options.BatchSize));
        var (queries, targets, drawn) = (new HistoryQuery[examples.Length], new int[examples.Length], new int[Options.Negatives]);
        for (var i = 0; i < queries.Length; i++)
        {
            var (user, at) = examples[i];
            queries[i] = new HistoryQuery(user, _train.History(user)[..at].ToArray());
            targets[i] = _train.History(user)[at];
        }
        for (var i = 0; i < drawn.Length; i++) drawn[i] = _sampler.Draw(_random);
        return SampledLoss(queries, targets, drawn, learning: true, device);
    }

    /// <summary>
    /// The mean of - log of the softmax over the target and the items drawn, each logit less the log of how often its item is expected among so many
    /// draws; a draw that is the target does not count.
    /// </summary>
    /// <param name="queries">B histories.</param>
    /// <param name="targets">B items from 0.</param>
    /// <param name="drawn">N items from 0.</param>
    /// <param name="learning">Whether rows are dropped.</param>
    /// <param name="device">Where it computes.</param>
    public torch.Tensor SampledLoss(ReadOnlySpan<HistoryQuery> queries, ReadOnlySpan<int> targets, ReadOnlySpan<int> drawn, bool learning, torch.Device device)
    {
        var (count, n) = (targets.Length, drawn.Length);
        var (numbers, expected) = (new long[count + n], new float[count + n]);
        var taken = new float[count * n];
        for (var i = 0; i < count + n; i++)
        {
            var item = i < count ? targets[i] : drawn[i - count];
            (numbers[i], expected[i]) = (item + 1, (float)Math.Log(Math.Max(n * _sampler.Probabilities[item], 1e-12)));
        }
        for (var i = 0; i < count; i++)
            for (var k = 0; k < n; k++) taken[i * n + k] = drawn[k] == targets[i] ? -1e9f : 0;
        var batch = _reader.Read(queries, device);
        var items = ItemVectors(TensorMemory.Tensor(numbers, [count + n], device));
        var own = items.narrow(0, 0, count);
        var user = ForTarget(Interests(batch, learning), own, batch);
        var correction = TensorMemory.Tensor(expected, [count + n], device);
        var positive = (user * own).sum(1, keepdim: true) - correction.narrow(0, 0, count).unsqueeze(1);
        var negative = user.matmul(items.narrow(0, count, n).t()) - correction.narrow(0, count, n).unsqueeze(0) + TensorMemory.Tensor(taken, [count, n], device);
        var logits = torch.cat([positive, negative], 1);
        return (logits.logsumexp(1) - positive.squeeze(1)).mean();
    }

    public torch.Tensor Scores(ReadOnlySpan<HistoryQuery> queries, torch.Device device)
    {
        var batch = _reader.Read(queries, device);
        var scores = Interests(batch, learning: false).matmul((_items ?? AllItems(device)).t());
        if (InterestMask(batch) is { } mask) scores += mask.unsqueeze(2);
        return scores.amax([1]);
    }

    /// <summary>The items' vectors are the same whoever asks.</summary>
    public void Freeze(torch.Device device)
    {
        using var scope = torch.NewDisposeScope();
        _items = AllItems(device).DetachFromDisposeScope();
    }

    private torch.Tensor AllItems(torch.Device device) => ItemVectors(torch.arange(1, _train.ItemCount + 1, torch.ScalarType.Int64, device));

    /// <summary>Rows of a table for numbers of any shape: [...] to [..., columns].</summary>
    protected static torch.Tensor Embed(DenseParameter table, torch.Tensor numbers) => SequenceNetwork.Embed(table, numbers);
}
