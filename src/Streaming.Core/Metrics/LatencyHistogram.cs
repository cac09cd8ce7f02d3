using System.Numerics;

namespace Streaming.Core.Metrics;

/// <summary>
/// Latencies in log-linear buckets: 32 per power of two, so a percentile is off by at most 1/32 of itself. Any thread may
/// record; recording allocates nothing and takes no lock.
/// </summary>
public sealed class LatencyHistogram
{
    private const int SubBits = 5;
    private const int Sub = 1 << SubBits;
    private readonly long[] _counts = new long[(64 - SubBits + 1) * Sub];
    private long _count;

    /// <summary>Values recorded.</summary>
    public long Count => Interlocked.Read(ref _count);

    /// <param name="value">Any non-negative number of units (this node uses microseconds); negative counts as 0.</param>
    public void Record(long value)
    {
        Interlocked.Increment(ref _counts[Index(Math.Max(0, value))]);
        Interlocked.Increment(ref _count);
    }

    /// <summary>The value at or below which a share <paramref name="q"/> in [0, 1] of the records lies (upper edge of its bucket); NaN when empty.</summary>
    public double Percentile(double q)
    {
        var total = Count;
        if (total == 0) return double.NaN;
        var rank = Math.Max(1, (long)Math.Ceiling(q * total));
        long seen = 0;
        for (var i = 0; i < _counts.Length; i++)
        {
            seen += Interlocked.Read(ref _counts[i]);
            if (seen >= rank) return UpperEdge(i);
        }
        return UpperEdge(_counts.Length - 1);
    }

    private static int Index(long value)
    {
        if (value < Sub) return (int)value;
        var shift = BitOperations.Log2((ulong)value) - SubBits;
        return ((shift + 1) << SubBits) + (int)((value >> shift) - Sub);
    }

    private static double UpperEdge(int index)
    {
        if (index < Sub) return index;
        var shift = (index >> SubBits) - 1;
        return Math.ScaleB(Sub + (index & (Sub - 1)) + 1, shift) - 1;
    }
}
