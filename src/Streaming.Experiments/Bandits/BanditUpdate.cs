using Streaming.Core.Experiments;

namespace Streaming.Experiments.Bandits;

/// <summary>
/// Moves the weights of experiments that have a bandit. The new weights go the way of every other change: into the definitions, so that sticky buckets,
/// the audit and every node follow, and so that the shares of each arm at any time can be read from the log, which weights by propensity need.
/// </summary>
public static class BanditUpdate
{
    /// <summary>Smaller changes of all weights are not worth a version: 1,000 buckets cannot tell them apart.</summary>
    public const double ChangeMin = 0.005;

    /// <summary>The author of its changes in the audit.</summary>
    public const string Author = "bandit";

    /// <summary>Running experiments whose next update is due.</summary>
    public static IEnumerable<ExperimentDefinition> Due(ExperimentDefinitions definitions, long nowMs) => definitions.Experiments.Where(
        e => e.Bandit is { } bandit && e.IsActive(nowMs) && nowMs - bandit.UpdatedMs >= bandit.EveryMinutes * 60_000L);

    /// <summary>The experiment with the weights that its arms have earned; null where it stays as it is.</summary>
    /// <param name="experiment">With a bandit.</param>
    /// <param name="sums">By arm; arms without users may be missing. Stopped arms are left out: they keep their weight and take part no more.</param>
    /// <param name="nowMs">Kept as the time of the update.</param>
    public static ExperimentDefinition? Next(ExperimentDefinition experiment, IReadOnlyDictionary<string, ArmSums> sums, long nowMs)
    {
        var bandit = experiment.Bandit ?? throw new ArgumentException($"experiment '{experiment.Name}' has no bandit", nameof(experiment));
        var open = experiment.Arms.Where(a => !a.Stopped).ToList();
        if (open.Count < 2) return null;
        var weights = BanditWeights.Of([.. open.Select(a => sums.GetValueOrDefault(a.Name, ArmSums.Empty(a.Name)))], bandit);
        // What all arms that are open have together stays theirs, whatever a stopped one holds.
        var total = open.Sum(a => a.Weight);
        if (total <= 0) total = 1;
        var changed = open.Select((a, i) => Math.Abs(a.Weight / total - weights[i])).Max() >= ChangeMin;
        if (!changed) return null;
        var next = open.Select((a, i) => (a.Name, Weight: Math.Round(weights[i] * total, 6))).ToDictionary(a => a.Name, a => a.Weight);
        return experiment with
        {
            Arms = [.. experiment.Arms.Select(a => next.TryGetValue(a.Name, out var weight) ? a with { Weight = weight } : a)],
            Bandit = bandit with { Updates = bandit.Updates + 1, UpdatedMs = nowMs },
        };
    }
}
