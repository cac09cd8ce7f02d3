using Streaming.Core.Settings;

namespace Streaming.Core.Experiments;

/// <summary>What an experiment is judged by; to be written down before it starts.</summary>
public sealed record AnalysisDefinition
{
    public const int PrimaryMax = 4;
    public const int GuardRailsMax = 8;

    /// <summary>Names of the metrics that decide (<see cref="Metric.All"/>). Others are told, too, as leads.</summary>
    public IReadOnlyList<string> Primary { get; init; } = [Metric.Ctr.Name];

    /// <summary>Chance of a false claim about the primary metrics, over all arms and looks; and of a false stop by guard-rails. In (0, 0.5].</summary>
    public double Alpha { get; init; } = 0.05;

    /// <summary>The relative effect that one hopes to find, in (0, 1]: where the intervals are narrowest. Any gives valid ones.</summary>
    public double Lift { get; init; } = 0.03;

    /// <summary>Metrics that must not get worse: an arm that is shown to harm one is stopped by the node.</summary>
    public IReadOnlyList<GuardRailDefinition> GuardRails { get; init; } = [];

    /// <summary>Whether CUPED takes out what users did before.</summary>
    public bool Cuped { get; init; } = true;

    public void Validate(SettingsProblems problems, string path)
    {
        if (Primary.Count is 0 or > PrimaryMax) problems.Add($"{path}:primary", $"names {Primary.Count} metrics; 1 to {PrimaryMax} can decide");
        problems.InRange($"{path}:alpha", Alpha, 1e-6, 0.5);
        problems.InRange($"{path}:lift", Lift, 1e-6, 1);
        if (GuardRails.Count > GuardRailsMax) problems.Add($"{path}:guard_rails", $"there are {GuardRails.Count}; {GuardRailsMax} at most");
        foreach (var rail in GuardRails) problems.InRange($"{path}:guard_rails:{rail.Metric}:margin", rail.Margin, 0, 1);
        foreach (var name in Primary.Concat(GuardRails.Select(r => r.Metric)).Where(name => !Metric.TryFind(name, out _)))
            problems.Add($"{path}:{name}", $"is no metric; there are {string.Join(", ", Metric.All.Select(m => m.Name))}");
    }
}

/// <summary>A metric that must not get worse.</summary>
public sealed record GuardRailDefinition
{
    /// <summary>A name of <see cref="Experiments.Metric.All"/>.</summary>
    public required string Metric { get; init; }

    /// <summary>Relative loss that is put up with, in [0, 1]: 0.02 lets it fall by 2 % (or rise, where lower is better).</summary>
    public double Margin { get; init; }
}
