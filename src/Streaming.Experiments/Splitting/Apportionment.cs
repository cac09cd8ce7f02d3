namespace Streaming.Experiments.Splitting;

/// <summary>Whole buckets by weights.</summary>
public static class Apportionment
{
    /// <summary>
    /// Webster's (Sainte-Lague's) divisor method: every bucket in turn goes to the weight with the largest w / (2 n + 1), n the
    /// buckets it has. Other than by largest remainders, more buckets in all never mean fewer for anybody (it is house-monotone), so
    /// that ramping an experiment up takes no user out of their arm.
    /// </summary>
    /// <param name="weights">Not negative; of equal claims the earlier one wins.</param>
    /// <param name="total">Buckets to give away; none are given where all weights are 0.</param>
    /// <returns>Buckets of each weight.</returns>
    public static int[] Webster(IReadOnlyList<double> weights, int total)
    {
        var counts = new int[weights.Count];
        var claims = new PriorityQueue<int, (double Claim, int At)>(Comparer<(double Claim, int At)>.Create(
            (a, b) => a.Claim != b.Claim ? b.Claim.CompareTo(a.Claim) : a.At.CompareTo(b.At)));
        for (var i = 0; i < counts.Length; i++)
            if (weights[i] > 0) claims.Enqueue(i, (weights[i], i));
        for (var given = 0; given < total && claims.TryDequeue(out var i, out _); given++)
        {
            counts[i]++;
            claims.Enqueue(i, (weights[i] / (2 * counts[i] + 1), i));
        }
        return counts;
    }
}
