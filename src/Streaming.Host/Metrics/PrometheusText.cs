using System.Diagnostics.Metrics;
using System.Text;

namespace Streaming.Host.Metrics;

/// <summary>
/// Renders what meters measured in Prometheus' text exposition format, version 0.0.4. Recording takes one uncontended lock and allocates
/// nothing once a series exists.
/// </summary>
public sealed class PrometheusText : IDisposable
{
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    private readonly MeterTap<MetricFamily> _tap;

    /// <param name="exports">Which instruments to listen to.</param>
    /// <param name="buckets">Upper bounds of a histogram, ascending, without +Inf.</param>
    public PrometheusText(Func<Instrument, bool> exports, Func<Instrument, double[]> buckets) =>
        _tap = new MeterTap<MetricFamily>(exports, (name, instrument) => new MetricFamily(name, instrument, buckets));

    /// <summary>Everything measured so far, families sorted by name.</summary>
    public string Scrape()
    {
        var text = new StringBuilder();
        _tap.Observe(families =>
        {
            foreach (var family in families) family.Render(text);
        });
        return text.ToString();
    }

    public void Dispose() => _tap.Dispose();
}
