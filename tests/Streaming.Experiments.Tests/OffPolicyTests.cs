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
