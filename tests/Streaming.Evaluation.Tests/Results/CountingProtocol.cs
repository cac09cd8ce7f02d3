using Streaming.Evaluation.DataSets;
using Streaming.Evaluation.Protocols;

namespace Streaming.Evaluation.Tests.Results;

/// <summary>
/// A protocol whose figures can be worked out by hand: "hr@10" is the model's number plus a hundredth of the seed, "logloss" falls by as
/// much, "events" counts those of the data set.
/// </summary>
public sealed class CountingProtocol(string name = "counting") : IProtocol
{
    private static readonly Dictionary<string, double> Numbers = new() { ["caser"] = 0.5, ["popularity"] = 0.1, ["ease"] = 0.3 };

    public string Name => name;
    public string Description => "Counts the events; nothing is held out.";
    public IReadOnlyList<string> Models { get; } = [.. Numbers.Keys];

    public string? KeepsNoState(string model) => model == "caser" ? "it counts" : null;

    public IReadOnlyList<Figure> Run(EvaluationCase what, CancellationToken cancel)
    {
        var events = Streaming.Evaluation.DataSets.DataSets.Open(what.DataPath).Events(what.Seed).Count();
        what.Progress?.Invoke(0.5);
        cancel.ThrowIfCancellationRequested();
        var gain = what.Seed / 100.0;
        var hits = Numbers[what.Model] + gain;
        return [new("hr@10", hits, hits - 0.05, hits + 0.05), new("logloss", 1 - hits), new("events", events)];
    }
}
