using System.Diagnostics.Metrics;
using System.Text;

namespace Streaming.Host.Metrics;

/// <summary>Names by Prometheus' conventions (<c>promtool check metrics</c>).</summary>
internal static class MetricNames
{
    /// <summary>
    /// Of an instrument: <c>meter_instrument</c>. The runtime's and the server's are named as OpenTelemetry's exporter names them, so that dashboards for
    /// .NET fit: without the meter, with the unit, counters with <c>_total</c>. <c>_count</c> is what histograms end with, so nothing else does.
    /// </summary>
    public static string Of(Instrument instrument)
    {
        var meter = instrument.Meter.Name;
        if (!meter.StartsWith("System.", StringComparison.Ordinal) && !meter.StartsWith("Microsoft.", StringComparison.Ordinal)) return Of($"{meter}_{instrument.Name}");
        var name = Of(instrument.Name);
        var unit = instrument.Unit switch { "s" => "_seconds", "By" => "_bytes", _ => "" };
        if (!name.EndsWith(unit, StringComparison.Ordinal)) name += unit;
        if (InstrumentKinds.Of(instrument) is InstrumentKind.Counter or InstrumentKind.ObservedCounter) return name + "_total";
        return name.EndsWith("_count", StringComparison.Ordinal) ? name[..^"count".Length] + "number" : name;
    }

    /// <summary>Of a meter, instrument or tag: lower case, every character but letters, digits and "_" made "_".</summary>
    public static string Of(string name)
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
}

/// <summary>What measurements of an instrument are.</summary>
internal enum InstrumentKind
{
    /// <summary>Increments of what never falls.</summary>
    Counter,

    /// <summary>What never falls, as it stands.</summary>
    ObservedCounter,

    /// <summary>Changes of what may fall.</summary>
    Gauge,

    /// <summary>What may fall, as it stands.</summary>
    ObservedGauge,

    /// <summary>Single observations.</summary>
    Histogram,
}

internal static class InstrumentKinds
{
    public static InstrumentKind Of(Instrument instrument)
    {
        var type = instrument.GetType().GetGenericTypeDefinition();
        if (type == typeof(Counter<>)) return InstrumentKind.Counter;
        if (type == typeof(ObservableCounter<>)) return InstrumentKind.ObservedCounter;
        if (type == typeof(UpDownCounter<>)) return InstrumentKind.Gauge;
        return type == typeof(Histogram<>) ? InstrumentKind.Histogram : InstrumentKind.ObservedGauge;
    }
}
