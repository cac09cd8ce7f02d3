namespace Streaming.Evaluation.Metrics;

/// <summary>An estimate and its percentile interval.</summary>
public readonly record struct Interval(double Estimate, double Low, double High);

/// <summary>
/// Percentile bootstrap over users (Efron 1979): users, not events, are drawn again, because a user's events are not independent.
/// Seeded: the same seed gives the same interval.
/// </summary>
public static class Bootstrap
{
    /// <summary>Interval of the mean of one value per user; NaN values (metric undefined for the user) are left out beforehand.</summary>
    public static Interval Mean(ReadOnlySpan<double> perUser, long seed, int resamples = 1000, double confidence = 0.95)
    {
        var kept = new List<double>(perUser.Length);
        foreach (var value in perUser)
            if (!double.IsNaN(value)) kept.Add(value);
        var values = kept.ToArray();
        var ones = new double[values.Length];
        Array.Fill(ones, 1);
        return Ratio(values, ones, seed, resamples, confidence);
    }

    /// <summary>Interval of a ratio of sums over users: clicks over impressions, say. Arrays are aligned by user.</summary>
    public static Interval Ratio(ReadOnlySpan<double> numerators, ReadOnlySpan<double> denominators, long seed, int resamples = 1000,
        double confidence = 0.95)
    {
        BinaryMetrics.Same(numerators.Length, denominators.Length);
        ArgumentOutOfRangeException.ThrowIfLessThan(resamples, 1);
        if (confidence is not (> 0 and < 1)) throw new ArgumentOutOfRangeException(nameof(confidence), confidence, "must be between 0 and 1");
        var users = numerators.Length;
        if (users == 0) return new Interval(double.NaN, double.NaN, double.NaN);
        var draws = new Draws((ulong)seed);
        var estimates = new double[resamples];
        for (var r = 0; r < resamples; r++)
        {
            double above = 0, below = 0;
            for (var u = 0; u < users; u++)
            {
                var drawn = draws.Below(users);
                above += numerators[drawn];
                below += denominators[drawn];
            }
            estimates[r] = above / below;
        }
        Array.Sort(estimates);
        double sumAbove = 0, sumBelow = 0;
        for (var u = 0; u < users; u++)
        {
            sumAbove += numerators[u];
            sumBelow += denominators[u];
        }
        var tail = (1 - confidence) / 2;
        return new Interval(sumAbove / sumBelow, Quantile(estimates, tail), Quantile(estimates, 1 - tail));
    }

    /// <summary>
    /// Intervals of statistics that are no ratio of sums, or that fit something first: each resample hands the drawn units' indices,
    /// with repeats, to <paramref name="statistics"/>, which answers with as many figures every time. A figure that is NaN in some
    /// resamples has its interval from the others.
    /// </summary>
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
    internal static double Quantile(ReadOnlySpan<double> sorted, double q)
    {
        var at = q * (sorted.Length - 1);
        var below = (int)at;
        return below + 1 < sorted.Length ? sorted[below] + (at - below) * (sorted[below + 1] - sorted[below]) : sorted[^1];
    }
}
