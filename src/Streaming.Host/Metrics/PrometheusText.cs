using System.Diagnostics.Metrics;
using System.Text;

namespace Streaming.Host.Metrics;

/// <summary>
/// Listens to meters and renders what they measured in Prometheus' text exposition format, version 0.0.4. An instrument
/// becomes <c>meter_instrument</c>, lower case, with every other character than letters, digits and "_" made "_": the naming of
/// prometheus-net's meter adapter. Recording takes one uncontended lock and allocates nothing once a series exists.
/// </summary>
public sealed class PrometheusText : IDisposable
{
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    private readonly MeterListener _listener = new();
    private readonly Func<Instrument, double[]> _buckets;
    private readonly SortedDictionary<string, MetricFamily> _families = new(StringComparer.Ordinal);
    private readonly Lock _scraping = new();

    /// <param name="exports">Which instruments to listen to.</param>
    /// <param name="buckets">Upper bounds of a histogram, ascending, without +Inf.</param>
    public PrometheusText(Func<Instrument, bool> exports, Func<Instrument, double[]> buckets)
    {
        _buckets = buckets;
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (exports(instrument)) listener.EnableMeasurementEvents(instrument, FamilyOf(instrument));
        };
        _listener.SetMeasurementEventCallback<byte>(static (_, value, tags, family) => ((MetricFamily)family!).Record(value, tags));
        _listener.SetMeasurementEventCallback<short>(static (_, value, tags, family) => ((MetricFamily)family!).Record(value, tags));
        _listener.SetMeasurementEventCallback<int>(static (_, value, tags, family) => ((MetricFamily)family!).Record(value, tags));
        _listener.SetMeasurementEventCallback<long>(static (_, value, tags, family) => ((MetricFamily)family!).Record(value, tags));
        _listener.SetMeasurementEventCallback<float>(static (_, value, tags, family) => ((MetricFamily)family!).Record(value, tags));
        _listener.SetMeasurementEventCallback<double>(static (_, value, tags, family) => ((MetricFamily)family!).Record(value, tags));
        _listener.SetMeasurementEventCallback<decimal>(static (_, value, tags, family) => ((MetricFamily)family!).Record((double)value, tags));
        _listener.Start();
    }

    /// <summary>Everything measured so far, families sorted by name.</summary>
    public string Scrape()
    {
        var text = new StringBuilder();
        // Two scrapes at once must not clear each other's observed gauges. Not the families' lock: the runtime may publish an
        // instrument, under a lock of its own, while gauges are being read.
        lock (_scraping)
        {
            MetricFamily[] families;
            lock (_families) families = [.. _families.Values];
            foreach (var family in families) family.BeginObservation();
            _listener.RecordObservableInstruments();
            foreach (var family in families) family.Render(text);
        }
        return text.ToString();
    }

    public void Dispose() => _listener.Dispose();

    /// <summary>The Prometheus form of a meter's, instrument's or tag's name.</summary>
    internal static string NameOf(string name)
    {
        var text = new StringBuilder(name.Length + 1);
        foreach (var original in name)
        {
            var c = char.ToLowerInvariant(original);
            if (text.Length == 0 && char.IsAsciiDigit(c)) text.Append('_');
            text.Append(char.IsAsciiLetterOrDigit(c) ? c : '_');
        }
        return text.ToString();
    }

    private MetricFamily FamilyOf(Instrument instrument)
    {
        var name = NameOf($"{instrument.Meter.Name}_{instrument.Name}");
        lock (_families)
        {
            // Two meters of one name (a meter made again) continue one family.
            if (_families.TryGetValue(name, out var family)) return family;
            family = new MetricFamily(name, instrument, _buckets);
            _families.Add(name, family);
            return family;
        }
    }
}
