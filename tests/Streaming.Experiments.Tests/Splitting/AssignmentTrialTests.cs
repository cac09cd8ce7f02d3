using Streaming.Experiments.Splitting;

namespace Streaming.Experiments.Tests.Splitting;

public sealed class AssignmentTrialTests
{
    /// <summary>What <c>bench ab-assign</c> does on 10 million; the ids are fixed, so the p-values are.</summary>
    [Fact]
    public void Buckets_are_uniform_and_layers_independent_and_assignment_allocates_nothing()
    {
        var trial = AssignmentTrial.Run(300_000);
        trial.Layers.Count.ShouldBe(4);
        trial.Pairs.Count.ShouldBe(6);
        trial.SmallestP.ShouldBeGreaterThan(.001);
        trial.BytesPerAssignment.ShouldBe(0);
        trial.Arms.ShouldBeGreaterThan(27);
    }

    [Fact]
    public void The_tests_see_what_is_not_so()
    {
        ChiSquareTest.Uniform("skewed", [120, 80, 100, 100]).P.ShouldBe(0.046, .0005); // 8 at 3 degrees of freedom
        ChiSquareTest.Uniform("even", [100, 100, 100, 100]).P.ShouldBe(1, 1e-9);
        ChiSquareTest.Independent("dependent", new[,] { { 90, 10 }, { 10, 90 } }).P.ShouldBeLessThan(1e-9);
        var test = ChiSquareTest.Independent("worked by hand", new[,] { { 20, 30 }, { 30, 20 } });
        (test.ChiSquare, test.DegreesOfFreedom).ShouldBe((4, 1));
        test.P.ShouldBe(.0455, .0001);
    }
}
