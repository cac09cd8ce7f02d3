using Streaming.Models.Layers;
using Streaming.Models.Offline;
using Streaming.Models.Training;
using TorchSharp;

namespace Streaming.Models.Sequences;

/// <summary>
/// A <see cref="ISequenceNetwork"/> as a recommender: trained by a <see cref="Trainer"/>, its logits for what comes after the history are the
/// scores. Who the user is does not matter. Without a history the scores are those of nothing but padding, the same for everybody.
/// </summary>
/// <param name="options">How it trains.</param>
/// <param name="create">Makes the network for so many items from a seed.</param>
/// <param name="device">Where it computes; null for the CPU.</param>
public sealed class SequenceRecommender(SequenceOptions options, Func<int, ulong, ISequenceNetwork> create, torch.Device? device = null)
    : TrainedRecommender<ISequenceNetwork>(device)
{
    public override void Score(int user, ReadOnlySpan<int> history, Span<float> scores)
    {
        using var scope = torch.NewDisposeScope();
        TensorMemory.Read(Network.Next([history.ToArray()], Place), scores);
    }

    protected override TrainerOptions Checked()
    {
        options.Check();
        return options.Trainer;
    }

    protected override (ISequenceNetwork, ITrainingTask) Begin(Interactions train, long seed)
    {
        var network = create(train.ItemCount, (ulong)seed);
        return (network, new SequenceTask(network, train, options, seed));
    }
}

/// <summary>What recommending asks of a network.</summary>
internal static class SequenceScoring
{
    /// <summary>The logits of what comes after each history, shape [histories, items].</summary>
    /// <param name="network">Its parameters have begun a pass.</param>
    /// <param name="histories">Items from 0, oldest first, of any length.</param>
    public static torch.Tensor Next(this ISequenceNetwork network, ReadOnlySpan<int[]> histories, torch.Device device)
    {
        var added = network.MaskItem == 0 ? 0 : 1;
        var length = 1;
        foreach (var history in histories) length = Math.Max(length, Math.Min(network.LengthMax, history.Length + added));
        var items = new long[histories.Length * length];
        for (var row = 0; row < histories.Length; row++)
        {
            var history = histories[row];
            var end = (row + 1) * length - added;
            for (var t = 1; t <= Math.Min(length - added, history.Length); t++) items[end - t] = history[^t] + 1;
            if (added != 0) items[end] = network.MaskItem;
        }
        var vectors = network.Encode(TensorMemory.Tensor(items, [histories.Length, length], device), learning: false);
        return network.Logits(vectors.select(1, length - 1));
    }
}
