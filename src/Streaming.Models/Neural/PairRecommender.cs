using Streaming.Models.Layers;
using Streaming.Models.Offline;
using Streaming.Models.Training;
using Streaming.Tensors;
using TorchSharp;

namespace Streaming.Models.Neural;

/// <summary>
/// A <see cref="IPairNetwork"/> as a recommender: trained by a <see cref="Trainer"/> on all pairs, its log-odds are the scores. A user
/// unknown to training is the mean of all users. The history that Score is given is not read: what the model knows of a user is a row.
/// </summary>
/// <param name="options">How it samples and trains.</param>
/// <param name="create">Makes the network for so many users and items from a seed.</param>
/// <param name="device">Where it computes; null for the CPU.</param>
public sealed class PairRecommender(PairOptions options, Func<int, int, ulong, IPairNetwork> create, torch.Device? device = null) : ITrainedRecommender
{
    private IPairNetwork? _network;
    private bool[] _known = [];

    public void Fit(Interactions train, long seed) => Fit(train, seed, null);

    public TrainingResult Fit(Interactions train, long seed, Action<TrainingProgress>? progress, TrainingRun? run = null)
    {
        options.Check();
        if (!TorchRuntime.TryLoad(out var reason)) throw new PlatformNotSupportedException(reason);
        var network = create(train.UserCount, train.ItemCount, (ulong)seed);
        run ??= new TrainingRun();
        var place = run.Device ?? device;
        var result = new Trainer(run.With(options.Trainer), place).Run(new PairTask(network, train, options, seed), progress);
        foreach (var parameter in network.Parameters()) parameter.Hold(place ?? torch.CPU);
        _known = [.. Enumerable.Range(0, train.UserCount).Select(user => train.History(user).Length > 0)];
        _network = network;
        return result;
    }

    public void Score(int user, ReadOnlySpan<int> history, Span<float> scores)
    {
        var network = _network ?? throw new InvalidOperationException("the model is not fitted");
        using var scope = torch.NewDisposeScope();
        var known = user < _known.Length && _known[user];
        var items = scores.Length;
        torch.Tensor Row(DenseParameter table) =>
            (known ? table.Leaf.narrow(0, user, 1) : table.Leaf.mean([0], keepdim: true)).expand(items, table.Shape[1]);
        TensorMemory.Read(network.Logits([.. network.UserTables.Select(Row)], [.. network.ItemTables.Select(table => table.Leaf)]), scores);
    }
}
