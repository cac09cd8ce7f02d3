using Streaming.Core.Events;
using Streaming.Core.Settings;
using Streaming.Core.Wire;
using Streaming.Learning.Metrics;
using Streaming.Models.Deep;

namespace Streaming.Learning.Deep;

/// <summary>
/// Prequential figures of a model of several tasks, goal by goal, the first left out: that is the model's own. An impression counts once for each goal, with
/// the record that labels it; a late action, which corrects the label, does not count again. One thread.
/// </summary>
internal sealed class GoalMetrics
{
    private readonly IMultiTaskModel _model;
    private readonly PrequentialMetrics[] _goals;
    private float[] _probabilities = [];

    private GoalMetrics(IMultiTaskModel model, PrequentialMetrics[] goals) => (_model, _goals) = (model, goals);

    /// <summary>Null for a model of one task.</summary>
    public static GoalMetrics? Of(IDeepModel model, LearningSettings learning) => model is IMultiTaskModel { Goals.Count: > 0 } several
        ? new GoalMetrics(several, [.. several.Goals.Select(goal => new PrequentialMetrics(EventKinds.Name(goal), learning))])
        : null;

    /// <summary>K.</summary>
    private int Tasks => 1 + _goals.Length;

    /// <summary>Predicts all tasks at once and keeps them for <see cref="Add"/>; the first's are given.</summary>
    /// <param name="batch">B rows.</param>
    /// <param name="into">Shape [B].</param>
    public void Predict(ExampleBatch batch, Span<float> into)
    {
        if (_probabilities.Length < batch.Count * Tasks) _probabilities = new float[batch.Count * Tasks];
        _model.PredictGoals(batch, _probabilities.AsSpan(0, batch.Count * Tasks));
        for (var row = 0; row < batch.Count; row++) into[row] = _probabilities[row * Tasks];
    }

    /// <summary>Scores the goals that a row labels, by what was last predicted. Returns how many of the predictions were no numbers; those do not count.</summary>
    public int Add(ExampleBatch batch, int row)
    {
        if (batch.Source(row) is not { IsCorrection: false }) return 0;
        var labels = _model.LabelsOf(batch, row);
        var notFinite = 0;
        for (var k = 1; k < Tasks; k++)
        {
            if (float.IsNaN(labels[k])) continue;
            var p = _probabilities[row * Tasks + k];
            if (float.IsFinite(p)) _goals[k - 1].Add(batch.Users[row], p, labels[k] > 0.5f, batch.Weights[row]);
            else notFinite++;
        }
        return notFinite;
    }

    /// <summary>Over all predictions.</summary>
    public IReadOnlyList<PrequentialFigures> Figures() => [.. _goals.Select(goal => goal.Figures())];

    /// <summary>Over the last predictions.</summary>
    public IReadOnlyList<WindowFigures> Windows() => [.. _goals.Select(goal => goal.Window())];

    /// <summary>As a member of a part of a checkpoint; null writes that there are none.</summary>
    public static void Save(GoalMetrics? metrics, CheckpointWriter writer)
    {
        writer.Int32(metrics?._goals.Length ?? 0);
        foreach (var goal in metrics?._goals ?? []) goal.Save(writer);
    }

    /// <summary>What <see cref="Save"/> wrote of a model of the same goals, in a new object.</summary>
    public static GoalMetrics? Read(GoalMetrics? like, CheckpointReader reader)
    {
        reader.Expect(like?._goals.Length ?? 0, "goals");
        return like is null ? null : new GoalMetrics(like._model, [.. like._goals.Select(goal => goal.Read(reader))]);
    }
}
