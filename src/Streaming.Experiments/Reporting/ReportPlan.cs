using Streaming.Experiments.Ledger;

namespace Streaming.Experiments.Reporting;

/// <summary>A metric that must not get worse.</summary>
/// <param name="Metric">Which.</param>
/// <param name="Margin">Relative loss that is put up with, at least 0: 0.02 lets it fall by 2 % (or rise, where lower is better).</param>
public sealed record GuardRail(Metric Metric, double Margin);

/// <summary>What an experiment is judged by, fixed before it starts.</summary>
public sealed record ReportPlan
{
    /// <summary>Chance of a false claim about the primary metrics, all arms and looks together; and of a false stop by guard-rails.</summary>
    public double Alpha { get; init; } = 0.05;

    /// <summary>What decides. Others are told, too, and are leads.</summary>
    public IReadOnlyList<Metric> Primary { get; init; } = [Metric.Ctr];

    /// <summary>The relative effect that one hopes to find: where the intervals are narrowest. Any gives valid ones.</summary>
    public double Lift { get; init; } = 0.03;

    public IReadOnlyList<GuardRail> GuardRails { get; init; } = [];

    /// <summary>Whether CUPED takes out what users did before.</summary>
    public bool UseCuped { get; init; } = true;
}
