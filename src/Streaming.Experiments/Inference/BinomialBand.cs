using MathNet.Numerics.Distributions;

namespace Streaming.Experiments.Inference;

/// <summary>Where a share of independent runs lies when the chance of each is as promised: what a simulation is held against.</summary>
public static class BinomialBand
{
    /// <summary>The narrowest range of shares with at most (1 - confidence) / 2 of the probability on either side of it.</summary>
    public static Interval Of(int runs, double chance, double confidence = 0.999)
    {
        var (low, high, tail) = (0, runs, (1 - confidence) / 2);
        while (low < runs && Binomial.CDF(chance, runs, low) < tail) low++;
        while (high > 0 && Binomial.CDF(chance, runs, high - 1) > 1 - tail) high--;
        return new Interval((double)low / runs, (double)high / runs);
    }
}
