namespace Streaming.Host.Live;

/// <summary>Remembers everybody's popular list of the last minute, and tells who has moved on it. Not thread-safe.</summary>
/// <param name="kept">Places that are compared.</param>
internal sealed class ItemMovers(int kept)
{
    /// <summary>How far back the comparison goes, ms.</summary>
    private const long SpanMs = 60_000;

    /// <summary>Lists that are kept of a minute.</summary>
    private const long StepMs = 5_000;

    private readonly Queue<(long AtMs, Dictionary<string, int> Ranks)> _past = new();
    private long? _lastMs;

    /// <summary>The list as it is, with each item's place of a minute ago, or of the first look where that is later.</summary>
    /// <param name="popular">Best first.</param>
    /// <param name="nowMs">Unix ms.</param>
    public IReadOnlyList<PopularRow> Look(IReadOnlyList<(string Item, double Score)> popular, long nowMs)
    {
        if (popular.Count > 0 && !(nowMs - _lastMs < StepMs))
        {
            _past.Enqueue((nowMs, popular.Take(kept).Select((row, i) => (row.Item, Rank: i + 1)).DistinctBy(row => row.Item).ToDictionary(row => row.Item, row => row.Rank)));
            _lastMs = nowMs;
        }
        while (_past.Count > 1 && _past.Peek().AtMs < nowMs - SpanMs) _past.Dequeue();
        var before = _past.Count > 0 ? _past.Peek().Ranks : null;
        return [.. popular.Take(kept).Select((row, i) => new PopularRow(row.Item, row.Score, i + 1, before is not null && before.TryGetValue(row.Item, out var was) ? was : null))];
    }

    /// <summary>Those that have gained most; who was not on the list counts from its end.</summary>
    public static IReadOnlyList<PopularRow> Top(IReadOnlyList<PopularRow> rows, int count) =>
        [.. rows.Where(row => row.Was is null || row.Was > row.Rank).OrderByDescending(row => (row.Was ?? rows.Count + 1) - row.Rank).Take(count)];
}
