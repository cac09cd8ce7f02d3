using Streaming.Core.Experiments;

namespace Streaming.Experiments.Reporting;

/// <summary>A metric that must not get worse.</summary>
/// <param name="Metric">Which.</param>
/// <param name="Margin">Relative loss that is put up with, at least 0: 0.02 lets it fall by 2 % (or rise, where lower is better).</param>
public sealed record GuardRail(Metric Metric, double Margin);

/// <summary>What an experiment is judged by, as the report needs it.</summary>
public sealed record ReportPlan
{
    public double Alpha { get; init; } = 0.05;
    public IReadOnlyList<Metric> Primary { get; init; } = [Metric.Ctr];
    public double Lift { get; init; } = 0.03;
    public IReadOnlyList<GuardRail> GuardRails { get; init; } = [];
    public bool UseCuped { get; init; } = true;

    /// <summary>What its authors suppose and why.</summary>
    public string Description { get; init; } = "";

    /// <summary>As its definition says; the defaults for one without, and for the default layer.</summary>
    public static ReportPlan Of(ExperimentDefinition? definition)
    {
        var analysis = definition?.Analysis ?? new AnalysisDefinition();
        return new ReportPlan
        {
            Alpha = analysis.Alpha, Primary = [.. analysis.Primary.Distinct().Select(Find)], Lift = analysis.Lift, UseCuped = analysis.Cuped,
            GuardRails = [.. analysis.GuardRails.DistinctBy(r => r.Metric).Select(r => new GuardRail(Find(r.Metric), r.Margin))],
            Description = definition?.Description ?? "",
        };
    }

    private static Metric Find(string name) => Metric.TryFind(name, out var metric) ? metric : throw new ArgumentException($"'{name}' is no metric", nameof(name));
}
