using MathNet.Numerics;
using MathNet.Numerics.Distributions;

namespace Streaming.Experiments.Inference;

/// <summary>
/// Whether the arms have got the users that they were meant to get. If not, something loses or adds users by arm (a crash, a redirect, a
/// filter), those who are left differ by more than the arm, and no metric can be read (Fabijan et al. 2019, "Diagnosing Sample Ratio Mismatch").
/// </summary>
public static class SampleRatio
{
    /// <summary>The alarm's level over the whole life of an experiment: a false one must be rare, as it puts the whole result in doubt.</summary>
    public const double Alpha = 0.001;

    /// <summary>Concentration of the mixture: how near to the plan a mismatch is looked for; deviations of about 1 / sqrt(that) of a share first.</summary>
    private const double Concentration = 1_000;

    /// <summary>Pearson's chi-square p-value, for one look at a moment fixed before; 1 without users.</summary>
    /// <param name="users">By arm.</param>
    /// <param name="shares">As planned, positive, by arm; they are normalised.</param>
    public static double ChiSquarePValue(ReadOnlySpan<long> users, ReadOnlySpan<double> shares)
    {
        var (total, whole) = Check(users, shares);
        if (total == 0 || users.Length < 2) return 1;
        var statistic = 0.0;
        for (var i = 0; i < users.Length; i++)
        {
            var expected = total * shares[i] / whole;
            statistic += (users[i] - expected) * (users[i] - expected) / expected;
        }
        return SpecialFunctions.GammaUpperRegularized((users.Length - 1) / 2.0, statistic / 2);
    }

    /// <summary>
    /// The natural log of the evidence for a mismatch that may be looked at after every user (Lindon and Malek 2022, "Anytime-Valid Inference for
    /// Multinomial Count Data"): the Bayes factor of a Dirichlet mixture around the planned shares over the plan itself. Where the plan holds it is
    /// a martingale from 1, so it passes 1 / alpha with a chance of alpha at most. It depends on the counts alone, not on the order of users. Users
    /// who came under different shares are different sequences: add their logs.
    /// </summary>
    public static double LogEvidence(ReadOnlySpan<long> users, ReadOnlySpan<double> shares)
    {
        var (total, whole) = Check(users, shares);
        if (users.Length < 2) return 0;
        var log = SpecialFunctions.GammaLn(Concentration) - SpecialFunctions.GammaLn(Concentration + total);
        for (var i = 0; i < users.Length; i++)
        {
            var share = shares[i] / whole;
            log += SpecialFunctions.GammaLn(Concentration * share + users[i]) - SpecialFunctions.GammaLn(Concentration * share) - users[i] * Math.Log(share);
        }
        return log;
    }

    /// <summary>Whether evidence of this log raises the alarm.</summary>
    public static bool IsMismatch(double logEvidence, double alpha = Alpha) => logEvidence >= Math.Log(1 / alpha);

    private static (long Total, double Whole) Check(ReadOnlySpan<long> users, ReadOnlySpan<double> shares)
    {
        if (users.Length != shares.Length) throw new ArgumentException($"{users.Length} arms have {shares.Length} shares", nameof(shares));
        var (total, whole) = (0L, 0.0);
        for (var i = 0; i < users.Length; i++)
        {
            if (!(shares[i] > 0)) throw new ArgumentException($"a share is {shares[i]}; an arm that gets nobody cannot be tested", nameof(shares));
            total += users[i];
            whole += shares[i];
        }
        return (total, whole);
    }
}
