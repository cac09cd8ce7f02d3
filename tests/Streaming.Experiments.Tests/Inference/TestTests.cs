using Streaming.Experiments.Inference;

namespace Streaming.Experiments.Tests.Inference;

/// <summary>Tests and plans against figures worked out apart from this code.</summary>
public sealed class TestTests
{
    [Theory]
    // The likelihood ratio integrated over the mixture numerically (200,001 points over 12 tau), inverted.
    [InlineData(0.02, 1e-4, 0.01, 0.5202600950229018)]
    [InlineData(0.01, 2e-5, 0.004, 0.4416587390728657)]
    public void The_sequential_p_value_is_that_of_the_mixture(double difference, double variance, double tau, double expected) =>
        new SequentialTest(0.05, tau).PValue(difference, variance).ShouldBe(expected, 1e-9);

    [Theory]
    // Where the integrated ratio reaches 1 / alpha, by bisection.
    [InlineData(1e-4, 0.01, 0.05, 3.656394871363864)]
    [InlineData(1e-4, 0.03, 0.01, 3.5766100438155823)]
    public void The_sequential_interval_ends_where_the_ratio_reaches_one_over_alpha(double variance, double tau, double alpha, double expected)
    {
        var test = new SequentialTest(alpha, tau);
        test.StandardErrors(variance).ShouldBe(expected, 1e-9);
        test.PValue(expected * Math.Sqrt(variance), variance).ShouldBe(alpha, 1e-9);
    }

    [Fact]
    public void Tau_is_best_where_a_fixed_test_has_80_percent_power()
    {
        // effect^2 / variance = (1.959964 + 0.841621)^2 there; the width has its minimum within 1 % of tau = effect.
        const double effect = 0.01;
        var variance = effect * effect / Math.Pow(1.959964 + 0.841621, 2);
        var best = Enumerable.Range(50, 150).MinBy(percent => new SequentialTest(0.05, effect * percent / 100).StandardErrors(variance));
        best.ShouldBeInRange(98, 103);
    }

    [Fact]
    public void Sequential_tests_of_normal_walks_reject_in_at_most_5_percent_at_any_of_8000_looks()
    {
        var draws = new Draws(11);
        var rejected = 0;
        const int runs = 300;
        for (var run = 0; run < runs; run++)
        {
            double sum = 0;
            var test = new SequentialTest(0.05, 0.05);
            for (var n = 1; n <= 8_000; n++)
            {
                sum += draws.Normal();
                // An estimate of variance 1 / n, looked at after every unit, and with no effect.
                if (!(test.PValue(sum / n, 1.0 / n) <= 0.05)) continue;
                rejected++;
                break;
            }
        }
        ((double)rejected / runs).ShouldBeLessThanOrEqualTo(BinomialBand.Of(runs, 0.05).High);
        rejected.ShouldBeGreaterThan(0, "a test that never rejects shows nothing");
    }

    [Theory]
    // Pearson's statistic, and the regularised gamma function by its series.
    [InlineData(new long[] { 520, 480 }, new[] { 1.0, 1.0 }, 0.20590321073206796)]
    [InlineData(new long[] { 900, 1100, 1050 }, new[] { 0.3, 0.35, 0.35 }, 0.46714100836619754)]
    public void The_split_has_the_p_value_of_chi_square(long[] users, double[] shares, double expected) =>
        SampleRatio.ChiSquarePValue(users, shares).ShouldBe(expected, 1e-9);

    [Theory]
    // The product over users of (1000 share + seen of the arm) / (1000 + seen) / share, one user after another.
    [InlineData(new long[] { 520, 480 }, new[] { 0.5, 0.5 }, 0.05352818739473279)]
    [InlineData(new long[] { 5300, 4700 }, new[] { 0.5, 0.5 }, 15.17407523748501)]
    [InlineData(new long[] { 900, 1100, 1050 }, new[] { 0.3, 0.35, 0.35 }, -0.8269258001487023)]
    public void Evidence_of_a_mismatch_is_the_product_of_the_predictions(long[] users, double[] shares, double expected) =>
        SampleRatio.LogEvidence(users, shares).ShouldBe(expected, 1e-6);

