using Streaming.Core.Events;
using Streaming.Core.Ids;
using Streaming.Core.Settings;
using Streaming.Evaluation.DataSets;

namespace Streaming.Evaluation.Freshness;

/// <summary>
/// Next-click prediction on a stream of clicks: before each click that follows another in its session, every copy ranks all items it
/// knows (those of the session left out), and then the learner learns the click. A user's session is always fresh; what gets stale is the model.
/// </summary>
internal sealed class NextClicks : IFreshnessRun
{
    private const int Cut = 20;

    private readonly int _intervals;
    private readonly Dictionary<ulong, int> _users = [];

    /// <summary>By user: clicks scored, then by interval hits, then by interval reciprocal ranks.</summary>
    private readonly List<double[]> _sums = [];

    private sealed class Session
    {
        public string? Id;
        public long LastMs;
        public readonly List<ulong> Items = [];
    }

    public NextClicks(
        IDataSet set, bool transitions, StreamingSettings settings, IReadOnlyList<SyncInterval> intervals, double warmUp, Action<double>? progress,
        CancellationToken cancel)
    {
        _intervals = intervals.Count;
        var (firstMs, lastMs, events) = (long.MaxValue, long.MinValue, 0L);
        foreach (var e in set.Events(settings.Node.Seed)) (firstMs, lastMs, events) = (Math.Min(firstMs, e.TimeMs), Math.Max(lastMs, e.TimeMs), events + 1);
        if (events == 0) throw new DataSetException(set.Files[0], 0, "has no events");
        var scoreFromMs = firstMs + (long)(warmUp * (lastMs - firstMs));
        var learner = New();
        var copies = intervals.Select(i => i.Ms == 0 ? learner : New()).ToArray();
        var touched = intervals.Select(_ => new HashSet<ulong>()).ToArray();
        var syncs = new long[_intervals];
        var schedule = new SyncSchedule(intervals, scoreFromMs);
        var sessions = new Dictionary<string, Session>();
        var done = 0L;
        foreach (var e in set.Events(settings.Node.Seed))
        {
            if (++done % 10_000 == 0)
            {
                cancel.ThrowIfCancellationRequested();
                progress?.Invoke(done / (double)events);
            }
            foreach (var (_, i) in schedule.Due(e.TimeMs))
            {
                copies[i].Take(learner, touched[i]);
                touched[i].Clear();
                syncs[i]++;
            }
            if (!IsPositive(e, settings.Users)) continue;
            var item = StableHash.Of(e.Item!);
            if (!sessions.TryGetValue(e.User, out var session)) sessions[e.User] = session = new Session();
            if (session.Id != e.SessionId || (e.SessionId is null && e.TimeMs - session.LastMs > settings.Users.SessionGapMs)) session.Items.Clear();
            var last = session.Items.Count > 0 ? session.Items[^1] : 0;
            if (e.TimeMs >= scoreFromMs && last != 0 && last != item) Score(copies, e, item, last, session.Items);
            learner.Learn(item, last, e.TimeMs);
            if (last != 0)
                for (var i = 0; i < _intervals; i++)
                    if (copies[i] != learner && (syncs[i] == 0 || intervals[i].Ms != SyncInterval.Never)) touched[i].Add(last);
            (session.Id, session.LastMs) = (e.SessionId, e.TimeMs);
            session.Items.Add(item);
        }
        Syncs = syncs;

        NextItemModel New() => new(transitions, PopularityHalfLifeMs, TransitionHalfLifeMs);
    }

    /// <summary>What half an hour ago counts half: news.</summary>
    public const double PopularityHalfLifeMs = 30 * 60_000;

    public const double TransitionHalfLifeMs = 4 * 3_600_000;

    public IReadOnlyList<(string Name, bool LargerIsBetter)> Metrics => [($"hr@{Cut}", true), ($"mrr@{Cut}", true)];
    public IReadOnlyList<long> Syncs { get; }
    public long Scored { get; private set; }
    public int Users => _sums.Count;

    public double[] Figures(ReadOnlySpan<int> userCounts)
    {
        var sums = new double[1 + 2 * _intervals];
        for (var u = 0; u < userCounts.Length; u++)
        {
            if (userCounts[u] == 0) continue;
            var mine = _sums[u];
            for (var k = 0; k < sums.Length; k++) sums[k] += userCounts[u] * mine[k];
        }
        return [.. sums.Skip(1).Select(s => s / sums[0])];
    }

    private void Score(NextItemModel[] copies, UserEvent e, ulong item, ulong last, List<ulong> seen)
    {
        // A click on what the session has had already is asked of nobody: no list would hold it.
        if (seen.Contains(item)) return;
        var user = StableHash.Of(e.User);
        if (!_users.TryGetValue(user, out var number))
        {
            _users[user] = number = _sums.Count;
            _sums.Add(new double[1 + 2 * _intervals]);
        }
        var sums = _sums[number];
        sums[0]++;
        Scored++;
        for (var i = 0; i < copies.Length; i++)
        {
            var rank = copies[i].RankOf(item, last, seen, e.TimeMs);
            if (rank is 0 or > Cut) continue;
            sums[1 + i]++;
            sums[1 + _intervals + i] += 1.0 / rank;
        }
    }

    private static bool IsPositive(UserEvent e, UsersSettings users) => e.Item is not null && e.Kind switch
    {
        EventKind.Rating => e.Value >= users.RatingPositiveAt,
        EventKind.Impression or EventKind.Served or EventKind.Dislike or EventKind.Hide or EventKind.Dwell => false,
        _ => EventKinds.IsAction(e.Kind),
    };
}
