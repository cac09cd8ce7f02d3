using Streaming.Core.Experiments;
using Streaming.Core.Ids;

namespace Streaming.Experiments.Bandits;

/// <summary>
/// Weights of arms from what their users have done so far. Thompson sampling in batches (Scott 2010, "A modern Bayesian look at the multi-armed
/// bandit"): between two updates an arm gets the probability that its click rate is the largest, which is the chance with which a draw per user would
/// have picked it. Users keep their arm, so a draw per impression is not to be had.
/// </summary>
/// <remarks>
/// The posterior of an arm is Beta(1 + c / d, 1 + (n - c) / d) of its clicks c and impressions n. Impressions of one user are alike: d, the design
/// effect that the users' sums show, is by how much they count for less. Bernoulli outcomes per user (clicked at all) would need no d, but saturate
/// for whoever comes often, and an arm that gets more out of the same users would not be seen.
/// A pure function: sums that a restart has counted again give the same weights.
/// </remarks>
public static class BanditWeights
{
    private const int Draws = 8192;

    /// <param name="arms">Their sums, in the order of the definition; at least one.</param>
    /// <param name="rule">Floors, epsilon, seed; how many updates there have been fixes the draws together with the seed.</param>
    /// <returns>Shape [arms]; they add up to 1, none below the floor.</returns>
    public static double[] Of(IReadOnlyList<ArmSums> arms, BanditDefinition rule)
    {
        if (arms.Count == 0) throw new ArgumentException("there is no arm", nameof(arms));
        if (!(rule.Floor >= 0 && rule.Floor * arms.Count < 1)) throw new ArgumentException($"a floor of {rule.Floor} for each of {arms.Count} arms", nameof(rule));
        var wanted = rule.Kind == BanditKind.Thompson ? Best(arms, (ulong)rule.Seed, (ulong)rule.Updates) : Greedy(arms, rule.Epsilon);
        var free = 1 - rule.Floor * arms.Count;
        return [.. wanted.Select(w => rule.Floor + free * w)];
    }

    /// <summary>The posterior of an arm's click rate.</summary>
    public static (double Alpha, double Beta) Posterior(ArmSums arm)
    {
        var d = arm.DesignEffect;
        return (1 + arm.Clicks / d, 1 + Math.Max(0, arm.Impressions - arm.Clicks) / d);
    }

    private static double[] Best(IReadOnlyList<ArmSums> arms, ulong seed, ulong step)
    {
        var wins = new double[arms.Count];
        var posteriors = arms.Select(Posterior).ToArray();
        var draws = new BetaDraws(StableHash.Combine(StableHash.Finalise(seed), step));
        for (var n = 0; n < Draws; n++)
        {
            var (best, largest) = (0, double.NegativeInfinity);
            for (var a = 0; a < posteriors.Length; a++)
            {
                var drawn = draws.Next(posteriors[a].Alpha, posteriors[a].Beta);
                if (drawn > largest) (best, largest) = (a, drawn);
            }
            wins[best] += 1.0 / Draws;
        }
        return wins;
    }

    private static double[] Greedy(IReadOnlyList<ArmSums> arms, double epsilon)
    {
        if (epsilon is not (>= 0 and <= 1)) throw new ArgumentOutOfRangeException(nameof(epsilon), epsilon, "must be between 0 and 1");
        // Without data from every arm there is no best one yet.
        if (arms.Any(a => a.Impressions <= 0)) return [.. arms.Select(_ => 1.0 / arms.Count)];
        var best = 0;
        for (var a = 1; a < arms.Count; a++)
            if (arms[a].Rate > arms[best].Rate) best = a;
        return [.. arms.Select((_, a) => epsilon / arms.Count + (a == best ? 1 - epsilon : 0))];
    }

    /// <summary>Beta variates from two gamma variates (Marsaglia and Tsang 2000), from a counter and a hash.</summary>
    private sealed class BetaDraws(ulong seed)
    {
        private ulong _count;

        public double Next(double alpha, double beta)
        {
            var x = Gamma(alpha);
            return x / (x + Gamma(beta));
        }

        private double Unit() => StableHash.Unit(StableHash.Combine(seed, _count++));

        private double Normal() => Math.Sqrt(-2 * Math.Log(1 - Unit())) * Math.Cos(2 * Math.PI * Unit());

        /// <summary>Of shape 1 at least, which a posterior's are.</summary>
        private double Gamma(double shape)
        {
            var d = shape - 1.0 / 3;
            var c = 1 / Math.Sqrt(9 * d);
            while (true)
            {
                var x = Normal();
                var v = 1 + c * x;
                if (v <= 0) continue;
                v = v * v * v;
                if (Math.Log(1 - Unit()) < 0.5 * x * x + d - d * v + d * Math.Log(v)) return d * v;
            }
        }
    }
}
