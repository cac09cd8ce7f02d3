#if USE_PROMETHEUS_NET
using System.Diagnostics.Metrics;
using Prometheus;

namespace Streaming.Host.Metrics;

/// <summary>
/// The family of an instrument in a registry of prometheus-net. Its own meter adapter makes gauges of all counters, whose names then break
/// the conventions, and keeps series that have ended; this one does neither.
/// </summary>
internal sealed class PrometheusNetFamily : IMetricFamily
{
    private readonly InstrumentKind _kind;
    private readonly Lock _lock = new();
    private readonly SeriesIndex<Series> _series;

    /// <summary>One label combination: the one of the three that the kind asks for.</summary>
    private sealed class Series
    {
        public Counter.Child? Counter { get; init; }
        public Gauge.Child? Gauge { get; init; }
        public Histogram.Child? Histogram { get; init; }
        public bool Observed { get; set; }
        public bool Ended { get; set; }
    }

    public PrometheusNetFamily(string name, Instrument instrument, IMetricFactory factory, Func<Instrument, double[]> buckets)
    {
        _kind = InstrumentKinds.Of(instrument);
        var help = instrument.Description ?? "";
        double[] bounds = _kind == InstrumentKind.Histogram ? buckets(instrument) : [];
        _series = new SeriesIndex<Series>(labels =>
        {
            string[] names = [.. labels.Select(l => l.Name)], values = [.. labels.Select(l => l.Value)];
            return _kind switch
            {
                InstrumentKind.Counter or InstrumentKind.ObservedCounter => new Series { Counter = factory.CreateCounter(name, help, names).WithLabels(values) },
                InstrumentKind.Histogram => new Series { Histogram = factory.CreateHistogram(name, help, names, new HistogramConfiguration { Buckets = bounds }).WithLabels(values) },
                _ => new Series { Gauge = factory.CreateGauge(name, help, names).WithLabels(values) },
            };
        });
    }

    public void Record(double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        lock (_lock)
        {
            if (_series.Find(tags) is not { } series) return;
            series.Observed = true;
            switch (_kind)
            {
                case InstrumentKind.Counter:
                    series.Counter!.Inc(value);
                    break;
                case InstrumentKind.ObservedCounter:
                    series.Counter!.IncTo(value);
                    break;
                case InstrumentKind.Gauge:
                    series.Gauge!.Inc(value);
                    break;
                case InstrumentKind.ObservedGauge:
                    series.Gauge!.Set(value);
                    break;
                default:
                    series.Histogram!.Observe(value);
                    break;
            }
        }
    }

    public void BeginObservation()
    {
        if (_kind is not (InstrumentKind.ObservedCounter or InstrumentKind.ObservedGauge)) return;
        lock (_lock)
            foreach (var series in _series.All) series.Observed = false;
    }

    public void EndObservation()
    {
        if (_kind != InstrumentKind.ObservedGauge) return;
        lock (_lock)
        {
            foreach (var series in _series.All)
            {
                if (!series.Observed && !series.Ended) series.Gauge!.Unpublish();
                else if (series.Observed && series.Ended) series.Gauge!.Publish();
                series.Ended = !series.Observed;
            }
        }
    }
}
#endif
