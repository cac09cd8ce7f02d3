using System.Diagnostics;
using System.Globalization;
using Streaming.Evaluation.Protocols;
using Streaming.Experiments;
using Streaming.Models.Training;

namespace Streaming.Evaluation.Results;

/// <summary>A model's figures under a protocol, summed up over the seeds.</summary>
/// <param name="Figures">In the protocol's order.</param>
/// <param name="Seeds">One run each.</param>
/// <param name="Seconds">Wall time of one run, mean over the seeds.</param>
public sealed record Measured(IReadOnlyList<LedgerFigure> Figures, IReadOnlyList<long> Seeds, double Seconds);

/// <summary>Runs a protocol over several seeds.</summary>
public static class Evaluator
{
    /// <param name="protocol">The way to judge.</param>
    /// <param name="model">One of its models.</param>
    /// <param name="dataPath">A data set's file or folder.</param>
    /// <param name="seeds">At least one.</param>
    /// <param name="progress">Told the share of all seeds' work done, 0 to 1; null for nobody.</param>
    /// <param name="cancel">Stops between and within runs.</param>
    /// <param name="note">Told a line after each epoch of a training; null for nobody.</param>
    /// <param name="training">
    /// Device, time and checkpoint for a model that is trained; each model, protocol and seed has a checkpoint of its own, FILE.MODEL.PROTOCOL.SEED.
    /// </param>
    /// <exception cref="DataSets.DataSetException">The data set cannot be read or does not fit the protocol.</exception>
    public static Measured Run(
        IProtocol protocol, string model, string dataPath, IReadOnlyList<long> seeds, Action<double>? progress, CancellationToken cancel,
        Action<string>? note = null, TrainingRun? training = null)
    {
        ArgumentOutOfRangeException.ThrowIfZero(seeds.Count);
        var runs = new List<IReadOnlyList<Figure>>(seeds.Count);
        var clock = Stopwatch.StartNew();
        foreach (var seed in seeds)
        {
            cancel.ThrowIfCancellationRequested();
            var done = runs.Count;
            Action<double>? share = progress is null ? null : part => progress((done + Math.Clamp(part, 0, 1)) / seeds.Count);
            var own = training?.CheckpointFile is { } file
                ? training with { CheckpointFile = string.Create(CultureInfo.InvariantCulture, $"{file}.{model}.{protocol.Name}.{seed}") } : training;
            runs.Add(protocol.Run(new EvaluationCase(model, dataPath, seed, share, note) { Training = own }, cancel));
            progress?.Invoke((done + 1.0) / seeds.Count);
        }
        return new Measured(Summary(runs), seeds, clock.Elapsed.TotalSeconds / seeds.Count);
    }

    /// <summary>Mean and sample standard deviation over the runs; the interval is the first run's.</summary>
    private static IReadOnlyList<LedgerFigure> Summary(IReadOnlyList<IReadOnlyList<Figure>> runs)
    {
        var names = runs[0].Select(f => f.Metric).ToList();
        if (names.Count == 0) throw new InvalidOperationException("the protocol gave no figure");
        if (runs.FirstOrDefault(r => !r.Select(f => f.Metric).SequenceEqual(names)) is { } other)
            throw new InvalidOperationException($"the protocol gave {string.Join(", ", names)} for one seed and {string.Join(", ", other.Select(f => f.Metric))} for another");
        return [.. runs[0].Select((first, i) => Over(first, [.. runs.Select(r => r[i].Value)]))];
    }

    private static LedgerFigure Over(Figure first, double[] values)
    {
        var over = SampleMean.Of(values);
        return new LedgerFigure(first.Metric, over.Mean, over.Deviation, first.Low, first.High);
    }
}
