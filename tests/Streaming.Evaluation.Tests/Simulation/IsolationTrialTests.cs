using Streaming.Evaluation.Simulation;

namespace Streaming.Evaluation.Tests.Simulation;

public sealed class IsolationTrialTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Overlays_recover_both_arms_weights_and_shared_weights_do_not(long seed)
    {
        var isolated = IsolationTrial.Run(isolated: true, 40_000, 0.5, seed);
        var shared = IsolationTrial.Run(isolated: false, 40_000, 0.5, seed);
        foreach (var arm in isolated)
        {
            arm.Correlation.ShouldBeGreaterThan(0.97);
            arm.ExcessLoss.ShouldBeLessThan(0.01);
            arm.Lift.ShouldBeGreaterThan(0.95);
            arm.ForeignMass.ShouldBe(0);
        }
        foreach (var arm in shared)
        {
            // Half of the features cancel out: what is left of them is the luck of the draw.
            arm.Correlation.ShouldBeLessThan(0.85);
            arm.ExcessLoss.ShouldBeGreaterThan(0.03);
            arm.Lift.ShouldBeLessThan(0.85);
            arm.ForeignMass.ShouldBe(0.5, 0.1);
        }
    }

    [Fact]
    public void A_small_arm_suffers_most_from_sharing()
    {
        var shared = IsolationTrial.Run(isolated: false, 40_000, 0.1, 1);
        shared[0].ForeignMass.ShouldBeGreaterThan(0.85);
        shared[0].ExcessLoss.ShouldBeGreaterThan(3 * shared[1].ExcessLoss);
        IsolationTrial.Run(isolated: true, 40_000, 0.1, 1)[0].Lift.ShouldBeGreaterThan(shared[0].Lift + 0.3);
    }
}
