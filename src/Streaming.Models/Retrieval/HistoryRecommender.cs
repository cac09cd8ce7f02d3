using Streaming.Core.Ids;
using Streaming.Models.Layers;
using Streaming.Models.Neural;
using Streaming.Models.Offline;
using Streaming.Models.Sequences;
using Streaming.Models.Training;
using TorchSharp;

namespace Streaming.Models.Retrieval;

/// <summary>How a <see cref="HistoryRecommender"/> trains.</summary>
public sealed record HistoryOptions
{
    /// <summary>Users whose last item is held out to decide when to stop, at most; a fifth of those with a history if that is less.</summary>
    public int ValidationUsersMax { get; init; } = 1000;

    /// <summary>K of the NDCG@K that decides.</summary>
    public int ValidationCutOff { get; init; } = 10;

    public TrainerOptions Trainer { get; init; } = new();

    /// <exception cref="ArgumentOutOfRangeException">A number is out of its range.</exception>
    public void Check()
    {
        ArgumentOutOfRangeException.ThrowIfNegative(ValidationUsersMax);
        ArgumentOutOfRangeException.ThrowIfLessThan(ValidationCutOff, 1);
        Trainer.Check();
    }
}

/// <summary>A <see cref="IHistoryNetwork"/> as a recommender, trained by a <see cref="Trainer"/>.</summary>
/// <param name="options">How it trains.</param>
/// <param name="create">Makes the network for what it is to learn from, and a seed.</param>
/// <param name="device">Where it computes; null for the CPU.</param>
public sealed class HistoryRecommender(HistoryOptions options, Func<Interactions, ulong, IHistoryNetwork> create, torch.Device? device = null)
    : TrainedRecommender<IHistoryNetwork>(device)
{
    public override void Score(int user, ReadOnlySpan<int> history, Span<float> scores)
    {
        using var scope = torch.NewDisposeScope();
        TensorMemory.Read(Network.Scores([new HistoryQuery(user, history.ToArray())], Place), scores);
    }

    protected override TrainerOptions Checked()
    {
        options.Check();
        return options.Trainer;
    }

    protected override (IHistoryNetwork, ITrainingTask) Begin(Interactions train, long seed)
    {
        var task = new HistoryTask(train, options, create, seed);
        return (task.Network, task);
    }

    protected override void End(IHistoryNetwork network, Interactions train) => network.Freeze(Place);
}

/// <summary>
/// Learns a <see cref="IHistoryNetwork"/>. Validation is the NDCG of some users' last item among all that the user has not had; the network
/// never sees those last items.
/// </summary>
internal sealed class HistoryTask : ITrainingTask
{
    private const int HistoryMin = 5, QueriesTogether = 100;

    private readonly HistoryOptions _options;
    private readonly long _seed;
    private readonly HistoryQuery[] _queries;
    private readonly int[] _held;
    private readonly int _itemCount;

    public HistoryTask(Interactions train, HistoryOptions options, Func<Interactions, ulong, IHistoryNetwork> create, long seed)
    {
        (_options, _seed, _itemCount) = (options, seed, train.ItemCount);
        var users = Enumerable.Range(0, train.UserCount)
            .Where(user => train.History(user) is { Length: >= HistoryMin } history && !history[..^1].Contains(history[^1])).ToArray();
        Generator(-1).Shuffle(users);
        users = users[..Math.Min(options.ValidationUsersMax, users.Length / 5)];
        _queries = [.. users.Select(user => new HistoryQuery(user, train.History(user)[..^1].ToArray()))];
        _held = [.. users.Select(user => train.History(user)[^1])];
        Network = create(PairTask.Without(train, [.. users.Select(user => train.HistoryRows(user)[^1])]), (ulong)seed);
    }

    public IHistoryNetwork Network { get; }

    public IReadOnlyList<DenseParameter> Parameters => Network.Parameters;

    public int BeginEpoch(int epoch)
    {
        var random = Generator(epoch);
        // Dropout draws from the library's own generator.
        torch.manual_seed(random.NextInt64());
        return Network.BeginEpoch(random);
    }

    public torch.Tensor Loss(int batch, torch.Device device) => Network.Loss(batch, device);

    public double Validate(torch.Device device)
    {
        if (_held.Length == 0) return double.NaN;
        double sum = 0;
        for (var from = 0; from < _held.Length; from += QueriesTogether)
        {
            using var scope = torch.NewDisposeScope();
            var count = Math.Min(QueriesTogether, _held.Length - from);
            var scores = new float[count * _itemCount];
            TensorMemory.Read(Network.Scores(_queries.AsSpan(from, count), device), scores);
            for (var i = 0; i < count; i++)
                sum += SequenceTask.Gain(scores.AsSpan(i * _itemCount, _itemCount), _queries[from + i].History, _held[from + i], _options.ValidationCutOff);
        }
        return sum / _held.Length;
    }

    private Random Generator(int epoch) => new(unchecked((int)StableHash.Combine(StableHash.Finalise((ulong)_seed), (ulong)(uint)epoch)));
}
