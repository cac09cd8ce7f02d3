using System.Collections.Concurrent;
using Streaming.Core.Experiments;

namespace Streaming.Core.Metrics;

/// <summary>
/// The labels of arms: (experiment, arm) pairs of a canonical arm. Both labels are bounded (<see cref="BoundedLabel"/>), and so are the
/// combinations remembered; beyond, each is taken apart anew. Thread-safe; allocates only for a combination seen for the first time.
/// </summary>
public sealed class ArmLabels(int experimentsMax, int armsMax)
{
    public const int CombinationsMax = 4096;

    private readonly BoundedLabel _experiments = new(experimentsMax);
    private readonly BoundedLabel _arms = new(armsMax);
    private readonly ConcurrentDictionary<string, (string Experiment, string Arm)[]> _known = new(StringComparer.Ordinal);

    public (string Experiment, string Arm)[] Of(ReadOnlySpan<char> arm)
    {
        if (_known.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(arm, out var labels)) return labels;
        var text = arm.ToString();
        labels = [.. ArmKey.PartsOf(text).Select(p => Label(p.Experiment, p.Arm))];
        if (_known.Count < CombinationsMax) _known.TryAdd(text, labels);
        return labels;
    }

    /// <summary>An experiment beyond the bound takes its arms with it, so that "other" has no arms of its own.</summary>
    private (string Experiment, string Arm) Label(string experiment, string arm)
    {
        var label = _experiments.Of(experiment);
        return (label, label == StreamingMeters.OtherLabel ? label : _arms.Of(arm));
    }
}
