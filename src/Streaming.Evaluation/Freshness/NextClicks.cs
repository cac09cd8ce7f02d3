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

    private readonly record struct Click(long TimeMs, ulong User, ulong Item, ulong Session);

    private sealed class Session
    {
        public ulong Id;
        public long LastMs;
        public readonly List<ulong> Items = [];
    }

    public NextClicks(
        IDataSet set, bool transitions, StreamingSettings settings, IReadOnlyList<SyncInterval> intervals, double warmUp, Action<double>? progress,
        CancellationToken cancel)
    {
        _intervals = intervals.Count;
        var clicks = Clicks(set, settings, cancel);
        if (clicks.Count == 0) throw new DataSetException(set.Files[0], 0, "has no clicks");
        var scoreFromMs = clicks[(int)(warmUp * clicks.Count)].TimeMs;
        var learner = New();
        var copies = intervals.Select(i => i.Ms == 0 ? learner : New()).ToArray();
        var touched = intervals.Select(_ => new HashSet<ulong>()).ToArray();
        var syncs = new long[_intervals];
        var schedule = new SyncSchedule(intervals, scoreFromMs);
        var sessions = new Dictionary<ulong, Session>();
        for (var n = 0; n < clicks.Count; n++)
        {
            if (n % 10_000 == 0)
            {
                cancel.ThrowIfCancellationRequested();
                progress?.Invoke(n / (double)clicks.Count);
            }
            var click = clicks[n];
            foreach (var (_, i) in schedule.Due(click.TimeMs))
            {
                copies[i].Take(learner, touched[i]);
                touched[i].Clear();
                syncs[i]++;
            }
            if (!sessions.TryGetValue(click.User, out var session)) sessions[click.User] = session = new Session();
            if (session.Id != click.Session || (click.Session == 0 && click.TimeMs - session.LastMs > settings.Users.SessionGapMs)) session.Items.Clear();
            var last = session.Items.Count > 0 ? session.Items[^1] : 0;
            if (click.TimeMs >= scoreFromMs && last != 0) Score(copies, click, last, session.Items);
            learner.Learn(click.Item, last, click.TimeMs);
            if (last != 0)
                for (var i = 0; i < _intervals; i++)
                    if (copies[i] != learner && (syncs[i] == 0 || intervals[i].Ms != SyncInterval.Never)) touched[i].Add(last);
            (session.Id, session.LastMs) = (click.Session, click.TimeMs);
            session.Items.Add(click.Item);
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

    /// <summary>
    /// The set's clicks (and other positive actions) by their time: a set may hold a session's late clicks long before the clicks of others at
    /// that time, but a live stream brings them when they happen.
    /// </summary>
    private static List<Click> Clicks(IDataSet set, StreamingSettings settings, CancellationToken cancel)
    {
        var clicks = new List<Click>();
        foreach (var e in set.Events(settings.Node.Seed))
        {
            if (clicks.Count % 10_000 == 0) cancel.ThrowIfCancellationRequested();
            if (IsPositive(e, settings.Users))
                clicks.Add(new Click(e.TimeMs, StableHash.Of(e.User), StableHash.Of(e.Item!), e.SessionId is null ? 0 : StableHash.Of(e.SessionId)));
        }
        return [.. clicks.OrderBy(c => c.TimeMs)];
    }

    private void Score(NextItemModel[] copies, in Click click, ulong last, List<ulong> seen)
    {
        // A click on what the session has had already is asked of nobody: no list would hold it.
        if (seen.Contains(click.Item)) return;
        if (!_users.TryGetValue(click.User, out var number))
        {
            _users[click.User] = number = _sums.Count;
            _sums.Add(new double[1 + 2 * _intervals]);
        }
        var sums = _sums[number];
        sums[0]++;
        Scored++;
        for (var i = 0; i < copies.Length; i++)
        {
            var rank = copies[i].RankOf(click.Item, last, seen, click.TimeMs);
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
