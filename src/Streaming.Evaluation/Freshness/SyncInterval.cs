namespace Streaming.Evaluation.Freshness;

/// <summary>How often a serving copy of a model is brought up to date, in event time.</summary>
/// <param name="Name">As people say it.</param>
/// <param name="Ms">0 for every example, <see cref="Never"/> for not at all after the warm-up.</param>
public sealed record SyncInterval(string Name, long Ms)
{
    public const long Never = long.MaxValue;

    /// <summary>
    /// From never to every example: Table 2 of Liu et al. 2022 ("Monolith: Real Time Recommendation System With Collisionless Embedding
    /// Table") compares 5 h, 1 h and 30 min.
    /// </summary>
    public static IReadOnlyList<SyncInterval> All { get; } =
    [
        new("never", Never), new("5 h", 5 * 3_600_000), new("1 h", 3_600_000), new("30 min", 30 * 60_000), new("1 min", 60_000), new("1 s", 1000),
        new("every example", 0),
    ];
}

/// <summary>
/// When copies are to be synchronised: all of them once at the end of the warm-up, then each at whole multiples of its interval from there.
/// </summary>
internal sealed class SyncSchedule
{
    private readonly IReadOnlyList<SyncInterval> _intervals;
    private readonly long _fromMs;
    private readonly long[] _lastMs;
    private readonly List<(long TimeMs, int Interval)> _due = [];
    private long _nextMs;

    public SyncSchedule(IReadOnlyList<SyncInterval> intervals, long fromMs)
    {
        (_intervals, _fromMs, _nextMs) = (intervals, fromMs, fromMs);
        _lastMs = new long[intervals.Count];
        Array.Fill(_lastMs, long.MinValue);
    }

    /// <summary>
    /// Interval by interval the last boundary up to now that has not been given yet, in order of time; those that serve from the learner
    /// itself have none. Valid until the next call.
    /// </summary>
    public IReadOnlyList<(long TimeMs, int Interval)> Due(long nowMs)
    {
        _due.Clear();
        if (nowMs < _nextMs) return _due;
        _nextMs = long.MaxValue;
        for (var i = 0; i < _intervals.Count; i++)
        {
            var ms = _intervals[i].Ms;
            if (ms == 0) continue;
            var boundary = ms == SyncInterval.Never ? _fromMs : _fromMs + (nowMs - _fromMs) / ms * ms;
            if (boundary > _lastMs[i])
            {
                _due.Add((boundary, i));
                _lastMs[i] = boundary;
            }
            if (ms != SyncInterval.Never) _nextMs = Math.Min(_nextMs, boundary + ms);
        }
        _due.Sort();
        return _due;
    }
}
