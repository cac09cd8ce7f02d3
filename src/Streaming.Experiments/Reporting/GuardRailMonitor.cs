using Streaming.Experiments.Inference;

namespace Streaming.Experiments.Reporting;

/// <summary>What the statistics may do to an experiment.</summary>
public interface IExperimentActions
{
    /// <summary>Stops an arm: nobody gets it any more. Stopping one that is stopped does nothing.</summary>
    /// <param name="experiment">Its id.</param>
    /// <param name="arm">Not the control.</param>
    /// <param name="reason">For the audit trail, and for the person who asks why.</param>
    Task StopArmAsync(string experiment, string arm, string reason, CancellationToken cancel);
}

/// <summary>
/// Stops arms that are shown to harm a guard-rail. It may look as often as it likes: a rail is harmed where the interval that holds at all looks lies
/// beyond the margin, so the chance that an arm is ever stopped without cause is alpha at most, over all arms and rails of the experiment.
/// </summary>
public sealed class GuardRailMonitor(IExperimentActions actions)
{
    /// <summary>Looks at a report; returns the arms stopped now.</summary>
    public async Task<IReadOnlyList<string>> LookAsync(ExperimentReport report, CancellationToken cancel = default)
    {
        List<string> stopped = [];
        foreach (var rail in report.GuardRails.Where(r => r.State == RailState.Harmed))
        {
            // Nothing is remembered between looks: what failed is tried again, and an arm that a person lets go on is stopped again unless they widen the margin.
            if (stopped.Contains(rail.Arm) || report.Arms.Any(a => a.Arm == rail.Arm && a.Stopped)) continue;
            await actions.StopArmAsync(report.Experiment, rail.Arm, ReasonOf(rail), cancel).ConfigureAwait(false);
            stopped.Add(rail.Arm);
        }
        return stopped;
    }

    private static string ReasonOf(RailRow rail) =>
        $"guard-rail: {rail.Metric} {ReportWords.Signed(rail.Lift)}, {ReportWords.Range(rail.Interval)}, with {ReportWords.Signed(rail.Margin).TrimStart('+')} allowed";
}
