using System.Buffers;
using System.Collections.Concurrent;
using System.Diagnostics.Metrics;

namespace Streaming.Core.Metrics;

/// <summary>
/// Keeps a label's values bounded: the first <c>max</c> distinct ones stand for themselves, all later ones become
/// <see cref="StreamingMeters.OtherLabel"/>. Thread-safe; allocates only for a value seen for the first time.
/// </summary>
public sealed class BoundedLabel(int max)
{
    private static readonly SearchValues<char> Details = SearchValues.Create(":'\"0123456789");

    private readonly ConcurrentDictionary<string, string> _values = new(StringComparer.Ordinal);
    private readonly Lock _adding = new();

    /// <summary>The label for a value.</summary>
    public string Of(string value) => OfSpan(value);

    /// <summary>
    /// The label for a sentence: its beginning, up to the first colon, quotation mark or digit, so that the ids and numbers in
    /// it do not make a value each.
    /// </summary>
    public string OfSentence(string sentence)
    {
        var at = sentence.AsSpan().IndexOfAny(Details);
        return OfSpan((at < 0 ? sentence : sentence.AsSpan(0, at)).TrimEnd());
    }

    private string OfSpan(ReadOnlySpan<char> value)
    {
        var bySpan = _values.GetAlternateLookup<ReadOnlySpan<char>>();
        if (bySpan.TryGetValue(value, out var known)) return known;
        lock (_adding)
        {
            if (bySpan.TryGetValue(value, out known)) return known;
            if (_values.Count >= max) return StreamingMeters.OtherLabel;
            var text = value.ToString();
            _values[text] = text;
            return text;
        }
    }
}

/// <summary>
/// A gauge whose owner sets the value and whose exporter reads it when scraped; of no label, one or two. The number of series is bounded; thread-safe.
/// </summary>
public sealed class LabelledGauge
{
    private readonly ConcurrentDictionary<(string First, string Second), double> _values = [];
    private readonly string? _label, _second;
    private readonly int _max;

    internal LabelledGauge(Meter meter, string name, string? label, string description, int max = 4096, string? second = null)
    {
        (_label, _second, _max) = (label, second, max);
        meter.CreateObservableGauge(name, Observe, description: description);
    }

    /// <summary>Sets the value of a gauge without a label.</summary>
    public void Set(double value) => Set("", value);

    /// <summary>Sets one series. A new label value beyond the bound is dropped.</summary>
    public void Set(string label, double value) => Set(label, "", value);

    /// <summary>Sets one series of a gauge of two labels.</summary>
    /// <inheritdoc cref="Set(string, double)"/>
    public void Set(string label, string second, double value)
    {
        if (_values.Count < _max || _values.ContainsKey((label, second))) _values[(label, second)] = value;
    }

    /// <summary>Ends one series: a partition that moved away, a model that was retired.</summary>
    public void Remove(string label, string second = "") => _values.TryRemove((label, second), out _);

    private IEnumerable<Measurement<double>> Observe()
    {
        foreach (var ((label, second), value) in _values)
            yield return _label is null ? new Measurement<double>(value)
                : _second is null ? new Measurement<double>(value, Tag(_label, label))
                : new Measurement<double>(value, Tag(_label, label), Tag(_second, second));
    }

    private static KeyValuePair<string, object?> Tag(string name, string value) => new(name, value);
}
