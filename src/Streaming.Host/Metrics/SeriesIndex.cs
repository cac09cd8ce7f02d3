using System.Globalization;

namespace Streaming.Host.Metrics;

/// <summary>A label of a series, escaped by nobody yet.</summary>
internal readonly record struct MetricLabel(string Name, string Value);

/// <summary>
/// Finds the series of an instrument's tags: the same labels in another order are the same series. Finding one that exists allocates nothing.
/// Not thread-safe.
/// </summary>
/// <param name="make">Makes the series of labels that are seen for the first time, sorted by name.</param>
internal sealed class SeriesIndex<T>(Func<MetricLabel[], T> make)
    where T : class
{
    /// <summary>Series at most; measurements of further label combinations are dropped.</summary>
    private const int SeriesMax = 4096;

    private readonly Dictionary<int, Entry> _byHash = [];
    private readonly SortedDictionary<string, T> _byLabels = new(StringComparer.Ordinal);

    /// <summary>By their labels.</summary>
    public IEnumerable<T> All => _byLabels.Values;

    /// <summary>The series of these tags, made on first sight; null beyond the bound.</summary>
    public T? Find(ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var hash = new HashCode();
        foreach (var (key, value) in tags)
        {
            hash.Add(key);
            hash.Add(value);
        }
        var code = hash.ToHashCode();
        _byHash.TryGetValue(code, out var first);
        for (var entry = first; entry is not null; entry = entry.Next)
            if (entry.Matches(tags)) return entry.Series;
        return Add(code, first, tags);
    }

    private T? Add(int code, Entry? first, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var labels = new MetricLabel[tags.Length];
        for (var i = 0; i < tags.Length; i++) labels[i] = new MetricLabel(MetricNames.Of(tags[i].Key), Convert.ToString(tags[i].Value, CultureInfo.InvariantCulture) ?? "");
        Array.Sort(labels, static (a, b) => string.CompareOrdinal(a.Name, b.Name));
        var key = string.Join('\0', labels);
        if (!_byLabels.TryGetValue(key, out var series))
        {
            if (_byLabels.Count >= SeriesMax) return null;
            _byLabels.Add(key, series = make(labels));
        }
        _byHash[code] = new Entry(tags.ToArray(), series, first);
        return series;
    }

    /// <summary>One order of the labels of a series, in a chain of equal hashes.</summary>
    private sealed class Entry(KeyValuePair<string, object?>[] seen, T series, Entry? next)
    {
        public T Series => series;
        public Entry? Next => next;

        public bool Matches(ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            if (tags.Length != seen.Length) return false;
            for (var i = 0; i < tags.Length; i++)
                if (tags[i].Key != seen[i].Key || !Equals(tags[i].Value, seen[i].Value)) return false;
            return true;
        }
    }
}
