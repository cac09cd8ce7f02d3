namespace Streaming.Feeds.Structures;

/// <summary>
/// Exponentially decayed sums whose order does not change with time (forward decay: Cormode et al., ICDE 2009). A sum is kept as
/// L = log2 sum_k w_k 2^(t_k / h), which no passing of time changes; its value at time t is 2^(L - t / h). Comparing two sums is
/// comparing their L, late additions count as much as they would have decayed to, and logarithms never overflow.
/// </summary>
public static class ForwardDecay
{
    /// <summary>Adds <paramref name="amount"/> (positive) at <paramref name="timeMs"/>; an empty sum is negative infinity.</summary>
    public static double Add(double log, long timeMs, double amount, double halfLifeMs)
    {
        var term = timeMs / halfLifeMs + Math.Log2(amount);
        var (high, low) = log >= term ? (log, term) : (term, log);
        // Below 2^-60 the smaller addend is beneath a double's last bit.
        return low - high < -60 ? high : high + Math.Log2(1 + double.Exp2(low - high));
    }

    /// <summary>The sum's value at a time.</summary>
    public static double Value(double log, long nowMs, double halfLifeMs) => double.Exp2(log - nowMs / halfLifeMs);
}
