using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Streaming.Core.Metrics;

namespace Streaming.Host.Live;

/// <summary>
/// Listens to the few instruments that the dashboard shows and that no node keeps itself. The meters are the process's, so several nodes in one
/// process (tests) share them. Recording allocates nothing once a label has been seen.
/// </summary>
internal sealed class MeterTally : IDisposable
{
    private readonly MeterListener _listener = new();
    private readonly Dictionary<string, Dictionary<string, double>> _gauges = new()
    {
        ["prequential_auc"] = [], ["prequential_gauc"] = [], ["prequential_log_loss"] = [], ["prequential_calibration"] = [], ["log_lag_records"] = [],
    };

    public MeterTally()
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Name == StreamingMeters.MeterName && StateOf(instrument.Name) is { } state) listener.EnableMeasurementEvents(instrument, state);
        };
        _listener.SetMeasurementEventCallback<long>(static (_, value, tags, state) => ((Counts)state!).Add(tags, value));
        _listener.SetMeasurementEventCallback<double>(static (_, value, tags, state) =>
        {
            if (state is RecentSeconds seconds) seconds.Record(value);
            else if (state is Dictionary<string, double> gauge) gauge[Label(tags)] = value;
        });
        _listener.Start();
    }

    /// <summary>Look-ups by result, since the start.</summary>
    public Counts Lookups { get; } = new();

    /// <summary>Applied events by type, since the start.</summary>
    public Counts Events { get; } = new();

    /// <summary>Records set aside by kind of reason, since the start.</summary>
    public Counts Reasons { get; } = new();

    public RecentSeconds ClickToList { get; } = new();

    /// <summary>Age of lists when they were served.</summary>
    public RecentSeconds FeedAge { get; } = new();

    /// <summary>Latest values of a gauge by label, as of <see cref="Observe"/>.</summary>
    public IReadOnlyDictionary<string, double> Gauge(string instrument) => _gauges[instrument];

    /// <summary>Reads the gauges; one caller at a time.</summary>
    public void Observe()
    {
        foreach (var gauge in _gauges.Values) gauge.Clear();
        _listener.RecordObservableInstruments();
    }

    public void Dispose() => _listener.Dispose();

    private object? StateOf(string instrument) => instrument switch
    {
        "lookups_total" => Lookups,
        "events_total" => Events,
        "dead_letters_total" => Reasons,
        "click_to_list_seconds" => ClickToList,
        "feed_age_seconds" => FeedAge,
        _ => _gauges.GetValueOrDefault(instrument),
    };

    private static string Label(ReadOnlySpan<KeyValuePair<string, object?>> tags) => tags.Length > 0 && tags[0].Value is string label ? label : "";

    /// <summary>Sums by label. Labels are bounded where they are made.</summary>
    internal sealed class Counts
    {
        private readonly ConcurrentDictionary<string, StrongBox> _by = new(StringComparer.Ordinal);

        private sealed class StrongBox
        {
            public long Value;
        }

        public void Add(ReadOnlySpan<KeyValuePair<string, object?>> tags, long value) =>
            Interlocked.Add(ref _by.GetOrAdd(Label(tags), static _ => new StrongBox()).Value, value);

        public Dictionary<string, long> Now() => _by.ToDictionary(pair => pair.Key, pair => Interlocked.Read(ref pair.Value.Value));
    }

    /// <summary>Percentiles of the last seconds: of the last <see cref="Samples"/> whole samples and the one being taken.</summary>
    internal sealed class RecentSeconds
    {
        private const int Samples = 5;
        private volatile LatencyHistogram _now = new();
        private LatencyHistogram _before = new();
        private int _taken;

        public void Record(double seconds) => _now.Record((long)(seconds * 1e6));

        /// <summary>Milliseconds; NaN when nothing was recorded lately.</summary>
        public (double P50, double P99) Milliseconds()
        {
            var of = _now.Count > 0 ? _now : _before;
            return (of.Percentile(.5) / 1000, of.Percentile(.99) / 1000);
        }

        /// <summary>Ends a sample.</summary>
        public void Turn()
        {
            if (++_taken % Samples != 0) return;
            _before = _now;
            _now = new LatencyHistogram();
        }
    }
}
