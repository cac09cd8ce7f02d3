using Streaming.Models.Offline;
using Streaming.Tensors;
using TorchSharp;

namespace Streaming.Models.Training;

/// <summary>A network as a recommender: trained by a <see cref="Trainer"/>, then held where it computes. What kinds of networks do not share is what they learn and how they score.</summary>
/// <typeparam name="TNetwork">The kind of network.</typeparam>
/// <param name="device">Where it computes unless a run says otherwise; null for the CPU.</param>
public abstract class TrainedRecommender<TNetwork>(torch.Device? device) : ITrainedRecommender
    where TNetwork : class
{
    private TNetwork? _network;

    /// <summary>Where it computes.</summary>
    protected torch.Device Place { get; private set; } = torch.CPU;

    /// <exception cref="InvalidOperationException">It is not fitted.</exception>
    protected TNetwork Network => _network ?? throw new InvalidOperationException("the model is not fitted");

    public void Fit(Interactions train, long seed) => Fit(train, seed, null);

    public TrainingResult Fit(Interactions train, long seed, Action<TrainingProgress>? progress, TrainingRun? run = null)
    {
        var options = Checked();
        if (!TorchRuntime.TryLoad(out var reason)) throw new PlatformNotSupportedException(reason);
        run ??= new TrainingRun();
        Place = run.Device ?? device ?? torch.CPU;
        var (network, task) = Begin(train, seed);
        var result = new Trainer(run.With(options), Place).Run(task, progress);
        foreach (var parameter in task.Parameters) parameter.Hold(Place);
        End(network, train);
        _network = network;
        return result;
    }

    public abstract void Score(int user, ReadOnlySpan<int> history, Span<float> scores);

    /// <summary>How it trains.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A number of the options is out of its range.</exception>
    protected abstract TrainerOptions Checked();

    /// <summary>The network, with its first values, and what trains it.</summary>
    protected abstract (TNetwork Network, ITrainingTask Task) Begin(Interactions train, long seed);

    /// <summary>What scoring needs beside the parameters, which are held.</summary>
    protected virtual void End(TNetwork network, Interactions train)
    {
        // Most need nothing.
    }
}
