using Streaming.Core.Ids;

namespace Streaming.Evaluation;

/// <summary>
/// A small seeded generator (SplitMix64 over the project's finaliser): the same draws on every machine and runtime, which the
/// framework's generator does not promise.
/// </summary>
public struct Draws(ulong seed)
{
    private ulong _state = StableHash.Finalise(seed ^ 0x9E3779B97F4A7C15UL);

    public ulong Next()
    {
        _state += 0x9E3779B97F4A7C15UL;
        return StableHash.Finalise(_state);
    }

    /// <summary>Uniform in [0, 1).</summary>
    public double Unit() => StableHash.Unit(Next());

    /// <summary>Uniform in 0..below-1 (multiply-shift; the bias is under 2^-32 for the sizes used here).</summary>
    public int Below(int below) => (int)Math.BigMul(Next(), (ulong)below, out _);

    public bool Chance(double probability) => Unit() < probability;

    /// <summary>Standard normal (Box-Muller, one of the pair).</summary>
    public double Normal() => Math.Sqrt(-2 * Math.Log(1 - Unit())) * Math.Cos(2 * Math.PI * Unit());

    /// <summary>Exponential with the given mean.</summary>
    public double Exponential(double mean) => -mean * Math.Log(1 - Unit());

    /// <summary>An index drawn in proportion to its weight.</summary>
    public int Weighted(ReadOnlySpan<double> weights)
    {
        double total = 0;
        foreach (var w in weights) total += w;
        var left = Unit() * total;
        for (var i = 0; i < weights.Length - 1; i++)
        {
            left -= weights[i];
            if (left < 0) return i;
        }
        return weights.Length - 1;
    }

    /// <summary>Fisher-Yates.</summary>
    public void Shuffle<T>(Span<T> items)
    {
        for (var i = items.Length - 1; i > 0; i--)
        {
            var j = Below(i + 1);
            (items[i], items[j]) = (items[j], items[i]);
        }
    }
}
