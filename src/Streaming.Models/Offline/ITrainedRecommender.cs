using Streaming.Models.Training;

namespace Streaming.Models.Offline;

/// <summary>A model whose fitting is a <see cref="Trainer"/>'s: it takes minutes, and says how far it is.</summary>
public interface ITrainedRecommender : IRecommender
{
    /// <summary>As <see cref="IRecommender.Fit"/>, with somebody told.</summary>
    /// <param name="train">What it learns from.</param>
    /// <param name="seed">As <see cref="IRecommender.Fit"/>.</param>
    /// <param name="progress">Told after every mini-batch and every epoch; null for nobody.</param>
    /// <param name="run">Device, time and checkpoint; null for the model's own.</param>
    /// <returns>How the training went.</returns>
    TrainingResult Fit(Interactions train, long seed, Action<TrainingProgress>? progress, TrainingRun? run = null);
}
