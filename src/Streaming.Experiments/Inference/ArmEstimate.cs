namespace Streaming.Experiments.Inference;

/// <summary>A metric's value in one arm and how sure it is.</summary>
/// <param name="Users">Units behind it.</param>
/// <param name="Value">Ratio of the sums over users; NaN without a denominator.</param>
/// <param name="Variance">Of <paramref name="Value"/>, not of a user; NaN below two users.</param>
public readonly record struct ArmEstimate(double Users, double Value, double Variance)
{
    /// <summary>
    /// The ratio R = sum Y / sum X with the variance of the delta method, users being the independent units (Deng, Knoblich and Lu 2018, "Applying
    /// the Delta Method in Metric Analytics"): Var(R) = (s_YY - 2 R s_XY + R^2 s_XX) / (n mean(X)^2). For a mean over users X is 1 and it is s_YY / n.
    /// Counting impressions instead of users as independent would take one user's clicks, which go together, for so many users' opinions.
    /// </summary>
    public static ArmEstimate Of(UnitMoments arm)
    {
        var (ratio, scale) = Ratio(arm);
        return new ArmEstimate(arm.Count, ratio, Linearised(arm, ratio) / scale);
    }

    /// <summary>Ratio, and n mean(X)^2.</summary>
    internal static (double Ratio, double Scale) Ratio(UnitMoments arm) => (arm.Sum(0) / arm.Sum(1), arm.Sum(1) * arm.Sum(1) / arm.Count);

    /// <summary>Variance between users of Y - R X.</summary>
    internal static double Linearised(UnitMoments arm, double ratio) =>
        Math.Max(0, arm.Covariance(0, 0) - 2 * ratio * arm.Covariance(0, 1) + ratio * ratio * arm.Covariance(1, 1));

    /// <summary>
    /// The variance that treats every unit of the denominator as independent and 0/1: p (1 - p) / sum X. Wrong for anything that users do more than
    /// once; kept as the peer that the benchmark shows the error of.
    /// </summary>
    public static ArmEstimate NaivePerImpression(UnitMoments arm)
    {
        var ratio = arm.Sum(0) / arm.Sum(1);
        return new ArmEstimate(arm.Count, ratio, ratio * (1 - ratio) / arm.Sum(1));
    }
}
