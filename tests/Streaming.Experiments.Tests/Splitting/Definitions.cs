using Streaming.Core.Experiments;
using Streaming.Core.Settings;
using Streaming.Experiments.Splitting;

namespace Streaming.Experiments.Tests.Splitting;

/// <summary>Short ways to write definitions down.</summary>
internal static class Definitions
{
    public static ExperimentDefinition Experiment(string name, string layer, double share, params (string Arm, double Weight)[] arms) => new()
    {
        Name = name, Layer = layer, Share = share, State = ExperimentState.Running,
        Arms = [.. (arms.Length > 0 ? arms : [("control", 1), ("new", 1)]).Select(a => new ArmDefinition { Name = a.Item1, Weight = a.Item2 })],
    };

    public static ExperimentDefinitions Of(params ExperimentDefinition[] experiments) => new()
    {
        Layers = [.. experiments.Select(e => e.Layer).Distinct().Select(l => new LayerDefinition { Name = l })], Experiments = experiments,
    };

    public static ExperimentsVersion First(this ExperimentDefinitions definitions) => ExperimentsVersion.None.Next(definitions);

    public static ExperimentsVersion Next(this ExperimentsVersion before, ExperimentDefinitions definitions)
    {
        ExperimentRules.Check(definitions, new StreamingSettings(), ["learned", "holdout"]).ShouldBeEmpty();
        return ExperimentPlanner.Next(before, definitions, "test", "", 1);
    }

    public static TrafficSplitter Splitter(this ExperimentsVersion version, double holdout = 0, long nowMs = 1) =>
        version.Splitter(new ExperimentsSettings { HoldoutShare = holdout }, nowMs);

    public static TrafficSplitter Splitter(this ExperimentsVersion version, ExperimentsSettings settings, long nowMs = 1)
    {
        var splitter = new TrafficSplitter(settings);
        splitter.Apply(version, nowMs);
        return splitter;
    }
}
