using Streaming.Core.Experiments;

namespace Streaming.Learning.Isolation;

/// <summary>
/// Which overlays the experiments ask for at a time: one, named <c>experiment:arm</c>, for each arm of an isolated experiment that shows. Of one
/// domain only one layer may have isolated experiments, so a user's combination of arms maps to one overlay at most.
/// </summary>
public sealed class IsolatedArms
{
    private readonly string[] _experiments;

    /// <param name="definitions">In force.</param>
    /// <param name="nowMs">Which experiments show.</param>
    public IsolatedArms(ExperimentDefinitions definitions, long nowMs)
    {
        var showing = definitions.Experiments.Where(e => e.Isolated && e.IsActive(nowMs)).ToList();
        _experiments = [.. showing.Select(e => e.Name)];
        Promotions = [.. definitions.Experiments.Where(e => e.Isolated && e.Promoted is not null).Select(e => Name(e.Name, e.Promoted!))];
        Overlays = [.. showing.SelectMany(e => e.Arms.Select(a => Name(e.Name, a.Name))).Except(Promotions)];
    }

    /// <summary>Names of the overlays that there are to be.</summary>
    public IReadOnlyList<string> Overlays { get; }

    /// <summary>Overlays that are to be folded into the shared weights, if they have not been yet.</summary>
    public IReadOnlyList<string> Promotions { get; }

    /// <summary>The overlay of a canonical arm (<see cref="ArmKey"/>); null for the shared weights.</summary>
    public string? OverlayOf(string arm)
    {
        foreach (var experiment in _experiments)
            if (ArmKey.TryArmOf(arm, experiment, out var own)) return Name(experiment, own.ToString());
        return null;
    }

    /// <summary>Brings the overlays to what is asked for. Between rounds, when nobody reads them. Returns those that were promoted.</summary>
    public IReadOnlyList<string> Apply(ArmOverlays overlays)
    {
        // Before anything is removed: an experiment is often ended by the change that promotes its winner.
        var promoted = Promotions.Where(overlays.Promote).ToList();
        overlays.Declare(Overlays, OverlayOf);
        return promoted;
    }

    private static string Name(string experiment, string arm) => $"{experiment}:{arm}";
}
