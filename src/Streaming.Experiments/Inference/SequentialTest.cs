namespace Streaming.Experiments.Inference;

/// <summary>
/// The mixture sequential probability ratio test of a normal estimate (Robbins 1970; Johari, Koomen, Pekelis and Walsh 2017, "Peeking at A/B
/// Tests"): the likelihood ratio of "the effect is drawn from N(0, tau^2)" over "there is none", which is a martingale where there is none, so it
/// passes 1 / alpha with a chance of alpha at most, however often one looks (Ville). Turned around it is the asymptotic confidence sequence of
/// Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas 2021 ("Time-uniform central limit theory and asymptotic confidence sequences") with
/// t rho^2 = tau^2 / variance. The variance is the delta method's, over users: the guarantee is asymptotic, so no verdict is to be given below
/// <see cref="UsersMin"/> users in either arm or <see cref="EventsMin"/> of what is counted in both together.
/// </summary>
public readonly record struct SequentialTest
{
    /// <summary>Fewest users of an arm; below it a variance is too rough to divide by.</summary>
    public const double UsersMin = 100;

    /// <summary>Least sum above a metric's line, both arms together, for metrics that count things: a handful of purchases is no normal mean.</summary>
    public const double EventsMin = 60;

    private readonly double _alpha;
    private readonly double _tau;

    /// <param name="alpha">Chance of a false alarm over all looks, in (0, 1).</param>
    /// <param name="tau">
    /// Standard deviation of the effects that are looked for, in units of the difference; fixed before the start. Any positive one keeps the
    /// promise. The planned minimum detectable effect makes the interval narrowest about where a fixed test of 80 % power would end: there
    /// variance = effect^2 / 7.85, and the width is least at tau^2 = variance (-2 ln alpha + ln(1 - 2 ln alpha)) = 1.01 effect^2 for alpha 0.05.
    /// </param>
    public SequentialTest(double alpha, double tau)
    {
        if (alpha is not (> 0 and < 1)) throw new ArgumentOutOfRangeException(nameof(alpha), alpha, "must be between 0 and 1");
        if (!(tau > 0) || !double.IsFinite(tau)) throw new ArgumentOutOfRangeException(nameof(tau), tau, "must be positive");
        (_alpha, _tau) = (alpha, tau);
    }

    /// <summary>A p-value that holds at every look: the inverse of the likelihood ratio, 1 at most.</summary>
    public double PValue(double difference, double variance)
    {
        if (!(variance > 0) || !double.IsFinite(variance) || !double.IsFinite(difference)) return 1;
        var total = variance + _tau * _tau;
        var logRatio = 0.5 * Math.Log(variance / total) + _tau * _tau * difference * difference / (2 * variance * total);
        return Math.Min(1, Math.Exp(-logRatio));
    }

    /// <summary>
    /// How many standard errors around an estimate of this variance the interval spans that holds at all looks at once: the differences that the
    /// test would not reject. A fixed test's 1.96 becomes about 2.9 where tau suits, more elsewhere.
    /// </summary>
    public double StandardErrors(double variance)
    {
        if (!(variance > 0) || !double.IsFinite(variance)) return double.PositiveInfinity;
        var ratio = variance / (_tau * _tau);
        return Math.Sqrt((1 + ratio) * (2 * Math.Log(1 / _alpha) + Math.Log(1 + 1 / ratio)));
    }

    /// <summary>Interval of the difference that holds at all looks at once.</summary>
    public Interval Around(double difference, double variance)
    {
        var half = StandardErrors(variance) * Math.Sqrt(variance);
        return double.IsFinite(half) ? new Interval(difference - half, difference + half) : new Interval(double.NegativeInfinity, double.PositiveInfinity);
    }
}
