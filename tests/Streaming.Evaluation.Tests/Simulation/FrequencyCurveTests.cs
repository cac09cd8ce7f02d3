using Streaming.Evaluation.Simulation;

namespace Streaming.Evaluation.Tests.Simulation;

public sealed class FrequencyCurveTests
{
    private static readonly FrequencySetUp SetUp = new(Items: 500, Steps: 8000, Slots: 2500, Points: 16);

    [Fact]
    public void A_large_rate_is_fast_and_noisy_and_a_small_one_slow_and_precise()
    {
        var (fast, slow) = (FrequencyCurve.Run(SetUp, 0.1, 1, 1), FrequencyCurve.Run(SetUp, 0.01, 1, 1));
        // The first point, after 500 steps: the fast one has forgotten the initial interval already.
        fast.Errors[0].ShouldBeLessThan(slow.Errors[0]);
        // Just before the change: what is left is noise, and collisions, which both have alike.
        slow.Errors[7].ShouldBeLessThan(fast.Errors[7] * 0.75);
        // Just after it the fast one is better again, by far.
        fast.Errors[8].ShouldBeLessThan(slow.Errors[8]);
    }

    [Fact]
    public void Every_rate_recovers_from_the_change()
    {
        foreach (var rate in new[] { 0.1, 0.03, 0.01 })
        {
            var errors = FrequencyCurve.Run(SetUp, rate, 1, 2).Errors;
            errors[8].ShouldBeGreaterThan(errors[7]);
            errors[15].ShouldBe(errors[7], errors[7] * 0.35, $"alpha {rate}");
        }
    }

    [Fact]
    public void More_hashes_in_the_same_memory_over_estimate_less()
    {
        var over = new[] { 1, 2, 4 }.Select(m => FrequencyCurve.Run(SetUp, 0.01, m, 3).Over[7]).ToArray();
        over[1].ShouldBeLessThan(over[0] * 0.8);
        over[2].ShouldBeLessThan(over[0] * 0.8);
    }

    [Fact]
    public void A_seed_fixes_the_curve() =>
        FrequencyCurve.Run(SetUp, 0.03, 2, 4).Errors.ShouldBe(FrequencyCurve.Run(SetUp, 0.03, 2, 4).Errors);
}
