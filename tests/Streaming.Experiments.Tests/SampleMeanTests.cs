namespace Streaming.Experiments.Tests;

public sealed class SampleMeanTests
{
    [Fact]
    public void It_equals_the_hand_worked_case()
    {
        // Squared differences 1, 1, 4, 4 and 0: variance 10 / 4; the 97.5 % quantile of t with 4 degrees of freedom is 2.776445.
        var mean = SampleMean.Of([4, 6, 3, 7, 5]);
        mean.Mean.ShouldBe(5, 1e-12);
        mean.Deviation.ShouldBe(Math.Sqrt(2.5), 1e-12);
        mean.Bar.ShouldBe(2.776445 * Math.Sqrt(2.5 / 5), 1e-6);
    }

    [Fact]
    public void One_sample_has_a_mean_and_no_spread()
    {
        var mean = SampleMean.Of([4]);
        mean.Mean.ShouldBe(4);
        double.IsNaN(mean.Deviation).ShouldBeTrue();
        double.IsNaN(mean.Bar).ShouldBeTrue();
    }
}
