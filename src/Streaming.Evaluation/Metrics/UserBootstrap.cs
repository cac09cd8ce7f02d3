namespace Streaming.Evaluation.Metrics;

/// <summary>
/// Percentile bootstrap over users (Efron 1979) of several figures at once, for figures that are no ratio of sums (AUC), and for
/// differences: every figure sees the same users drawn.
/// </summary>
internal static class UserBootstrap
{
    public const int Resamples = 200;

    /// <param name="users">How many there are.</param>
    /// <param name="figures">The figures when user u counts counts[u] times; as many at every call.</param>
    /// <param name="seed">Fixes the draws.</param>
    /// <param name="resamples">Draws of as many users as there are.</param>
    /// <returns>One 95 % interval per figure; the estimate is that of all users counting once.</returns>
    public static Interval[] Intervals(int users, Func<int[], double[]> figures, long seed, int resamples = Resamples)
    {
        var counts = new int[users];
        Array.Fill(counts, 1);
        var whole = figures(counts);
        var draws = new Draws((ulong)seed);
        var samples = new double[whole.Length][];
        for (var f = 0; f < samples.Length; f++) samples[f] = new double[resamples];
        for (var r = 0; r < resamples; r++)
        {
            Array.Clear(counts);
            for (var u = 0; u < users; u++) counts[draws.Below(users)]++;
            var drawn = figures(counts);
            for (var f = 0; f < samples.Length; f++) samples[f][r] = drawn[f];
        }
        return [.. samples.Select((sample, f) =>
        {
            Array.Sort(sample);
            return new Interval(whole[f], Bootstrap.Quantile(sample, .025), Bootstrap.Quantile(sample, .975));
        })];
    }
}