    [Fact]
    public void Evidence_of_a_mismatch_is_a_martingale_where_the_plan_holds()
    {
        // E of the next value, over whom the next user falls to, is the present one.
        long[] users = [130, 110];
        double[] shares = [0.5, 0.5];
        var next = shares.Select((share, arm) => share * Math.Exp(SampleRatio.LogEvidence([.. users.Select((n, i) => i == arm ? n + 1 : n)], shares))).Sum();
        next.ShouldBe(Math.Exp(SampleRatio.LogEvidence(users, shares)), 1e-9);
    }

    [Fact]
    public void Adjusted_p_values_equal_the_hand_worked_case()
    {
        // Sorted 0.01, 0.02, 0.03, 0.5. Holm: 4 x 0.01, 3 x 0.02, 2 x 0.03 (not less than before), 0.5. BH: 4/1, 4/2, 4/3 times, least from the right.
        double[] values = [0.03, 0.01, 0.5, 0.02, double.NaN];
        MultipleTests.Holm(values)[..4].ShouldBe([0.06, 0.04, 0.5, 0.06], 1e-12);
        MultipleTests.BenjaminiHochberg(values)[..4].ShouldBe([0.04, 0.04, 0.5, 0.04], 1e-12);
        MultipleTests.Holm(values)[4].ShouldBe(double.NaN, "what was not measured is not a test");
    }

    [Fact]
    public void Adjusted_p_values_keep_their_order_and_never_fall()
    {
        var draws = new Random(3);
        for (var i = 0; i < 200; i++)
        {
            double[] values = [.. Enumerable.Range(0, 1 + draws.Next(12)).Select(_ => draws.NextDouble())];
            var (holm, bh) = (MultipleTests.Holm(values), MultipleTests.BenjaminiHochberg(values));
            for (var j = 0; j < values.Length; j++)
            {
                holm[j].ShouldBeInRange(bh[j] - 1e-15, 1);
                bh[j].ShouldBeGreaterThanOrEqualTo(values[j] - 1e-15);
                for (var k = 0; k < values.Length; k++)
                    if (values[j] < values[k]) (holm[j] <= holm[k] && bh[j] <= bh[k]).ShouldBeTrue();
            }
        }
    }

    [Fact]
    public void Users_for_an_effect_and_effect_for_users_are_the_textbook_figures()
    {
        // (1.959964 + 0.841621)^2 x 0.05 x 0.95 x (1/0.5 + 1/0.5) / 0.005^2.
        var plan = new PowerPlan();
        var baseline = Baseline.OfShare(0.05);
        plan.UsersFor(baseline, 0.1).ShouldBe(59651.485981053025, 1e-3);
        plan.LiftFor(baseline, 59651.485981053025).ShouldBe(0.1, 1e-9);
        plan.PowerFor(baseline, 0.1, 59651.485981053025).ShouldBe(0.8, 1e-9);
        plan.PowerFor(baseline, 0.1, 30_000).ShouldBe(0.5107041523125929, 1e-9);
        // alpha / 3, shares 0.4 and 0.2, 40 % of the variance taken out.
        (plan with { Comparisons = 3, Shares = (0.4, 0.2), VarianceReduction = 0.4 }).UsersFor(baseline, 0.1).ShouldBe(89510.92510427521, 1e-3);
        plan.UsersForSequential(baseline, 0.1).ShouldBe(115600.75133669774, 1);
    }

    [Theory]
    [InlineData(0, 0.1)]
    [InlineData(1, 0.1)]
    [InlineData(0.05, 0)]
    [InlineData(0.05, double.NaN)]
    public void Unsound_tests_are_refused(double alpha, double tau) => Should.Throw<ArgumentOutOfRangeException>(() => new SequentialTest(alpha, tau));

    /// <summary>A small generator of its own: normals by Box and Muller.</summary>
    private struct Draws(int seed)
    {
        private readonly Random _random = new(seed);

        public readonly double Normal() => Math.Sqrt(-2 * Math.Log(1 - _random.NextDouble())) * Math.Cos(2 * Math.PI * _random.NextDouble());
    }
}
