using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;

namespace Streaming.Host.Metrics;

/// <summary>All series of one instrument: its labelled values or histograms. Thread-safe.</summary>
internal sealed class MetricFamily
{
    /// <summary>Series per family at most; measurements of further label combinations are dropped.</summary>
    private const int SeriesMax = 4096;

    private enum Kind { Counter, ObservedCounter, Gauge, ObservedGauge, Histogram }

    private readonly string _name;
    private readonly string _help;
    private readonly Kind _kind;
    private readonly double[] _bounds;
    private readonly Lock _lock = new();
    private readonly Dictionary<int, Series> _byHash = [];
    private readonly SortedDictionary<string, Series> _byLabels = new(StringComparer.Ordinal);

    public MetricFamily(string name, Instrument instrument, Func<Instrument, double[]> buckets)
    {
        _name = name;
        _help = instrument.Description ?? "";
        _kind = KindOf(instrument);
        _bounds = _kind == Kind.Histogram ? buckets(instrument) : [];
    }

    /// <summary>Takes one measurement: an increment, an absolute value or an observation, as the instrument's kind has it.</summary>
    public void Record(double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        lock (_lock)
        {
            if (Find(tags) is not { } series) return;
            series.Observed = true;
            switch (_kind)
            {
                case Kind.Counter or Kind.Gauge:
                    series.Value += value;
                    break;
                case Kind.ObservedCounter or Kind.ObservedGauge:
                    series.Value = value;
                    break;
                default:
                    series.Value += value;
                    series.Counts![BucketOf(value)]++;
                    break;
            }
        }
    }

    /// <summary>Observed series that are not observed again until <see cref="Render"/> have ended, and are not shown.</summary>
    public void BeginObservation()
    {
        if (_kind is not (Kind.ObservedCounter or Kind.ObservedGauge)) return;
        lock (_lock)
            foreach (var series in _byLabels.Values) series.Observed = false;
    }

    public void Render(StringBuilder into)
    {
        lock (_lock)
        {
            if (!_byLabels.Values.Any(s => s.Observed)) return;
            into.Append("# HELP ").Append(_name).Append(' ').Append(EscapeHelp(_help)).Append('\n');
            into.Append("# TYPE ").Append(_name).Append(' ').Append(TypeName).Append('\n');
            foreach (var series in _byLabels.Values)
            {
                if (!series.Observed) continue;
                if (_kind == Kind.Histogram) RenderHistogram(series, into);
                else Line(into, "", series.Labels, null, series.Value);
            }
        }
    }

    private string TypeName => _kind switch
    {
        Kind.Counter or Kind.ObservedCounter => "counter",
        Kind.Histogram => "histogram",
        _ => "gauge",
    };

    private void RenderHistogram(Series series, StringBuilder into)
    {
        long below = 0;
        for (var i = 0; i <= _bounds.Length; i++)
        {
            below += series.Counts![i];
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

    /// <summary>The series of these tags, made on first sight; null beyond the bound.</summary>
    private Series? Find(ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var hash = new HashCode();
        foreach (var (key, value) in tags)
        {
            hash.Add(key);
            hash.Add(value);
        }
        var code = hash.ToHashCode();
        _byHash.TryGetValue(code, out var first);
        for (var alias = first; alias is not null; alias = alias.Next)
            if (alias.Matches(tags)) return alias.Target;
        return Add(code, first, tags);
    }

    private Series? Add(int code, Series? first, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var labels = LabelsOf(tags);
        if (!_byLabels.TryGetValue(labels, out var target) && _byLabels.Count >= SeriesMax) return null;
        // The same labels in another order are another entry of the index and the same series.
        var entry = new Series(tags.ToArray(), labels, first, target, _kind == Kind.Histogram ? _bounds.Length + 1 : 0);
        _byHash[code] = entry;
        if (target is null) _byLabels.Add(labels, entry);
        return entry.Target;
    }

    private static string LabelsOf(ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var pairs = new List<string>();
        foreach (var (key, value) in tags)
            pairs.Add($"{PrometheusText.NameOf(key)}=\"{EscapeValue(Convert.ToString(value, CultureInfo.InvariantCulture) ?? "")}\"");
        pairs.Sort(StringComparer.Ordinal);
        return string.Join(',', pairs);
    }

    private static string EscapeValue(string value) => value.Replace("\\", "\\\\").Replace("\n", "\\n").Replace("\"", "\\\"");

    private static string EscapeHelp(string help) => help.Replace("\\", "\\\\").Replace("\n", "\\n");

    private static string Number(double value) => value switch
    {
        double.PositiveInfinity => "+Inf",
        double.NegativeInfinity => "-Inf",
        _ => value.ToString("R", CultureInfo.InvariantCulture),
    };

    private static Kind KindOf(Instrument instrument)
    {
        var type = instrument.GetType().GetGenericTypeDefinition();
        if (type == typeof(Counter<>)) return Kind.Counter;
        if (type == typeof(ObservableCounter<>)) return Kind.ObservedCounter;
        if (type == typeof(UpDownCounter<>)) return Kind.Gauge;
        return type == typeof(Histogram<>) ? Kind.Histogram : Kind.ObservedGauge;
    }

    /// <summary>One label combination, or another spelling (order) of one, in a chain of equal hashes.</summary>
    private sealed class Series
    {
        private readonly KeyValuePair<string, object?>[] _tags;

        public Series(KeyValuePair<string, object?>[] tags, string labels, Series? next, Series? target, int buckets)
        {
            _tags = tags;
            Labels = labels;
            Next = next;
            Target = target ?? this;
            Counts = target is null && buckets > 0 ? new long[buckets] : null;
        }

        public string Labels { get; }
        public Series? Next { get; }
        public Series Target { get; }
        public long[]? Counts { get; }
        public double Value { get; set; }
        public bool Observed { get; set; }

        public bool Matches(ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            if (tags.Length != _tags.Length) return false;
            for (var i = 0; i < tags.Length; i++)
                if (tags[i].Key != _tags[i].Key || !Equals(tags[i].Value, _tags[i].Value)) return false;
            return true;
        }
    }
}
