using Streaming.Core.Events;
using Streaming.Core.Log;

namespace Streaming.Host.Live;

/// <summary>An id and how often it was met lately.</summary>
internal sealed record Hot(string Id, double Count);

/// <summary>
/// Follows the end of <c>events</c> while somebody watches, and counts who and what is busy. Counts halve every <see cref="HalfLifeSteps"/>
/// steps. Where more comes than a step takes, the rest is passed over: it is a sample then.
/// </summary>
internal sealed class ActivityTail(IEventLog log) : IDisposable
{
    private const int RecordsPerStep = 2_000;
    private const int KeysMax = 4_000;
    private const double HalfLifeSteps = 60;
    private static readonly double Kept = Math.Pow(.5, 1 / HalfLifeSteps);

    private readonly LogBatch _batch = new();
    private readonly Dictionary<string, double> _users = new(StringComparer.Ordinal);
    private readonly Dictionary<string, double> _items = new(StringComparer.Ordinal);
    private ILogReader?[] _readers = [];

    /// <summary>Reads what has come; the first time it only finds the end.</summary>
    /// <exception cref="EventLogException">The log does not answer.</exception>
    public async Task StepAsync(long nowMs, CancellationToken cancel)
    {
        if (_readers.Length == 0) _readers = new ILogReader?[log.PartitionCount(Topics.Events)];
        Fade(_users);
        Fade(_items);
        for (var p = 0; p < _readers.Length; p++)
        {
            var range = await log.RangeAsync(Topics.Events, p, cancel).ConfigureAwait(false);
            if (_readers[p] is not { } reader)
            {
                _readers[p] = log.OpenReader(Topics.Events, p, range.End);
                continue;
            }
            var read = 0;
            while (read < RecordsPerStep / _readers.Length && reader.Offset < range.End && reader.Read(_batch, RecordsPerStep / _readers.Length, range.End) > 0)
            {
                read += _batch.Count;
                for (var i = 0; i < _batch.Count; i++) Count(_batch.Value(i).Span, nowMs);
            }
            // A reader on Kafka may still be fetching what is there: only who reads all that a step takes is behind.
            if (read < RecordsPerStep / _readers.Length) continue;
            reader.Dispose();
            _readers[p] = log.OpenReader(Topics.Events, p, range.End);
        }
    }

    public IReadOnlyList<Hot> Users(int count) => Top(_users, count);

    public IReadOnlyList<Hot> Items(int count) => Top(_items, count);

    /// <summary>Nobody watches: the next step begins anew.</summary>
    public void Rest()
    {
        foreach (var reader in _readers) reader?.Dispose();
        _readers = [];
        _users.Clear();
        _items.Clear();
    }

    public void Dispose() => Rest();

    private void Count(ReadOnlySpan<byte> record, long nowMs)
    {
        if (!EventParser.TryParse(record, nowMs, out var e, out _) || e.Kind is EventKind.Served or EventKind.Tick) return;
        Add(_users, e.User);
        if (e.Item is { } item && e.Kind is not EventKind.Impression) Add(_items, item);
    }

    private static void Add(Dictionary<string, double> counts, string key)
    {
        if (counts.TryGetValue(key, out var count)) counts[key] = count + 1;
        else if (counts.Count < KeysMax) counts[key] = 1;
    }

    private static void Fade(Dictionary<string, double> counts)
    {
        foreach (var key in counts.Keys.ToList())
            if ((counts[key] *= Kept) < .1) counts.Remove(key);
    }

    private static IReadOnlyList<Hot> Top(Dictionary<string, double> counts, int count) =>
        [.. counts.OrderByDescending(pair => pair.Value).ThenBy(pair => pair.Key, StringComparer.Ordinal).Take(count).Select(pair => new Hot(pair.Key, Math.Round(pair.Value, 1)))];
}
