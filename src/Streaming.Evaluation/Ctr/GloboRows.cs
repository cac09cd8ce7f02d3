using Streaming.Core.Events;
using Streaming.Core.Ids;
using Streaming.Evaluation.DataSets;

namespace Streaming.Evaluation.Ctr;

/// <summary>
/// Rows from news clicks without impressions: a click that is not its session's first is a row of label 1, and four articles stand beside it with label 0, drawn
/// by the clicks of the hour before it, the session's own left out. An article that nobody clicked within that hour cannot be drawn, and so is not asked for either: else
/// being unknown would tell the label. So popularity alone tells little: what the session read must, and whether an article rises or falls. The last
/// <see cref="HoursMax"/> files have rows: articles live for hours, and a ranker that learned yesterday's knows none of today's. What is popular and how old articles are is
/// counted over the last 55 hourly files, those that hour-by-hour reads. No hour of the day: of one day, the test has hours that training lacks.
/// </summary>
internal static class GloboRows
{
    private const int FilesMax = 55, NegativeCount = 4, SequenceMax = 10, TriesMax = 50, TrendMost = 6;
    private const long HourMs = 3_600_000, RecentMs = HourMs / 6;

    /// <summary>Hourly files whose clicks have rows.</summary>
    private const int HoursMax = 12;

    private static readonly string[] ContextNames = ["environment", "device_group", "os", "country", "region", "referrer_type"];

    /// <summary>What a session has read.</summary>
    private sealed class Session
    {
        public List<ulong> Items { get; } = [];

        public List<ulong[][]> Steps { get; } = [];

        /// <summary>Context of its last click: that of the next one is not known before it is made.</summary>
        public UserEvent? Last { get; set; }
    }

    /// <summary>What is known of all articles at a moment.</summary>
    private sealed class Articles
    {
        private readonly Dictionary<ulong, long> _born = [];
        private readonly ClickWindow _recent = new(RecentMs);

        public ClickWindow Hour { get; } = new(HourMs);

        public void MoveTo(long nowMs)
        {
            Hour.MoveTo(nowMs);
            _recent.MoveTo(nowMs);
        }

        public void Add(ulong item, long timeMs)
        {
            _born.TryAdd(item, timeMs);
            Hour.Add(item, timeMs);
            _recent.Add(item, timeMs);
        }

        /// <summary>Two buckets for each doubling of the hours since the first click.</summary>
        public ulong AgeKey(ulong item, long nowMs) =>
            CtrKeys.Of(1, _born.TryGetValue(item, out var since) ? 1 + (ulong)(2 * Math.Log2(1 + (double)(nowMs - since) / HourMs)) : 0);

        public ulong PopularityKey(ulong item) => CtrKeys.Of(2, (ulong)Math.Log2(1 + Hour.ClicksOf(item)));

        /// <summary>Two buckets for each doubling of the pace of the last ten minutes beside that of the hour.</summary>
        public ulong TrendKey(ulong item)
        {
            var pace = 2 * Math.Log2((1 + _recent.ClicksOf(item) * (double)HourMs / RecentMs) / (1 + Hour.ClicksOf(item)));
            return CtrKeys.Of(3, (ulong)(TrendMost + Math.Clamp((int)Math.Round(pace), -TrendMost, TrendMost)));
        }
    }

    /// <param name="globo">The set.</param>
    /// <param name="cancel">Stops it.</param>
    public static CtrRows Of(Globo globo, CancellationToken cancel)
    {
        var draws = new Draws(1);
        var (articles, sessions, rows) = (new Articles(), new Dictionary<string, Session>(), new List<CtrRow>());
        var (clicks, from) = Clicks(globo, cancel);
        foreach (var e in clicks)
        {
            var item = StableHash.Of(e.Item!);
            articles.MoveTo(e.TimeMs);
            if (!sessions.TryGetValue(e.SessionId!, out var session)) sessions[e.SessionId!] = session = new Session();
            if (e.TimeMs >= from && session.Last is not null && !session.Items.Contains(item) && articles.Hour.ClicksOf(item) > 0) AddRequest(rows, e, item, session, articles, ref draws);
            session.Items.Add(item);
            session.Steps.Add([[CtrKeys.Of(0, item)], [articles.AgeKey(item, e.TimeMs)]]);
            session.Last = e;
            articles.Add(item, e.TimeMs);
        }
        return new CtrRows(globo.Name, ["article", "age", "popularity", "trend", .. ContextNames], 2, SequenceMax, ["click"], rows);
    }

    private static void AddRequest(List<CtrRow> rows, UserEvent e, ulong item, Session session, Articles articles, ref Draws draws)
    {
        var (user, request, hour) = (StableHash.Of(e.User), rows.Count, articles.Hour);
        ulong[][][] steps = [.. session.Steps.TakeLast(SequenceMax)];
        var context = session.Last!.Context;
        ulong[][] shared = [.. ContextNames.Select((name, i) => (ulong[])[CtrKeys.Of(4 + i, context[i].Value)])];
        var shown = new List<ulong> { item };
        for (var tries = 0; shown.Count <= NegativeCount && tries < TriesMax; tries++)
            if (hour.At(draws.Below(hour.Count)) is var other && !shown.Contains(other) && !session.Items.Contains(other)) shown.Add(other);
        foreach (var one in shown)
            rows.Add(new CtrRow(
                user, request, e.TimeMs, [[CtrKeys.Of(0, one)], [articles.AgeKey(one, e.TimeMs)], [articles.PopularityKey(one)], [articles.TrendKey(one)], .. shared], steps,
                [one == item ? e.TimeMs : CtrRow.Never]));
    }

    /// <returns>Clicks in order of time, and the moment from which they have rows.</returns>
    private static (List<UserEvent> Clicks, long FromMs) Clicks(Globo globo, CancellationToken cancel)
    {
        var hours = new Queue<IEnumerable<UserEvent>>();
        foreach (var hour in globo.Hours())
        {
            cancel.ThrowIfCancellationRequested();
            if (hours.Count == FilesMax) hours.Dequeue();
            hours.Enqueue(hour);
        }
        // By files, as some sessions' last clicks come hours after the last file's.
        var from = hours.Skip(hours.Count - HoursMax).SelectMany(h => h.Take(1)).Select(e => e.TimeMs).DefaultIfEmpty(0).Min();
        return ([.. hours.SelectMany(h => h).OrderBy(e => e.TimeMs)], from);
    }

    /// <summary>The clicks of the last while, oldest first.</summary>
    private sealed class ClickWindow(long lengthMs)
    {
        private readonly List<(ulong Item, long TimeMs)> _clicks = [];
        private readonly Dictionary<ulong, int> _counts = [];
        private int _first;

        public int Count => _clicks.Count - _first;

        public ulong At(int index) => _clicks[_first + index].Item;

        public int ClicksOf(ulong item) => _counts.GetValueOrDefault(item);

        public void Add(ulong item, long timeMs)
        {
            _clicks.Add((item, timeMs));
            _counts[item] = ClicksOf(item) + 1;
        }

        public void MoveTo(long nowMs)
        {
            for (; _first < _clicks.Count && _clicks[_first].TimeMs < nowMs - lengthMs; _first++) _counts[_clicks[_first].Item]--;
        }
    }
}
