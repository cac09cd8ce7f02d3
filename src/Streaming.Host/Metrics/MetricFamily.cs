using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;

namespace Streaming.Host.Metrics;

/// <summary>The family of an instrument as <see cref="PrometheusText"/> renders it.</summary>
internal sealed class MetricFamily : IMetricFamily
{
    private readonly string _name;
    private readonly string _help;
    private readonly InstrumentKind _kind;
    private readonly double[] _bounds;
    private readonly Lock _lock = new();
    private readonly SeriesIndex<Series> _series;

    /// <summary>One label combination.</summary>
    private sealed class Series(string labels, long[] counts)
    {
        public string Labels => labels;
        public long[] Counts => counts;
        public double Value { get; set; }
        public bool Observed { get; set; }
    }

    public MetricFamily(string name, Instrument instrument, Func<Instrument, double[]> buckets)
    {
        _name = name;
        _help = instrument.Description ?? "";
        _kind = InstrumentKinds.Of(instrument);
        _bounds = _kind == InstrumentKind.Histogram ? buckets(instrument) : [];
        _series = new SeriesIndex<Series>(labels => new Series(
            string.Join(',', labels.Select(l => $"{l.Name}=\"{EscapeValue(l.Value)}\"")), _kind == InstrumentKind.Histogram ? new long[_bounds.Length + 1] : []));
    }

    public void Record(double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        lock (_lock)
        {
            if (_series.Find(tags) is not { } series) return;
            series.Observed = true;
            switch (_kind)
            {
                case InstrumentKind.Counter or InstrumentKind.Gauge:
                    series.Value += value;
                    break;
                case InstrumentKind.ObservedCounter or InstrumentKind.ObservedGauge:
                    series.Value = value;
                    break;
                default:
                    series.Value += value;
                    series.Counts[BucketOf(value)]++;
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
        // What was not observed is not rendered.
    }

    public void Render(StringBuilder into)
    {
        lock (_lock)
        {
            if (!_series.All.Any(s => s.Observed)) return;
            into.Append("# HELP ").Append(_name).Append(' ').Append(EscapeHelp(_help)).Append('\n');
            into.Append("# TYPE ").Append(_name).Append(' ').Append(TypeName).Append('\n');
            foreach (var series in _series.All)
            {
                if (!series.Observed) continue;
                if (_kind == InstrumentKind.Histogram) RenderHistogram(series, into);
                else Line(into, "", series.Labels, null, series.Value);
            }
        }
    }

    private string TypeName => _kind switch
    {
        InstrumentKind.Counter or InstrumentKind.ObservedCounter => "counter",
        InstrumentKind.Histogram => "histogram",
        _ => "gauge",
    };

    private void RenderHistogram(Series series, StringBuilder into)
    {
        long below = 0;
        for (var i = 0; i <= _bounds.Length; i++)
        {
            below += series.Counts[i];
            Line(into, "_bucket", series.Labels, i < _bounds.Length ? Number(_bounds[i]) : "+Inf", below);
        }
        Line(into, "_sum", series.Labels, null, series.Value);
        Line(into, "_count", series.Labels, null, below);
    }

    private void Line(StringBuilder into, string suffix, string labels, string? le, double value)
    {
        into.Append(_name).Append(suffix);
        if (labels.Length > 0 || le is not null)
        {
            into.Append('{').Append(labels);
            if (le is not null) into.Append(labels.Length > 0 ? "," : "").Append("le=\"").Append(le).Append('"');
            into.Append('}');
        }
        into.Append(' ').Append(Number(value)).Append('\n');
    }

    /// <summary>A bucket holds what is less than or equal to its bound; the last one holds the rest, NaN included.</summary>
    private int BucketOf(double value)
    {
        for (var i = 0; i < _bounds.Length; i++)
            if (value <= _bounds[i]) return i;
        return _bounds.Length;
    }

    private static string EscapeValue(string value) => value.Replace("\\", "\\\\").Replace("\n", "\\n").Replace("\"", "\\\"");

    private static string EscapeHelp(string help) => help.Replace("\\", "\\\\").Replace("\n", "\\n");

    private static string Number(double value) => value switch
    {
        double.PositiveInfinity => "+Inf",
        double.NegativeInfinity => "-Inf",
        _ => value.ToString("R", CultureInfo.InvariantCulture),
    };
}
