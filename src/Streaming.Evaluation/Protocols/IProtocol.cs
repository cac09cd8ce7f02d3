using Streaming.Evaluation.Metrics;
using Streaming.Models.Training;

namespace Streaming.Evaluation.Protocols;

/// <summary>One measured number.</summary>
/// <param name="Metric">Standard name with its cut-off, "ndcg@10".</param>
/// <param name="Value">The figure; NaN where it is not defined.</param>
/// <param name="Low">Lower end of the 95 % bootstrap interval over users (or rankings); NaN where none was computed.</param>
/// <param name="High">Upper end.</param>
public sealed record Figure(string Metric, double Value, double Low = double.NaN, double High = double.NaN)
{
    /// <summary>A figure with its bootstrap interval.</summary>
    public Figure(string metric, Interval interval) : this(metric, interval.Estimate, interval.Low, interval.High)
    {
    }
}

/// <summary>What to measure.</summary>
/// <param name="Model">One of <see cref="IProtocol.Models"/>.</param>
/// <param name="DataPath">A data set's file or folder.</param>
/// <param name="Seed">Fixes whatever the data set and the model leave open.</param>
/// <param name="Progress">Told the share done, 0 to 1; null for nobody.</param>
/// <param name="Note">Told a line after each epoch of a training; null for nobody.</param>
public sealed record EvaluationCase(string Model, string DataPath, long Seed, Action<double>? Progress = null, Action<string>? Note = null)
{
    /// <summary>Device, time and checkpoint for a model that is trained; null for the model's own.</summary>
    public TrainingRun? Training { get; init; }

    /// <exception cref="ArgumentException">The protocol has no such model; the message lists those that it has.</exception>
    internal void Check(IProtocol protocol)
    {
        if (!protocol.Models.Contains(Model)) throw new ArgumentException($"'{Model}' is no model of {protocol.Name}; it has {string.Join(", ", protocol.Models)}");
    }
}

/// <summary>
/// A way to judge a model, with a name that stands beside every number it gives. Figures of different protocols never share a table.
/// </summary>
public interface IProtocol
{
    /// <summary>Printed beside every figure, "leave-one-out-given-negatives".</summary>
    string Name { get; }

    /// <summary>What is held out, what is ranked against what, and what the model may know, in one or two sentences.</summary>
    string Description { get; }

    /// <summary>Names of the models that it can judge.</summary>
    IReadOnlyList<string> Models { get; }

    /// <summary>Why a training of the model cannot keep its state in a file and go on from there; null where it can, or where nothing is trained.</summary>
    string? KeepsNoState(string model) => null;

    /// <summary>Runs once.</summary>
    /// <exception cref="DataSets.DataSetException">The data set cannot be read or does not fit the protocol.</exception>
    IReadOnlyList<Figure> Run(EvaluationCase what, CancellationToken cancel);
}
