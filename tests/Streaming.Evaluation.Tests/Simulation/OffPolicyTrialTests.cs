using Streaming.Evaluation.Simulation;
using Streaming.Experiments;

namespace Streaming.Evaluation.Tests.Simulation;

public sealed class OffPolicyTrialTests
{
    [Fact]
    public void The_truth_of_a_policy_that_nobody_has_seen_lies_in_its_intervals()
    {
        var result = OffPolicyTrial.Run("ftrl", 6000, 1);
        // It is worth estimating: the log's policy does something quite different.
        result.Truth.ShouldBeGreaterThan(1.3 * result.Logged);
        foreach (var (name, estimate) in OffPolicyInterval.Estimators.Zip(result.Estimates))
        {
            estimate.Holds(result.Truth).ShouldBeTrue($"{name} {estimate} of {result.Truth}");
            estimate.Low.ShouldBeGreaterThan(result.Logged);
        }
        result.Weights.Mean.ShouldBe(1, 0.1);
        result.Weights.LargestShare.ShouldBeLessThan(0.01);
        // Really shown, it teaches its learners more than the log did, so it is a little better than on the log's requests.
        (result.Run / result.Truth).ShouldBeInRange(0.9, 1.25);
    }
}
