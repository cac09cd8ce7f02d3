using MathNet.Numerics.Distributions;
using Streaming.Core.Experiments;
using Streaming.Core.Ids;
using Streaming.Experiments.Bandits;

namespace Streaming.Experiments.Tests.Bandits;

public sealed class BanditWeightsTests
{
    private static readonly BanditDefinition Thompson = new() { Floor = 0.02 };
    private static readonly BanditDefinition Greedy = new() { Kind = BanditKind.EpsilonGreedy, Floor = 0.02, Epsilon = 0.1 };

    /// <summary>Independent impressions: one a user.</summary>
    private static ArmSums Independent(string arm, long clicks, long impressions) => new(arm, impressions, clicks, impressions, clicks, clicks, impressions);

    [Fact]
    public void Without_data_all_arms_are_alike()
    {
        ArmSums[] arms = [ArmSums.Empty("a"), ArmSums.Empty("b"), ArmSums.Empty("c"), ArmSums.Empty("d")];
        foreach (var weight in BanditWeights.Of(arms, Thompson with { Updates = 0 })) weight.ShouldBe(0.25, 0.02);
        BanditWeights.Of(arms, Greedy with { Updates = 0 }).ShouldAllBe(w => w == 0.25);
    }

    [Fact]
    public void Thompsons_weight_is_the_probability_that_the_arm_is_best()
    {
        ArmSums[] arms = [Independent("a", 30, 200), Independent("b", 45, 200)];
        // The difference of two posteriors, integrated on a grid: an independent way to the same number.
        var (a, b) = (new Beta(31, 171), new Beta(46, 156));
        var best = Enumerable.Range(0, 20_000).Select(i => (i + 0.5) / 20_000).Sum(x => b.Density(x) * a.CumulativeDistribution(x)) / 20_000;
        BanditWeights.Of(arms, Thompson with { Floor = 0, Updates = 3 })[1].ShouldBe(best, 0.01);
    }

    [Fact]
    public void The_same_sums_seed_and_step_give_the_same_weights()
    {
        ArmSums[] arms = [Independent("a", 30, 200), Independent("b", 35, 200)];
        var weights = BanditWeights.Of(arms, Thompson with { Updates = 3 });
        BanditWeights.Of(arms, Thompson with { Updates = 3 }).ShouldBe(weights);
        BanditWeights.Of(arms, Thompson with { Seed = 2, Updates = 3 }).ShouldNotBe(weights);
        BanditWeights.Of(arms, Thompson with { Updates = 4 }).ShouldNotBe(weights);
    }

    [Fact]
    public void Floors_hold_and_weights_add_up()
    {
        ArmSums[] arms = [Independent("a", 1, 5000), Independent("b", 900, 5000), Independent("c", 1, 5000)];
        foreach (var rule in (BanditDefinition[])[Thompson, Greedy])
        {
            var weights = BanditWeights.Of(arms, rule with { Updates = 1 });
            weights.Sum().ShouldBe(1, 1e-9);
            weights.Min().ShouldBeGreaterThanOrEqualTo(0.02);
            weights[1].ShouldBeGreaterThan(0.88);
        }
        BanditWeights.Of(arms, Thompson with { Updates = 1 })[0].ShouldBe(0.02, 1e-9);
        Should.Throw<ArgumentException>(() => BanditWeights.Of(arms, Thompson with { Floor = 0.34, Updates = 1 }));
    }

    [Fact]
    public void Impressions_of_one_user_count_for_as_much_as_they_say()
    {
        // Users of ten impressions who click all or none: ten impressions are worth one.
        var arm = ArmSums.Empty("a");
        for (var u = 0; u < 1000; u++) arm = arm.Add(u % 4 == 0 ? 10 : 0, 10);
        arm.DesignEffect.ShouldBe(10, 0.02);
        BanditWeights.Posterior(arm).Alpha.ShouldBe(1 + 250, 1);
        Independent("b", 250, 1000).DesignEffect.ShouldBe(1, 0.01);
    }

    [Theory]
    [InlineData(BanditKind.Thompson)]
    [InlineData(BanditKind.EpsilonGreedy)]
    public void On_a_planted_best_arm_it_converges_with_less_regret_than_even_shares(BanditKind kind)
    {
        double[] rates = [0.10, 0.12, 0.16, 0.10];
        var (regret, last) = (0.0, 0.0);
        const int seeds = 5;
        for (var seed = 0; seed < seeds; seed++)
        {
            var arms = rates.Select((_, a) => ArmSums.Empty($"{a}")).ToArray();
            var rule = new BanditDefinition { Kind = kind, Floor = 0.03, Epsilon = 0.1, Seed = seed };
            var weights = new double[4];
            for (var step = 0; step < 40; step++)
            {
                weights = BanditWeights.Of(arms, rule with { Updates = step });
                weights.Min().ShouldBeGreaterThanOrEqualTo(0.03 - 1e-12);
                for (var u = 0; u < 400; u++)
                {
                    var draw = StableHash.Combine(StableHash.Combine((ulong)seed, (ulong)step), (ulong)u);
                    var arm = Pick(weights, StableHash.Unit(draw));
                    // A user's own rate lies around the arm's, so that impressions of a user are alike.
                    var own = rates[arm] * (0.2 + 1.6 * StableHash.Unit(StableHash.Combine(draw, 99)));
                    var clicks = Enumerable.Range(0, 8).Count(i => StableHash.Unit(StableHash.Combine(draw, (ulong)i)) < own);
                    arms[arm] = arms[arm].Add(clicks, 8);
                    regret += (0.16 - rates[arm]) / seeds;
                }
            }
            last += weights[2] / seeds;
        }
        last.ShouldBeGreaterThan(kind == BanditKind.Thompson ? 0.85 : 0.8);
        var even = 40 * 400 * rates.Average(r => 0.16 - r);
        regret.ShouldBeLessThan(0.4 * even);
    }

    private static int Pick(double[] weights, double draw)
    {
        for (var a = 0; a < weights.Length - 1; a++)
            if ((draw -= weights[a]) < 0) return a;
        return weights.Length - 1;
    }
}
