using Streaming.Core.Experiments;
using Streaming.Core.Settings;
using Streaming.Experiments.Splitting;

namespace Streaming.Experiments.Ledger;

/// <summary>What the ledger follows: the experiments of a version, and the default layer of the settings.</summary>
public static class TrackedExperiments
{
    /// <param name="version">In force.</param>
    /// <param name="settings">Of the default layer.</param>
    public static IReadOnlyList<TrackedExperiment> Of(ExperimentsVersion version, ExperimentsSettings settings)
    {
        List<TrackedExperiment> tracked = [Default(settings, version.Definitions.Testers)];
        var definitions = version.Definitions;
        foreach (var experiment in definitions.Experiments.Where(e => e.State != ExperimentState.Draft && e.Arms.Count > 0))
        {
            var runs = experiment.State == ExperimentState.Running;
            var table = version.Layers.GetValueOrDefault(experiment.Layer);
            tracked.Add(new TrackedExperiment
            {
                Id = experiment.Name, Arms = [.. experiment.Arms.Select(a => a.Name)],
                // The buckets that arms really hold: weights are rounded to them.
                Shares = [.. experiment.Arms.Select(a => (double)(table?.CountOf(ExperimentsVersion.Owner(experiment.Name, a.Name)) ?? 0))],
                Stopped = [.. experiment.Arms.Where(a => a.Stopped).Select(a => a.Name)], Excluded = [.. experiment.Forced.Keys, .. definitions.Testers],
                Interleaved = experiment.Arms.Where(a => a.Interleave is not null).ToDictionary(a => a.Name, a => a.Interleave!),
                StartMs = experiment.Starts?.ToUnixTimeMilliseconds() ?? long.MinValue,
                EndMs = Math.Min(experiment.Ends?.ToUnixTimeMilliseconds() ?? long.MaxValue, runs ? long.MaxValue : version.ChangedMs), Runs = runs,
            });
        }
        return tracked;
    }

    /// <summary>The hold-out and the arms of <c>Experiments:ArmShares</c> beside "learned".</summary>
    private static TrackedExperiment Default(ExperimentsSettings settings, IReadOnlyCollection<string> testers)
    {
        var arms = settings.ArmShares.OrderBy(a => a.Key, StringComparer.Ordinal).ToList();
        var rest = 1 - settings.HoldoutShare - arms.Sum(a => a.Value);
        return new TrackedExperiment
        {
            Id = ArmKey.DefaultExperiment, Arms = [TrafficSplitter.Learned, TrafficSplitter.Holdout, .. arms.Select(a => a.Key)],
            Shares = [Math.Max(0, rest), settings.HoldoutShare, .. arms.Select(a => a.Value)], Excluded = testers,
        };
    }
}
