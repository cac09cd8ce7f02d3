using Streaming.Core.Ids;
using Streaming.Models.Layers;
using Streaming.Models.Offline;
using Streaming.Models.Training;
using TorchSharp;

namespace Streaming.Models.Sequences;

/// <summary>
/// Learns a <see cref="ISequenceNetwork"/> from whole histories by the softmax over all items: of the next item at every place, or, where the
/// network has a mask, of the items that are masked. A history longer than the network reads is cut into pieces from its end. Validation
/// is NDCG@10 of some users' last item among all that the user has not had; those last items are not learned.
/// </summary>
internal sealed class SequenceTask : ITrainingTask
{
    private const int CutOff = 10, HistoryMin = 5, BatchesSortedTogether = 10;

    private readonly ISequenceNetwork _network;
    private readonly SequenceOptions _options;
    private readonly long _seed;
    private readonly int _itemCount;
    private readonly int[][] _pieces;
    private readonly int[][] _heldHistories;
    private readonly int[] _heldItems;
    private int[][] _batches = [];
    private Random _random = new(0);

    public SequenceTask(ISequenceNetwork network, Interactions train, SequenceOptions options, long seed)
    {
        (_network, _options, _seed, _itemCount) = (network, options, seed, train.ItemCount);
        var users = Enumerable.Range(0, train.UserCount)
            .Where(user => train.History(user) is { Length: >= HistoryMin } history && !history[..^1].Contains(history[^1])).ToArray();
        Generator(-1).Shuffle(users);
        users = users[..Math.Min(options.ValidationUsersMax, users.Length / 5)];
        _heldHistories = [.. users.Select(user => train.History(user)[..^1].ToArray())];
        _heldItems = [.. users.Select(user => train.History(user)[^1])];
        var held = users.ToHashSet();
        _pieces = [.. Enumerable.Range(0, train.UserCount).SelectMany(user => Cut(held.Contains(user) ? train.History(user)[..^1] : train.History(user)))];
    }

    public IReadOnlyList<DenseParameter> Parameters => _network.Parameters;

    private bool Masked => _network.MaskItem != 0;

    public int BeginEpoch(int epoch)
    {
        _random = Generator(epoch);
        // Dropout draws from the library's own generator.
        torch.manual_seed(_random.NextInt64());
        var order = Enumerable.Range(0, _pieces.Length).ToArray();
        _random.Shuffle(order);
        // Pieces of a like length share a batch, so that little is padding; which are together is drawn anew in every epoch.
        _batches = [.. order.Chunk(_options.BatchSize * BatchesSortedTogether)
            .SelectMany(some => some.OrderBy(piece => _pieces[piece].Length).Chunk(_options.BatchSize))];
        _random.Shuffle(_batches);
        return _batches.Length;
    }

    public torch.Tensor Loss(int batch, torch.Device device)
    {
        var pieces = _batches[batch];
        var shift = Masked ? 0 : 1;
        var length = pieces.Max(piece => _pieces[piece].Length) - shift;
        var items = new long[pieces.Length * length];
        List<long> places = [], targets = [];
        for (var row = 0; row < pieces.Length; row++)
        {
            var piece = _pieces[pieces[row]];
            var at = (row + 1) * length - (piece.Length - shift);
            // At least one item of a piece is told.
            var sure = Masked ? _random.Next(piece.Length) : -1;
            for (var t = 0; t < piece.Length - shift; t++, at++)
            {
                items[at] = piece[t] + 1;
                if (Masked && t != sure && _random.NextDouble() >= _options.MaskShare) continue;
                if (Masked) items[at] = _network.MaskItem;
                places.Add(at);
                targets.Add(piece[t + shift]);
            }
        }
        var vectors = _network.Encode(TensorMemory.Tensor(items, [pieces.Length, length], device), learning: true);
        var told = vectors.reshape(-1, vectors.shape[2]).index_select(0, TensorMemory.Tensor(places.ToArray(), [places.Count], device));
        return torch.nn.functional.cross_entropy(_network.Logits(told), TensorMemory.Tensor(targets.ToArray(), [targets.Count], device));
    }

    public double Validate(torch.Device device)
    {
        if (_heldItems.Length == 0) return double.NaN;
        double sum = 0;
        for (var from = 0; from < _heldItems.Length; from += _options.BatchSize)
        {
            using var scope = torch.NewDisposeScope();
            var count = Math.Min(_options.BatchSize, _heldItems.Length - from);
            var scores = new float[count * _itemCount];
            TensorMemory.Read(_network.Next(_heldHistories.AsSpan(from, count), device), scores);
            for (var i = 0; i < count; i++) sum += Gain(scores.AsSpan(i * _itemCount, _itemCount), _heldHistories[from + i], _heldItems[from + i]);
        }
        return sum / _heldItems.Length;
    }

    /// <summary>1 / log2(rank + 1). Where scores are equal the held item stands behind, so that a model that knows nothing gains nothing.</summary>
    internal static double Gain(Span<float> scores, int[] history, int held, int cutOff = CutOff)
    {
        var own = scores[held];
        foreach (var item in history) scores[item] = float.NegativeInfinity;
        scores[held] = float.NegativeInfinity;
        var rank = 0;
        foreach (var score in scores) if (score >= own) rank++;
        return rank < cutOff ? 1 / Math.Log2(rank + 2) : 0;
    }

    /// <summary>
    /// Pieces of a history that have something to learn. Those that tell the next item overlap by one, which is a target in one and read in
    /// the next; where a mask is added to recommend, a place is left for it.
    /// </summary>
    private IEnumerable<int[]> Cut(ReadOnlySpan<int> history)
    {
        var pieces = new List<int[]>();
        var (length, overlap) = Masked ? (_network.LengthMax, 0) : (_network.LengthMax + 1, 1);
        for (var end = history.Length; end > 1; end -= length - overlap) pieces.Add(history[Math.Max(0, end - length)..end].ToArray());
        return pieces;
    }

    private Random Generator(int epoch) => new(unchecked((int)StableHash.Combine(StableHash.Finalise((ulong)_seed), (ulong)(uint)epoch)));
}
