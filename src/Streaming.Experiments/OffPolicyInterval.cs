using MathNet.Numerics.Distributions;

namespace Streaming.Experiments;

/// <summary>An estimate with its interval.</summary>
public readonly record struct PolicyValue(double Value, double Low, double High)
{
    public bool Holds(double truth) => Low <= truth && truth <= High;
}

/// <summary>
/// Off-policy estimates with intervals for a log whose rows come in users: a row's influence on the estimate is summed over each user, and the users
/// are the independent units (a normal interval with the sandwich variance, n / (n - 1) over users). A bootstrap over users comes to the same; over
/// rows it would be too narrow.
/// </summary>
public static class OffPolicyInterval
{
    /// <summary>IPS, SNIPS, DR, self-normalised DR.</summary>
    public static IReadOnlyList<string> Estimators { get; } = ["ips", "snips", "dr", "dr-self-normalised"];

    /// <param name="log">Rows.</param>
    /// <param name="users">Shape [rows]: whose each is.</param>
    /// <param name="confidence">Of the intervals.</param>
    /// <returns>Aligned with <see cref="Estimators"/>; NaN for fewer than two users.</returns>
    public static PolicyValue[] Of(ReadOnlySpan<LoggedAction> log, ReadOnlySpan<ulong> users, double confidence = 0.95)
    {
        if (log.Length != users.Length) throw new ArgumentException($"{log.Length} rows have {users.Length} users", nameof(users));
        double[] values =
        [
            OffPolicy.InversePropensity(log), OffPolicy.SelfNormalised(log), OffPolicy.DoublyRobust(log), OffPolicy.SelfNormalisedDoublyRobust(log),
        ];
        var meanWeight = 0.0;
        foreach (var row in log) meanWeight += row.Weight / log.Length;
        var (direct, correction) = (OffPolicy.DirectMethod(log), values[3] - OffPolicy.DirectMethod(log));
        var sums = new Dictionary<ulong, double[]>();
        for (var i = 0; i < log.Length; i++)
        {
            if (!sums.TryGetValue(users[i], out var sum)) sums[users[i]] = sum = new double[values.Length];
            var (w, residual) = (log[i].Weight, log[i].Reward - log[i].ModelOfAction);
            sum[0] += w * log[i].Reward - values[0];
            sum[1] += w * (log[i].Reward - values[1]) / meanWeight;
            sum[2] += log[i].ModelOfTarget + w * residual - values[2];
            sum[3] += log[i].ModelOfTarget - direct + w * (residual - correction) / meanWeight;
        }
        var z = Normal.InvCDF(0, 1, (1 + confidence) / 2);
        var result = new PolicyValue[values.Length];
        for (var e = 0; e < values.Length; e++)
        {
            var at = e;
            var half = sums.Count < 2 ? double.NaN
                : z * Math.Sqrt(sums.Values.Sum(s => s[at] * s[at]) * sums.Count / (sums.Count - 1)) / log.Length;
            result[e] = new PolicyValue(values[e], values[e] - half, values[e] + half);
        }
        return result;
    }
}
