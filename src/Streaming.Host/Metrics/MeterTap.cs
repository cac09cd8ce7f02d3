using System.Diagnostics.Metrics;

namespace Streaming.Host.Metrics;

/// <summary>All series of one instrument. Thread-safe.</summary>
internal interface IMetricFamily
{
    /// <summary>Takes one measurement: an increment, an absolute value or an observation, as the instrument's kind has it.</summary>
    void Record(double value, ReadOnlySpan<KeyValuePair<string, object?>> tags);

    /// <summary>Observable instruments are read now: series that are not seen until <see cref="EndObservation"/> have ended.</summary>
    void BeginObservation();

    void EndObservation();
}

/// <summary>Listens to meters: every exported instrument has a family of its own, named by <see cref="MetricNames"/>.</summary>
internal sealed class MeterTap<TFamily> : IDisposable
    where TFamily : class, IMetricFamily
{
    private readonly MeterListener _listener = new();
    private readonly Func<string, Instrument, TFamily> _make;
    private readonly SortedDictionary<string, TFamily> _families = new(StringComparer.Ordinal);
    private readonly Lock _observing = new();

    /// <param name="exports">Which instruments to listen to.</param>
    /// <param name="make">Makes the family of a name.</param>
    public MeterTap(Func<Instrument, bool> exports, Func<string, Instrument, TFamily> make)
    {
        _make = make;
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (exports(instrument)) listener.EnableMeasurementEvents(instrument, FamilyOf(instrument));
        };
        _listener.SetMeasurementEventCallback<byte>(static (_, value, tags, family) => ((TFamily)family!).Record(value, tags));
        _listener.SetMeasurementEventCallback<short>(static (_, value, tags, family) => ((TFamily)family!).Record(value, tags));
        _listener.SetMeasurementEventCallback<int>(static (_, value, tags, family) => ((TFamily)family!).Record(value, tags));
        _listener.SetMeasurementEventCallback<long>(static (_, value, tags, family) => ((TFamily)family!).Record(value, tags));
        _listener.SetMeasurementEventCallback<float>(static (_, value, tags, family) => ((TFamily)family!).Record(value, tags));
        _listener.SetMeasurementEventCallback<double>(static (_, value, tags, family) => ((TFamily)family!).Record(value, tags));
        _listener.SetMeasurementEventCallback<decimal>(static (_, value, tags, family) => ((TFamily)family!).Record((double)value, tags));
        _listener.Start();
    }

    /// <summary>Reads the observable instruments, and then does something with all families, sorted by name.</summary>
    public void Observe(Action<TFamily[]> then)
    {
        // Two scrapes at once must not end each other's series. Not the families' lock: the runtime may publish an instrument, under a
        // lock of its own, while gauges are being read.
        lock (_observing)
        {
            TFamily[] families;
            lock (_families) families = [.. _families.Values];
            foreach (var family in families) family.BeginObservation();
            _listener.RecordObservableInstruments();
            foreach (var family in families) family.EndObservation();
            then(families);
        }
    }

    public void Dispose() => _listener.Dispose();

    private TFamily FamilyOf(Instrument instrument)
    {
        var name = MetricNames.Of(instrument);
        lock (_families)
        {
            // Two meters of one name (a meter made again) continue one family.
            if (_families.TryGetValue(name, out var family)) return family;
            family = _make(name, instrument);
            _families.Add(name, family);
            return family;
        }
    }
}
