using Streaming.Models.Layers;
using Streaming.Models.Offline;
using Streaming.Models.Training;
using TorchSharp;

namespace Streaming.Models.Neural;

/// <summary>
/// A <see cref="IPairNetwork"/> as a recommender: trained by a <see cref="Trainer"/> on all pairs, its log-odds are the scores. A user
/// unknown to training is the mean of all users. The history that Score is given is not read: what the model knows of a user is a row.
/// </summary>
/// <param name="options">How it samples and trains.</param>
/// <param name="create">Makes the network for so many users and items from a seed.</param>
/// <param name="device">Where it computes; null for the CPU.</param>
public sealed class PairRecommender(PairOptions options, Func<int, int, ulong, IPairNetwork> create, torch.Device? device = null)
    : TrainedRecommender<IPairNetwork>(device)
{
    private bool[] _known = [];

    public override void Score(int user, ReadOnlySpan<int> history, Span<float> scores)
    {
        var network = Network;
        using var scope = torch.NewDisposeScope();
        var known = user < _known.Length && _known[user];
        var items = scores.Length;
        torch.Tensor Row(DenseParameter table) =>
            (known ? table.Leaf.narrow(0, user, 1) : table.Leaf.mean([0], keepdim: true)).expand(items, table.Shape[1]);
        TensorMemory.Read(network.Logits([.. network.UserTables.Select(Row)], [.. network.ItemTables.Select(table => table.Leaf)]), scores);
    }

    protected override TrainerOptions Checked()
    {
        options.Check();
        return options.Trainer;
    }

    protected override (IPairNetwork, ITrainingTask) Begin(Interactions train, long seed)
    {
        var network = create(train.UserCount, train.ItemCount, (ulong)seed);
        return (network, new PairTask(network, train, options, seed));
    }

    protected override void End(IPairNetwork network, Interactions train) =>
        _known = [.. Enumerable.Range(0, train.UserCount).Select(user => train.History(user).Length > 0)];
}
