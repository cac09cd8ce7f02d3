using Streaming.Models.Training;

namespace Streaming.Models.Offline;

/// <summary>A model whose fitting is a <see cref="Trainer"/>'s: it takes minutes, and says how far it is.</summary>
public interface ITrainedRecommender : IRecommender
{
    /// <summary>As <see cref="IRecommender.Fit"/>, with somebody told.</summary>
    /// <returns>How the training went.</returns>
    TrainingResult Fit(Interactions train, long seed, Action<TrainingProgress>? progress);
}
