namespace Streaming.Evaluation.Metrics;

/// <summary>An estimate and its interval.</summary>
/// <param name="Estimate">Of the whole sample.</param>
/// <param name="Low">Lower end; NaN where there is none.</param>
/// <param name="High">Upper end.</param>
public readonly record struct Interval(double Estimate, double Low, double High);

/// <summary>
/// Percentile bootstrap (Efron 1979). The unit that is drawn again is mostly the user, not the event, because a user's events are not
/// independent. Seeded: the same seed and number of units give the same draws, whichever statistic is asked for, so that intervals of
/// differences are paired. A resample in which a figure is NaN (a metric undefined for those drawn) does not count for that figure.
/// </summary>
public static class Bootstrap
{
    /// <summary>Resamples of a statistic that goes through all rows each time: fewer than of one that adds up.</summary>
    internal const int CostlyResamples = 200;

    /// <summary>Interval of the mean of one value per unit; NaN values (metric undefined for the unit) are left out beforehand.</summary>
    public static Interval Mean(ReadOnlySpan<double> perUnit, long seed, int resamples = 1000, double confidence = 0.95)
    {
        var kept = new List<double>(perUnit.Length);
        foreach (var value in perUnit)
            if (!double.IsNaN(value)) kept.Add(value);
        var ones = new double[kept.Count];
        Array.Fill(ones, 1);
        return Ratio(kept.ToArray(), ones, seed, resamples, confidence);
    }

    /// <summary>Interval of a ratio of sums over units: clicks over impressions, say. Arrays are aligned by unit; of none all is NaN.</summary>
    public static Interval Ratio(double[] numerators, double[] denominators, long seed, int resamples = 1000, double confidence = 0.95)
    {
        BinaryMetrics.Same(numerators.Length, denominators.Length);
        if (numerators.Length == 0) return new Interval(double.NaN, double.NaN, double.NaN);
        return Of(numerators.Length, drawn =>
        {
            double above = 0, below = 0;
            foreach (var u in drawn)
            {
                above += numerators[u];
                below += denominators[u];
            }
            return [above / below];
        }, seed, resamples, confidence)[0];
    }

    /// <summary>As <see cref="Of"/>, but the statistics are told how often each unit was drawn.</summary>
    /// <param name="units">How many there are.</param>
    /// <param name="statistics">The figures when unit u counts counts[u] times; the counts are valid during the call.</param>
    /// <param name="seed">Fixes the draws.</param>
    /// <param name="resamples">Draws of as many units as there are.</param>
    /// <param name="confidence">Share, in (0, 1), of the resamples inside the interval.</param>
    public static Interval[] OfCounts(int units, Func<int[], double[]> statistics, long seed, int resamples = 1000, double confidence = 0.95)
    {
        var counts = new int[units];
        return Of(units, drawn =>
        {
            Array.Clear(counts);
            foreach (var u in drawn) counts[u]++;
            return statistics(counts);
        }, seed, resamples, confidence);
    }

    /// <summary>
    /// Intervals of several statistics at once, also of such as are no ratio of sums (AUC), or fit something first: each resample hands
    /// the drawn units' indices, with repeats, to <paramref name="statistics"/>, which answers with as many figures every time.
    /// </summary>
    /// <returns>One interval per figure; the estimate is that of all units, each once.</returns>
    public static Interval[] Of(int units, Func<int[], double[]> statistics, long seed, int resamples = 1000, double confidence = 0.95)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(units, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(resamples, 1);
        if (confidence is not (> 0 and < 1)) throw new ArgumentOutOfRangeException(nameof(confidence), confidence, "must be between 0 and 1");
        var drawn = new int[units];
        for (var i = 0; i < units; i++) drawn[i] = i;
        var estimates = statistics(drawn);
        var all = Array.ConvertAll(estimates, _ => new List<double>(resamples));
        var draws = new Draws((ulong)seed);
        for (var r = 0; r < resamples; r++)
        {
            for (var i = 0; i < units; i++) drawn[i] = draws.Below(units);
            var values = statistics(drawn);
            for (var s = 0; s < all.Length; s++)
                if (!double.IsNaN(values[s])) all[s].Add(values[s]);
        }
        var tail = (1 - confidence) / 2;
        var intervals = new Interval[all.Length];
        for (var s = 0; s < all.Length; s++)
        {
            var sorted = all[s].Order().ToArray();
            intervals[s] = sorted.Length == 0
                ? new Interval(estimates[s], double.NaN, double.NaN)
                : new Interval(estimates[s], Quantile(sorted, tail), Quantile(sorted, 1 - tail));
        }
        return intervals;
    }

    /// <summary>Linear interpolation between order statistics.</summary>
    private static double Quantile(ReadOnlySpan<double> sorted, double q)
    {
        var at = q * (sorted.Length - 1);
        var below = (int)at;
        return below + 1 < sorted.Length ? sorted[below] + (at - below) * (sorted[below + 1] - sorted[below]) : sorted[^1];
    }
}
