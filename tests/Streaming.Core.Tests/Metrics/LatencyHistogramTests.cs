using Streaming.Suites;
using Streaming.Core.Metrics;

namespace Streaming.Core.Tests.Metrics;

public sealed class LatencyHistogramTests
{
    [Fact]
    public void Percentiles_of_a_sorted_sample_are_within_a_thirty_second()
    {
        var random = new Random(7);
        var values = Enumerable.Range(0, 100_000).Select(_ => (long)Math.Exp(random.NextDouble() * 16)).ToArray();
        var histogram = new LatencyHistogram();
        foreach (var value in values) histogram.Record(value);
        Array.Sort(values);
        foreach (var q in new[] { .01, .5, .9, .99, .999 })
        {
            var exact = values[(int)Math.Ceiling(q * values.Length) - 1];
            histogram.Percentile(q).ShouldBeInRange(exact, exact * (1 + 1 / 32.0) + 1);
        }
    }

    [Fact]
    public void Small_values_are_exact_and_negative_ones_count_as_zero()
    {
        var histogram = new LatencyHistogram();
        foreach (var value in new long[] { -5, 3, 3, 31 }) histogram.Record(value);
        histogram.Percentile(.25).ShouldBe(0);
        histogram.Percentile(.5).ShouldBe(3);
        histogram.Percentile(1).ShouldBe(31);
        histogram.Count.ShouldBe(4);
    }

    [Fact]
    public void An_empty_histogram_has_no_percentile() => new LatencyHistogram().Percentile(.5).ShouldBe(double.NaN);

    [Fact]
    public void The_largest_value_fits()
    {
        var histogram = new LatencyHistogram();
        histogram.Record(long.MaxValue);
        histogram.Percentile(1).ShouldBeGreaterThan(9e18);
    }

    [Fact]
    public void Recording_allocates_nothing()
    {
        var histogram = new LatencyHistogram();
        histogram.Record(1);
        Allocated.Bytes(() =>
        {
            for (var i = 0; i < 1000; i++) histogram.Record(i);
        }).ShouldBe(0);
    }
}
