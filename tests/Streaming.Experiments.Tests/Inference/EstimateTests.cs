using Streaming.Experiments.Inference;

namespace Streaming.Experiments.Tests.Inference;

/// <summary>
/// Estimates of two arms of a few users against figures worked out apart from this code: the delta method as the variance of the mean of (y - R x) /
/// mean(x); CUPED by Gaussian elimination of the least-squares equations on values centred within arms; Fieller by bisection of its definition.
/// </summary>
public sealed class EstimateTests
{
    private static readonly UnitSums[] ControlUsers = [new(1, 10, 2, 12, 1), new(0, 5), new(3, 20, 4, 30, 1), new(2, 8, 1, 9, 1), new(5, 25, 6, 20, 1), new(0, 12, 1, 15, 1)];
    private static readonly UnitSums[] TreatmentUsers = [new(2, 9, 1, 8, 1), new(4, 15, 5, 22, 1), new(1, 11), new(6, 22, 5, 25, 1), new(3, 18, 2, 16, 1)];

    private readonly UnitMoments _control = Of(ControlUsers);
    private readonly UnitMoments _treatment = Of(TreatmentUsers);

    [Fact]
    public void A_ratio_has_the_variance_of_the_delta_method()
    {
        ArmEstimate.Of(_control).Value.ShouldBe(0.1375, 1e-15);
        ArmEstimate.Of(_control).Variance.ShouldBe(0.0012468164062499998, 1e-15);
        ArmEstimate.Of(_treatment).Value.ShouldBe(0.21333333333333335, 1e-15);
        ArmEstimate.Of(_treatment).Variance.ShouldBe(0.0010828641975308643, 1e-15);
        new Comparison(ArmEstimate.Of(_control), ArmEstimate.Of(_treatment)).PValue.ShouldBe(0.11615259580156057, 1e-9);
    }

    [Fact]
    public void A_mean_over_users_has_the_variance_of_a_mean()
    {
        // 1, 0, 3, 2: mean 1.5, s^2 = (0.25 + 2.25 + 2.25 + 0.25) / 3.
        var estimate = ArmEstimate.Of(Of([new(1, 1), new(0, 1), new(3, 1), new(2, 1)]));
        estimate.Value.ShouldBe(1.5);
        estimate.Variance.ShouldBe(5.0 / 3 / 4, 1e-15);
    }

    [Fact]
    public void Cuped_takes_out_what_least_squares_explains()
    {
        var cuped = Cuped.Fit([_control, _treatment]);
        var (control, treatment) = (cuped.Adjust(_control), cuped.Adjust(_treatment));
        control.Value.ShouldBe(0.14229596101153935, 1e-12);
        control.Variance.ShouldBe(0.0004998420275352433, 1e-12);
        treatment.Value.ShouldBe(0.20757818011948612, 1e-12);
        treatment.Variance.ShouldBe(0.00016647060341840633, 1e-12);
    }

    [Fact]
    public void Cuped_without_a_past_changes_nothing()
    {
        UnitMoments[] arms = [Of([new(1, 10), new(0, 5), new(3, 20)]), Of([new(2, 9), new(4, 15), new(1, 11)])];
        var (adjusted, plain) = (Cuped.Fit(arms).Adjust(arms[0]), ArmEstimate.Of(arms[0]));
        adjusted.Value.ShouldBe(plain.Value);
        adjusted.Variance.ShouldBe(plain.Variance, 1e-15);
    }

    [Fact]
    public void Cuped_bears_covariates_that_say_the_same()
    {
        // Everybody was there before, and had one impression for each click: the second and third covariate add nothing.
        UnitSums[] users = [.. Enumerable.Range(0, 40).Select(i => new UnitSums(i % 7, 10, i % 7, i % 7, 1))];
        UnitMoments[] arms = [Of(users[..20]), Of(users[20..])];
        var cuped = Cuped.Fit(arms);
        // The past says all: nothing is left to vary.
        cuped.Adjust(arms[0]).Variance.ShouldBe(0, 1e-12);
        cuped.Adjust(arms[0]).Value.ShouldBe(cuped.Adjust(arms[1]).Value, 1e-9);
    }

    [Fact]
    public void The_interval_of_the_lift_is_Fiellers()
    {
        var comparison = new Comparison(ArmEstimate.Of(_control), ArmEstimate.Of(_treatment));
        var interval = comparison.LiftWithin(1);
        interval.Low.ShouldBe(0.16782795131396677, 1e-9);
        interval.High.ShouldBe(1.154286903345351, 1e-9);
        comparison.StandardErrorsAbove(interval.Low).ShouldBe(1, 1e-9);
        comparison.StandardErrorsAbove(interval.High).ShouldBe(-1, 1e-9);
        double.IsInfinity(comparison.LiftWithin(10).High).ShouldBeTrue("the control's own value is not told from 0 at 10 standard errors");
    }

    [Fact]
    public void The_interval_leaves_out_zero_exactly_when_the_test_rejects()
    {
        var draws = new Random(7);
        for (var i = 0; i < 1_000; i++)
        {
            var comparison = new Comparison(
                new ArmEstimate(100, 0.05 + 0.02 * draws.NextDouble(), 1e-6), new ArmEstimate(100, 0.05 + 0.02 * draws.NextDouble(), 4e-6 * draws.NextDouble()));
            comparison.LiftAt(0.95).ExcludesZero.ShouldBe(comparison.PValue < 0.05);
        }
    }

    [Fact]
    public void Moments_follow_a_stream_as_if_made_at_once()
    {
        var streamed = new UnitMoments();
        foreach (var user in ControlUsers)
        {
            var half = user with { Numerator = Math.Floor(user.Numerator / 2), Denominator = user.Denominator - 1 };
            streamed.Add(half);
            streamed.Replace(half, user);
        }
        ArmEstimate.Of(streamed).ShouldBe(ArmEstimate.Of(_control));
        var both = new UnitMoments();
        both.Add(_control);
        both.Add(_treatment);
        ArmEstimate.Of(both).ShouldBe(ArmEstimate.Of(Of([.. ControlUsers, .. TreatmentUsers])));
    }

    [Fact]
    public void An_arm_of_nobody_measures_nothing()
    {
        var comparison = new Comparison(ArmEstimate.Of(new UnitMoments()), ArmEstimate.Of(_treatment));
        comparison.IsMeasured.ShouldBeFalse();
        comparison.PValue.ShouldBe(1);
        comparison.LiftAt(0.95).Contains(0).ShouldBeTrue();
    }

    private static UnitMoments Of(UnitSums[] users)
    {
        var moments = new UnitMoments();
        foreach (var user in users) moments.Add(user);
        return moments;
    }
}
