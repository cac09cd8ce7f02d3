using System.Globalization;
using Streaming.Models.Offline;
using Streaming.Models.Training;

namespace Streaming.Evaluation.Protocols;

/// <summary>Fits a model with whoever waits told how far it is.</summary>
internal static class Fitting
{
    /// <summary>What fitting takes of the time of a run whose model is trained; other models say nothing while they are fitted.</summary>
    private const double Share = 0.9;

    /// <param name="model">Fitted.</param>
    /// <param name="train">What it may learn from.</param>
    /// <param name="seed">As <see cref="IRecommender.Fit"/>.</param>
    /// <param name="progress">Told the share of the whole run done, 0 to 1; null for nobody.</param>
    /// <param name="note">Told a line after each epoch of a training and one in the end; null for nobody.</param>
    /// <param name="run">Device, time and checkpoint of a training; null for the model's own.</param>
    /// <returns>What to tell the share of the rest of the run, 0 to 1.</returns>
    public static Action<double>? Fit(IRecommender model, Interactions train, long seed, Action<double>? progress, Action<string>? note,
        TrainingRun? run = null)
    {
        if (model is not ITrainedRecommender trained)
        {
            model.Fit(train, seed);
            return progress;
        }
        var result = trained.Fit(train, seed, now =>
        {
            progress?.Invoke(now.Share * Share);
            if (now.EpochEnded) note?.Invoke(Line(now));
        }, run);
        note?.Invoke(string.Create(CultureInfo.InvariantCulture, $"{result.Epochs} epochs, best {result.BestEpoch} with validation {result.BestValidation:0.0000}"));
        return progress is null ? null : rest => progress(Share + (1 - Share) * rest);
    }

    public static string Line(TrainingProgress now) => string.Create(
        CultureInfo.InvariantCulture, $"epoch {now.Epoch}: loss {now.Loss:0.00000}, validation {now.Validation:0.0000}, at most {now.Left.TotalSeconds:0} s left");
}
