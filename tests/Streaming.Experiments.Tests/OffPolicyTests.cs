namespace Streaming.Experiments.Tests;

public sealed class OffPolicyTests
{
    // Two actions, logged evenly; the target takes the first with .8. The model says .5 and .2: .8 x .5 + .2 x .2 = .44.
    private static readonly LoggedAction[] Log =
    [
        new(1, 0.5, 0.8, 0.5, 0.44), new(0, 0.5, 0.8, 0.5, 0.44), new(0, 0.5, 0.2, 0.2, 0.44), new(1, 0.5, 0.2, 0.2, 0.44),
    ];

    [Fact]
    public void The_four_estimators_equal_the_hand_worked_case()
    {
        OffPolicy.DirectMethod(Log).ShouldBe(0.44, 1e-12);
        // Weights 1.6, 1.6, .4, .4.
        OffPolicy.InversePropensity(Log).ShouldBe((1.6 + 0.4) / 4, 1e-12);
        OffPolicy.SelfNormalised(Log).ShouldBe((1.6 + 0.4) / 4.0, 1e-12);
        OffPolicy.SelfNormalised(Log.AsSpan(0, 3)).ShouldBe(1.6 / 3.6, 1e-12);
        OffPolicy.DoublyRobust(Log).ShouldBe(0.44 + (1.6 * 0.5 - 1.6 * 0.5 - 0.4 * 0.2 + 0.4 * 0.8) / 4, 1e-12);
        OffPolicy.EffectiveSampleSize(Log).ShouldBe(16 / (2 * 2.56 + 2 * 0.16), 1e-12);
    }

    [Fact]
    public void Self_normalised_and_clipped_forms_and_the_weights_equal_the_hand_worked_case()
    {
        // Residuals .5, -.5, -.2, .8; weights 1.6, 1.6, .4, .4, summing to 4: (.8 - .8 - .08 + .32) / 4.
        OffPolicy.SelfNormalisedDoublyRobust(Log).ShouldBe(0.44 + 0.24 / 4, 1e-12);
        OffPolicy.SelfNormalisedDoublyRobust(Log.AsSpan(0, 3)).ShouldBe(0.44 - 0.08 / 3.6, 1e-12);
        // Cut at 1: (.5 - .5 - .08 + .32) / 4.
        OffPolicy.ClippedDoublyRobust(Log, 1).ShouldBe(0.44 + 0.24 / 4, 1e-12);
        OffPolicy.ClippedDoublyRobust(Log.AsSpan(0, 1), 1).ShouldBe(0.44 + 0.5, 1e-12);
        OffPolicy.ClippedDoublyRobust(Log, 10).ShouldBe(OffPolicy.DoublyRobust(Log), 1e-12);
        var weights = OffPolicy.Diagnose(Log, 1);
        weights.Mean.ShouldBe(1, 1e-12);
        weights.Largest.ShouldBe(1.6, 1e-12);
        weights.LargestShare.ShouldBe(0.4, 1e-12);
        weights.EffectiveRows.ShouldBe(OffPolicy.EffectiveSampleSize(Log), 1e-12);
        weights.ShareCut.ShouldBe(0.5, 1e-12);
        weights.WeightLost.ShouldBe(1.2 / 4, 1e-12);
    }

    [Fact]
    public void One_huge_weight_throws_the_plain_form_off_and_not_the_self_normalised_one()
    {
        var log = Enumerable.Range(0, 1000).Select(i => new LoggedAction(i % 10 == 0 ? 1 : 0, 0.5, 0.5, 0.1, 0.1)).Append(new LoggedAction(0, 1e-4, 0.5, 0.1, 0.1)).ToArray();
        OffPolicy.DoublyRobust(log).ShouldBeLessThan(-0.3);
        OffPolicy.SelfNormalisedDoublyRobust(log).ShouldBeInRange(0, 0.1);
        OffPolicy.ClippedDoublyRobust(log, 10).ShouldBe(0.1, 0.002);
        OffPolicy.Diagnose(log, 10).LargestShare.ShouldBe(5000.0 / 6000, 1e-3);
    }

    [Fact]
    public void A_policy_judged_on_its_own_log_gets_what_it_got()
    {
        var own = Log.Select(r => r with { TargetProbability = r.Propensity }).ToArray();
        OffPolicy.InversePropensity(own).ShouldBe(0.5, 1e-12);
        OffPolicy.SelfNormalised(own).ShouldBe(0.5, 1e-12);
        OffPolicy.EffectiveSampleSize(own).ShouldBe(4, 1e-12);
    }

    [Theory]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public void Doubly_robust_is_right_when_the_model_or_the_propensities_are(bool modelIsRight, bool propensityIsRight)
    {
        // Click rates .3 and .1; logged with .25 and .75, target .9 and .1: the target is worth .28.
        double[] rate = [0.3, 0.1], logged = [0.25, 0.75], target = [0.9, 0.1];
        double[] model = modelIsRight ? rate : [0.6, 0.6];
        var random = new Random(5);
        var log = new LoggedAction[400_000];
        for (var i = 0; i < log.Length; i++)
        {
            var a = random.NextDouble() < logged[0] ? 0 : 1;
            log[i] = new LoggedAction(
                random.NextDouble() < rate[a] ? 1 : 0, propensityIsRight ? logged[a] : 0.5, target[a], model[a],
                target[0] * model[0] + target[1] * model[1]);
        }
        OffPolicy.DoublyRobust(log).ShouldBe(0.28, 0.006);
        (Math.Abs(OffPolicy.DirectMethod(log) - 0.28) < 0.006).ShouldBe(modelIsRight);
        (Math.Abs(OffPolicy.InversePropensity(log) - 0.28) < 0.006).ShouldBe(propensityIsRight);
    }

    [Fact]
    public void A_propensity_outside_its_range_is_refused() =>
        Should.Throw<ArgumentException>(() => OffPolicy.InversePropensity([new LoggedAction(1, 0, 1)]));
}
