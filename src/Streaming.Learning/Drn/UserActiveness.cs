namespace Streaming.Learning.Drn;

/// <summary>
/// How active a user is, by a survival model (Zheng et al. 2018, section 4.3): between returns the activeness falls by a constant hazard,
/// S(t) = S(t0) exp(-lambda0 (t - t0)), and each return adds Sa, up to 1. It starts at S0 = 0.5; with one return in every period T0 it stays
/// there: S0 exp(-lambda0 T0) + Sa = S0. The paper's lambda0 = 1.2e-5 per second belongs to T0 = 24 h.
/// </summary>
/// <param name="periodMs">T0, ms.</param>
public readonly struct UserActiveness(long periodMs)
{
    public const double Start = 0.5;
    public const double Gain = 0.32;

    /// <summary>Lambda0, per ms: 1.2e-5 per second at a period of a day.</summary>
    public double HazardPerMs => 1.2e-5 * 86_400 / periodMs;

    /// <summary>Activeness after so long without a return.</summary>
    public double Decayed(double level, long passedMs) => level * Math.Exp(-HazardPerMs * Math.Max(0, passedMs));

    /// <summary>Activeness right after a return.</summary>
    public double Returned(double level, long passedMs) => Math.Min(1, Decayed(level, passedMs) + Gain);
}
