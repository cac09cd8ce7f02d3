using Streaming.Suites;
using System.Diagnostics.Metrics;
using Streaming.Host.Metrics;

namespace Streaming.Host.Tests.Metrics;

/// <summary>Our own exporter, on meters of its own.</summary>
public sealed class PrometheusTextTests : IDisposable
{
    private readonly Meter _meter = new("Test.Meter-" + nameof(PrometheusTextTests));
    private readonly PrometheusText _text;

    public PrometheusTextTests() => _text = new PrometheusText(i => i.Meter == _meter, _ => [1, 2]);

    public void Dispose()
    {
        _text.Dispose();
        _meter.Dispose();
    }

    [Fact]
    public void A_page_is_rendered_to_the_letter()
    {
        _meter.CreateCounter<long>("b_total", description: "Line one\nwith a \\.").Add(3, Tag("zone", "x"), Tag("Arm.Name", 7));
        _meter.CreateUpDownCounter<int>("c").Add(-2);
        var histogram = _meter.CreateHistogram<float>("a_seconds", description: "Times.");
        histogram.Record(1);
        histogram.Record(1.5f);
        histogram.Record(9);

        _text.Scrape().ShouldBe("""
            # HELP test_meter_prometheustexttests_a_seconds Times.
            # TYPE test_meter_prometheustexttests_a_seconds histogram
            test_meter_prometheustexttests_a_seconds_bucket{le="1"} 1
            test_meter_prometheustexttests_a_seconds_bucket{le="2"} 2
            test_meter_prometheustexttests_a_seconds_bucket{le="+Inf"} 3
            test_meter_prometheustexttests_a_seconds_sum 11.5
            test_meter_prometheustexttests_a_seconds_count 3
            # HELP test_meter_prometheustexttests_b_total Line one\nwith a \\.
            # TYPE test_meter_prometheustexttests_b_total counter
            test_meter_prometheustexttests_b_total{arm_name="7",zone="x"} 3
            # HELP test_meter_prometheustexttests_c 
            # TYPE test_meter_prometheustexttests_c gauge
            test_meter_prometheustexttests_c -2

            """.ReplaceLineEndings("\n"));
    }

    [Fact]
    public void Labels_in_another_order_are_the_same_series()
    {
        var counter = _meter.CreateCounter<long>("n_total");

        counter.Add(1, Tag("a", "1"), Tag("b", "2"));
        counter.Add(1, Tag("b", "2"), Tag("a", "1"));

        Exposition.Parse(_text.Scrape()).Samples.Single().Value.ShouldBe(2);
    }

    [Fact]
    public void An_observed_counter_is_set_and_not_added_up()
    {
        var total = 5L;
        _meter.CreateObservableCounter("seen_total", () => total);

        Exposition.Parse(_text.Scrape()).Samples.Single().Value.ShouldBe(5);
        total = 8;
        Exposition.Parse(_text.Scrape()).Samples.Single().Value.ShouldBe(8);
    }

    [Fact]
    public void Series_are_bounded()
    {
        var counter = _meter.CreateCounter<long>("ids_total");
        for (var i = 0; i < 5000; i++) counter.Add(1, Tag("id", i));

        Exposition.Parse(_text.Scrape()).Samples.Count.ShouldBe(4096);
    }

    [Fact]
    public void Recording_allocates_nothing_once_the_series_exists()
    {
        var counter = _meter.CreateCounter<long>("n_total");
        var histogram = _meter.CreateHistogram<double>("t_seconds");
        Record(10);
        Allocated.Bytes(() =>
        {
            Record(1000);
        }).ShouldBe(0);

        void Record(int times)
        {
            for (var i = 0; i < times; i++)
            {
                counter.Add(1, Tag("type", "click"));
                histogram.Record(1.5);
            }
        }
    }

    private static KeyValuePair<string, object?> Tag(string key, object value) => new(key, value);
}
