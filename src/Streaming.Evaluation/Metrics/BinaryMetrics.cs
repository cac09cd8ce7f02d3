namespace Streaming.Evaluation.Metrics;

/// <summary>AUC averaged over groups (users).</summary>
/// <param name="Weighted">Mean weighted by the group's number of examples: GAUC (Zhu et al. 2017, "Optimized Cost per Click").</param>
/// <param name="Unweighted">Plain mean over groups: uAUC.</param>
/// <param name="Groups">Groups with both labels.</param>
/// <param name="Skipped">Groups with one label only, which have no AUC.</param>
public readonly record struct GroupedAuc(double Weighted, double Unweighted, int Groups, int Skipped);

/// <summary>
/// Exact offline metrics of scores against binary labels. Arrays are aligned: scores[i] belongs to labels[i]. A metric that does
/// not exist for its input (AUC of one class, anything of no rows) is NaN, never an error.
/// </summary>
public static class BinaryMetrics
{
    /// <summary>
    /// Area under the ROC curve: the probability that a positive scores above a negative, ties counting one half. By rank sums
    /// with mid-ranks (Mann and Whitney 1947), O(n log n).
    /// </summary>
    public static double Auc(ReadOnlySpan<double> scores, ReadOnlySpan<bool> labels)
    {
        Same(scores.Length, labels.Length);
        var sorted = scores.ToArray();
        var sortedLabels = labels.ToArray();
        Array.Sort(sorted, sortedLabels);
        return SortedAuc(sorted, sortedLabels);
    }

    /// <summary>AUC within each group, averaged.</summary>
    public static GroupedAuc GroupAuc(ReadOnlySpan<int> groups, ReadOnlySpan<double> scores, ReadOnlySpan<bool> labels)
    {
        Same(scores.Length, labels.Length);
        Same(scores.Length, groups.Length);
        var keys = new (int Group, double Score)[scores.Length];
        for (var i = 0; i < keys.Length; i++) keys[i] = (groups[i], scores[i]);
        var sortedLabels = labels.ToArray();
        Array.Sort(keys, sortedLabels);
        var sorted = Array.ConvertAll(keys, k => k.Score);

        double weighted = 0, unweighted = 0, weight = 0;
        int used = 0, skipped = 0;
        for (int start = 0, end; start < keys.Length; start = end)
        {
            for (end = start + 1; end < keys.Length && keys[end].Group == keys[start].Group;) end++;
            var auc = SortedAuc(sorted.AsSpan(start, end - start), sortedLabels.AsSpan(start, end - start));
            if (double.IsNaN(auc))
            {
                skipped++;
                continue;
            }
            used++;
            unweighted += auc;
            weighted += auc * (end - start);
            weight += end - start;
        }
        return new GroupedAuc(weighted / weight, used == 0 ? double.NaN : unweighted / used, used, skipped);
    }

    /// <summary>Mean negative log-likelihood in nats. Probabilities are clipped to [epsilon, 1 - epsilon].</summary>
    public static double LogLoss(ReadOnlySpan<double> probabilities, ReadOnlySpan<bool> labels, double epsilon = 1e-15)
    {
        Same(probabilities.Length, labels.Length);
        double sum = 0;
        for (var i = 0; i < labels.Length; i++)
        {
            var p = Math.Clamp(probabilities[i], epsilon, 1 - epsilon);
            sum -= Math.Log(labels[i] ? p : 1 - p);
        }
        return sum / labels.Length;
    }

    /// <summary>
    /// Normalised entropy (He et al. 2014, "Practical Lessons from Predicting Clicks on Ads at Facebook", eq. 3): log-loss over that
    /// of always predicting the base rate; below 1 is better than the base rate.
    /// </summary>
    public static double NormalisedEntropy(ReadOnlySpan<double> probabilities, ReadOnlySpan<bool> labels)
    {
        var rate = Rate(labels);
        return LogLoss(probabilities, labels) / -(XLogX(rate) + XLogX(1 - rate));

        static double XLogX(double x) => x <= 0 ? 0 : x * Math.Log(x);
    }

    /// <summary>Predicted positives over actual positives; 1 is calibrated on average.</summary>
    public static double CalibrationRatio(ReadOnlySpan<double> probabilities, ReadOnlySpan<bool> labels)
    {
        Same(probabilities.Length, labels.Length);
        double predicted = 0;
        foreach (var p in probabilities) predicted += p;
        return predicted / (Rate(labels) * labels.Length);
    }

    /// <summary>
    /// Expected calibration error (Naeini et al. 2015): mean |mean prediction - mean label| over bins of equal width on [0, 1],
    /// weighted by their rows. A prediction of exactly 1 is in the last bin.
    /// </summary>
    public static double ExpectedCalibrationError(ReadOnlySpan<double> probabilities, ReadOnlySpan<bool> labels, int bins = 10)
    {
        Same(probabilities.Length, labels.Length);
        ArgumentOutOfRangeException.ThrowIfLessThan(bins, 1);
        var gaps = new double[bins];
        for (var i = 0; i < labels.Length; i++)
        {
            var bin = Math.Clamp((int)(probabilities[i] * bins), 0, bins - 1);
            gaps[bin] += probabilities[i] - (labels[i] ? 1 : 0);
        }
        double sum = 0;
        foreach (var gap in gaps) sum += Math.Abs(gap);
        return sum / labels.Length;
    }

    /// <summary>Scores ascending; groups of equal scores share their mean rank.</summary>
    private static double SortedAuc(ReadOnlySpan<double> scores, ReadOnlySpan<bool> labels)
    {
        double rankSum = 0;
        long positives = 0;
        for (int start = 0, end; start < scores.Length; start = end)
        {
            if (double.IsNaN(scores[start])) throw new ArgumentException("a score is NaN");
            var inGroup = labels[start] ? 1 : 0;
            for (end = start + 1; end < scores.Length && scores[end] == scores[start]; end++)
                if (labels[end]) inGroup++;
            // Ranks are one-based: the group covers start + 1 .. end.
            rankSum += inGroup * (start + 1.0 + end) * 0.5;
            positives += inGroup;
        }
        var negatives = scores.Length - positives;
        return positives == 0 || negatives == 0 ? double.NaN
            : (rankSum - positives * (positives + 1) * 0.5) / ((double)positives * negatives);
    }

    private static double Rate(ReadOnlySpan<bool> labels)
    {
        var positives = 0;
        foreach (var label in labels)
            if (label) positives++;
        return (double)positives / labels.Length;
    }

    internal static void Same(int a, int b)
    {
        if (a != b) throw new ArgumentException($"arrays must be aligned, their lengths are {a} and {b}");
    }
}
