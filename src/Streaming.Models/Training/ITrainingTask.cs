using Streaming.Models.Layers;
using TorchSharp;

namespace Streaming.Models.Training;

/// <summary>What a <see cref="Trainer"/> trains: parameters, the mini-batches that they learn from, and a metric on data held out.</summary>
public interface ITrainingTask
{
    /// <summary>What gradients move, in a fixed order.</summary>
    IReadOnlyList<DenseParameter> Parameters { get; }

    /// <summary>
    /// Orders and draws the examples of an epoch, from its number and the task's own seed alone: a training that goes on from a
    /// checkpoint sees what an uninterrupted one would have seen.
    /// </summary>
    /// <returns>Mini-batches of the epoch; <see cref="Loss"/> is then asked for 0, 1, ... in turn.</returns>
    int BeginEpoch(int epoch);

    /// <summary>The mean loss of a mini-batch, a scalar to go backward from. The parameters have begun a pass.</summary>
    torch.Tensor Loss(int batch, torch.Device device);

    /// <summary>The metric that decides when to stop, larger is better; NaN where nothing is held out. The parameters have begun a pass.</summary>
    double Validate(torch.Device device);
}

/// <summary>How far a training is.</summary>
/// <param name="Epoch">From 1.</param>
/// <param name="Share">Of the steps of all epochs, 0 to 1; early stopping may end it before.</param>
/// <param name="Loss">Mean over the epoch so far.</param>
/// <param name="Validation">The metric after this epoch; NaN while it lasts, and where nothing is held out.</param>
/// <param name="Left">Time until the last epoch's end, at the pace so far.</param>
public sealed record TrainingProgress(int Epoch, double Share, double Loss, double Validation, TimeSpan Left)
{
    /// <summary>Whether the epoch is over.</summary>
    public bool EpochEnded { get; init; }
}

/// <summary>What a training came to; the parameters are those of the best epoch.</summary>
/// <param name="Epochs">Epochs trained, those before a checkpoint included.</param>
/// <param name="BestEpoch">From 1; the last one where nothing is held out.</param>
/// <param name="BestValidation">Its metric; NaN where nothing is held out.</param>
/// <param name="Losses">Mean loss of each epoch.</param>
public sealed record TrainingResult(int Epochs, int BestEpoch, double BestValidation, IReadOnlyList<double> Losses);
