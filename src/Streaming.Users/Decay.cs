namespace Streaming.Users;

/// <summary>
/// Exponential decay by half-life over event time that may arrive out of order: a late addition counts as much as it would have
/// decayed to by now, and nothing ever grows by going back in time.
/// </summary>
internal static class Decay
{
    /// <summary>0.5^(elapsed/half-life); 1 for an elapsed time below zero.</summary>
    public static double Factor(long elapsedMs, long halfLifeMs) => elapsedMs <= 0 ? 1 : Math.Pow(0.5, (double)elapsedMs / halfLifeMs);

    /// <summary>A decayed sum after an addition: its value and the time that it is valid for.</summary>
    public static (float Sum, long TimeMs) Add(float sum, long sumMs, double amount, long timeMs, long halfLifeMs) =>
        timeMs >= sumMs
            ? ((float)(sum * Factor(timeMs - sumMs, halfLifeMs) + amount), timeMs)
            : ((float)(sum + amount * Factor(sumMs - timeMs, halfLifeMs)), sumMs);

    /// <summary>
    /// Moves a decayed weighted mean towards one more vector: mean += a / W' (vector - mean), where W' is the decayed weight with
    /// the addition a. Returns W' and its time. Shapes: [dim] both.
    /// </summary>
    public static (float Weight, long TimeMs) AddToMean(
        Span<float> mean, float weight, long weightMs, ReadOnlySpan<float> vector, double amount, long timeMs, long halfLifeMs)
    {
        var (total, totalMs) = Add(weight, weightMs, amount, timeMs, halfLifeMs);
        if (!(total > 0)) return (weight, weightMs);
        var added = timeMs >= weightMs ? amount : amount * Factor(weightMs - timeMs, halfLifeMs);
        var share = (float)Math.Min(1, added / total);
        for (var i = 0; i < mean.Length; i++) mean[i] += share * (vector[i] - mean[i]);
        return (total, totalMs);
    }
}
