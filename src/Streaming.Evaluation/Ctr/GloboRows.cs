using Streaming.Core.Events;
using Streaming.Core.Ids;
using Streaming.Evaluation.DataSets;

namespace Streaming.Evaluation.Ctr;

/// <summary>
/// Rows from news clicks without impressions: every click that is not its session's first is a row of label 1, and four articles stand beside it with label 0, drawn
/// by the clicks of the hour before it, the session's own left out. So popularity alone tells little: what the session read must. The last 55 hourly files are read, as
/// hour-by-hour does, and every fourth session counts, by its hash; what is popular is counted over all.
/// </summary>
internal static class GloboRows
{
    private const int FilesMax = 55, SessionsShare = 4, NegativeCount = 4, SequenceMax = 10, TriesMax = 50;
    private const long HourMs = 3_600_000;

    private static readonly string[] ContextNames = ["environment", "device_group", "os", "country", "region", "referrer_type"];

    /// <summary>What a session has read.</summary>
    private sealed class Session
    {
        public List<ulong> Items { get; } = [];

        public List<ulong[][]> Steps { get; } = [];

        /// <summary>Context of its last click: that of the next one is not known before it is made.</summary>
        public UserEvent? Last { get; set; }
    }

    /// <param name="globo">The set.</param>
    /// <param name="cancel">Stops it.</param>
    public static CtrRows Of(Globo globo, CancellationToken cancel)
    {
        var draws = new Draws(1);
        var (hour, sessions, born) = (new HourOfClicks(), new Dictionary<string, Session>(), new Dictionary<ulong, long>());
        var rows = new List<CtrRow>();
        foreach (var e in Clicks(globo, cancel))
        {
            var item = StableHash.Of(e.Item!);
            hour.Forget(e.TimeMs - HourMs);
            if (StableHash.Of(e.SessionId!) % SessionsShare == 0)
            {
                if (!sessions.TryGetValue(e.SessionId!, out var session)) sessions[e.SessionId!] = session = new Session();
                if (session.Last is not null && !session.Items.Contains(item)) AddRequest(rows, e, item, session, hour, born, ref draws);
                session.Items.Add(item);
                session.Steps.Add([[CtrKeys.Of(0, item)], [AgeKey(born, item, e.TimeMs)]]);
                session.Last = e;
            }
            born.TryAdd(item, e.TimeMs);
            hour.Add(item, e.TimeMs);
        }
        return new CtrRows(globo.Name, ["article", "age", "popularity", "hour", .. ContextNames], 2, SequenceMax, ["click"], rows);
    }

    private static void AddRequest(
        List<CtrRow> rows, UserEvent e, ulong item, Session session, HourOfClicks hour, Dictionary<ulong, long> born, ref Draws draws)
    {
        var (user, request) = (StableHash.Of(e.User), rows.Count);
        ulong[][][] steps = [.. session.Steps.TakeLast(SequenceMax)];
        var context = session.Last!.Context;
        ulong[][] shared = [[CtrKeys.Of(3, (ulong)(e.TimeMs / HourMs % 24))], .. ContextNames.Select((name, i) => (ulong[])[CtrKeys.Of(4 + i, context[i].Value)])];
        var shown = new List<ulong> { item };
        for (var tries = 0; shown.Count <= NegativeCount && tries < TriesMax && hour.Count > 0; tries++)
            if (hour.At(draws.Below(hour.Count)) is var other && !shown.Contains(other) && !session.Items.Contains(other)) shown.Add(other);
        foreach (var one in shown)
        {
            var popularity = (ulong)Math.Log2(1 + hour.ClicksOf(one));
            rows.Add(new CtrRow(
                user, request, e.TimeMs, [[CtrKeys.Of(0, one)], [AgeKey(born, one, e.TimeMs)], [CtrKeys.Of(2, popularity)], .. shared], steps,
                [one == item ? e.TimeMs : CtrRow.Never]));
        }
    }

    /// <summary>Two buckets for each doubling of the hours since the first click.</summary>
    private static ulong AgeKey(Dictionary<ulong, long> born, ulong item, long nowMs) =>
        CtrKeys.Of(1, born.TryGetValue(item, out var since) ? 1 + (ulong)(2 * Math.Log2(1 + (double)(nowMs - since) / HourMs)) : 0);

    private static List<UserEvent> Clicks(Globo globo, CancellationToken cancel)
    {
        var hours = new Queue<IEnumerable<UserEvent>>();
        foreach (var hour in globo.Hours())
        {
            cancel.ThrowIfCancellationRequested();
            if (hours.Count == FilesMax) hours.Dequeue();
            hours.Enqueue(hour);
        }
        return [.. hours.SelectMany(h => h).OrderBy(e => e.TimeMs)];
    }

    /// <summary>The clicks of the last hour, oldest first.</summary>
    private sealed class HourOfClicks
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

        public void Forget(long beforeMs)
        {
            for (; _first < _clicks.Count && _clicks[_first].TimeMs < beforeMs; _first++) _counts[_clicks[_first].Item]--;
        }
    }
}
