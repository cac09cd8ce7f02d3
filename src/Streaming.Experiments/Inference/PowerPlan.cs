using MathNet.Numerics.Distributions;

namespace Streaming.Experiments.Inference;

/// <summary>What a metric is like before the experiment, per user.</summary>
/// <param name="Value">The metric's value.</param>
/// <param name="UserVariance">n times the variance of the metric over n users: s^2 of a mean, the delta method's (s_YY - 2 R s_XY + R^2 s_XX) / mean(X)^2 of a ratio.</param>
public readonly record struct Baseline(double Value, double UserVariance)
{
    /// <summary>A share of users, each 0 or 1.</summary>
    public static Baseline OfShare(double share) => new(share, share * (1 - share));

    /// <summary>As measured.</summary>
    public static Baseline Of(ArmEstimate arm) => new(arm.Value, arm.Variance * arm.Users);
}

/// <summary>
/// How many users it takes to find an effect, and what effect so many users find: the usual normal calculation, n = (z_alpha/2 + z_beta)^2 (s^2 / w_c
/// + s^2 / w_t) / effect^2 with w the arms' shares, before the start (Kohavi, Tang and Xu 2020, chapter 17).
/// </summary>
public sealed record PowerPlan
{
    public double Alpha { get; init; } = 0.05;
    public double Power { get; init; } = 0.8;

    /// <summary>Shares of the users in control and treatment, positive; together 1 at most, others being in further arms.</summary>
    public (double Control, double Treatment) Shares { get; init; } = (0.5, 0.5);

    /// <summary>Share of the variance that CUPED takes out, in [0, 1).</summary>
    public double VarianceReduction { get; init; }

    /// <summary>Treatments that are compared with the control; each gets an equal part of alpha, as Holm's first step would give it.</summary>
    public int Comparisons { get; init; } = 1;

    /// <summary>Users, all arms together, for the power to find the relative effect in one look at the end.</summary>
    public double UsersFor(Baseline baseline, double lift)
    {
        var effect = baseline.Value * lift;
        var z = Quantile(1 - Level / 2) + Quantile(Power);
        return z * z * PerUser(baseline) / (effect * effect);
    }

    /// <summary>The relative effect that so many users, all arms together, find with the power in one look at the end.</summary>
    public double LiftFor(Baseline baseline, double users) =>
        (Quantile(1 - Level / 2) + Quantile(Power)) * Math.Sqrt(PerUser(baseline) / users) / baseline.Value;

    /// <summary>The chance that so many users show the relative effect in one look at the end (the far tail of the wrong sign left out).</summary>
    public double PowerFor(Baseline baseline, double lift, double users) =>
        Normal.CDF(0, 1, Math.Abs(baseline.Value * lift) / Math.Sqrt(PerUser(baseline) / users) - Quantile(1 - Level / 2));

    /// <summary>
    /// Users by which the sequential test has found the effect with the power, looking all the time; half of the experiments end well before. It
    /// counts the last look only, so it is a little more than needed.
    /// </summary>
    public double UsersForSequential(Baseline baseline, double lift)
    {
        var effect = Math.Abs(baseline.Value * lift);
        var test = new SequentialTest(Level, effect);
        var (low, high) = (UsersFor(baseline, lift), UsersFor(baseline, lift) * 16);
        for (var i = 0; i < 60; i++)
        {
            var users = (low + high) / 2;
            var variance = PerUser(baseline) / users;
            if (effect / Math.Sqrt(variance) - test.StandardErrors(variance) < Quantile(Power)) low = users;
            else high = users;
        }
        return high;
    }

    private double Level => Alpha / Comparisons;

    /// <summary>Variance of the difference for one user in all.</summary>
    private double PerUser(Baseline baseline) => baseline.UserVariance * (1 - VarianceReduction) * (1 / Shares.Control + 1 / Shares.Treatment);

    private static double Quantile(double p) => Normal.InvCDF(0, 1, p);
}
