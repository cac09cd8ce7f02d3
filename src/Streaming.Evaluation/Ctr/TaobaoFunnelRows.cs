using Streaming.Core.Events;
using Streaming.Core.Ids;
using Streaming.Evaluation.DataSets;

namespace Streaming.Evaluation.Ctr;

/// <summary>
/// Rows of Taobao's funnel, three labels each: viewed, put into the cart, bought. The set has no impressions: every view is a row of label 1, and items that other users
/// viewed within the half hour around it, and this user did not that day, stand beside it with all labels 0. Cart and purchase count from the view on, for 24 hours, of the same
/// item; a label has the time at which it became known, so that a training cannot know what happened after its end.
/// </summary>
internal static class TaobaoFunnelRows
{
    private const int NegativeCount = 2, TriesMax = 100, HistoryMax = 20;
    private const long HalfHourMs = 1_800_000, DayMs = 86_400_000;

    private static readonly string[] Names = ["item", "category", "user", "hour", "item-seen", "category-seen", "category-in-cart", "item-in-cart", "category-last-seen"];

    /// <summary>What a user has done before.</summary>
    private sealed class Past
    {
        public List<ulong[][]> Steps { get; } = [];

        public Dictionary<ulong, int> Seen { get; } = [];

        public HashSet<ulong> Cart { get; } = [];

        public Dictionary<ulong, long> LastMs { get; } = [];
    }

    private readonly record struct View(long TimeMs, string User, ulong Item, ulong Category);

    /// <param name="set">The set.</param>
    /// <param name="cancel">Stops it.</param>
    public static CtrRows Of(TaobaoBehavior set, CancellationToken cancel)
    {
        var categories = set.Items().ToDictionary(c => c.Id, c => CtrKeys.Of(1, c.Item!.Categories[0]));
        // A few rows have times far from the nine days.
        var all = set.Events(1).ToList();
        var (from, to) = (all[all.Count / 100].TimeMs - DayMs, all[^(all.Count / 100 + 1)].TimeMs + DayMs);
        var events = all.Where(e => e.TimeMs >= from && e.TimeMs <= to).ToList();
        var later = Times(events);
        View[] views = [.. events.Where(e => e.Kind == EventKind.Click).Select(e => new View(e.TimeMs, e.User, StableHash.Of(e.Item!), categories[e.Item!]))];
        var viewed = views.Select(v => (v.User, v.Item, v.TimeMs / DayMs)).ToHashSet();
        var (draws, rows, pasts, at) = (new Draws(1), new List<CtrRow>(), new Dictionary<string, Past>(), 0);
        foreach (var e in events)
        {
            cancel.ThrowIfCancellationRequested();
            if (!pasts.TryGetValue(e.User, out var past)) pasts[e.User] = past = new Past();
            if (e.Kind == EventKind.Click) AddRequest(rows, views, at++, past, viewed, later, ref draws);
            Learn(past, e, StableHash.Of(e.Item!), categories[e.Item!]);
        }
        return new CtrRows(set.Name, Names, 2, HistoryMax, ["click", "cart", "buy"], rows);
    }

    /// <summary>When each user put each item into the cart, and bought it.</summary>
    private static Dictionary<(string User, ulong Item, EventKind Kind), List<long>> Times(IEnumerable<UserEvent> events) => events
        .Where(e => e.Kind is EventKind.AddToCart or EventKind.Purchase).GroupBy(e => (e.User, StableHash.Of(e.Item!), e.Kind))
        .ToDictionary(g => g.Key, g => g.Select(e => e.TimeMs).ToList());

    private static void AddRequest(
        List<CtrRow> rows, View[] views, int at, Past past, HashSet<(string, ulong, long)> viewed, Dictionary<(string, ulong, EventKind), List<long>> later, ref Draws draws)
    {
        var view = views[at];
        var (user, request, day) = (StableHash.Of(view.User), rows.Count, view.TimeMs / DayMs);
        ulong[][][] steps = [.. past.Steps.TakeLast(HistoryMax)];
        long Known(EventKind kind) => later.TryGetValue((view.User, view.Item, kind), out var times)
            ? times.Where(t => t >= view.TimeMs && t <= view.TimeMs + DayMs).DefaultIfEmpty(CtrRow.Never).First() : CtrRow.Never;
        Add(view, [view.TimeMs, Known(EventKind.AddToCart), Known(EventKind.Purchase)]);
        var (first, last) = (Bound(views, view.TimeMs - HalfHourMs), Bound(views, view.TimeMs + HalfHourMs));
        var shown = new HashSet<ulong>();
        for (var tries = 0; shown.Count < NegativeCount && tries < TriesMax; tries++)
        {
            var other = views[first + draws.Below(last - first)];
            if (viewed.Contains((view.User, other.Item, day)) || !shown.Add(other.Item)) continue;
            Add(other, [CtrRow.Never, CtrRow.Never, CtrRow.Never]);
        }

        void Add(View item, long[] labels) => rows.Add(new CtrRow(user, request, view.TimeMs, FieldsOf(view, item, user, past), steps, labels));
    }

    private static ulong[][] FieldsOf(View view, View item, ulong user, Past past) =>
    [
        [CtrKeys.Of(0, item.Item)], [item.Category], [CtrKeys.Of(2, user)], [CtrKeys.Of(3, (ulong)(view.TimeMs / 3_600_000 % 24))],
        [CtrKeys.Of(4, (ulong)Math.Min(3, past.Seen.GetValueOrDefault(item.Item)))],
        [CtrKeys.Of(5, (ulong)Math.Log2(1 + past.Seen.GetValueOrDefault(item.Category)))],
        [CtrKeys.Of(6, past.Cart.Contains(item.Category) ? 1UL : 0)], [CtrKeys.Of(7, past.Cart.Contains(item.Item) ? 1UL : 0)],
        [CtrKeys.Of(8, past.LastMs.TryGetValue(item.Category, out var last) ? 1 + (ulong)Math.Log2(1 + (view.TimeMs - last) / 60_000.0) : 0)],
    ];

    private static void Learn(Past past, UserEvent e, ulong item, ulong category)
    {
        if (e.Kind == EventKind.Click)
        {
            past.Steps.Add([[CtrKeys.Of(0, item)], [category]]);
            past.Seen[item] = past.Seen.GetValueOrDefault(item) + 1;
            past.Seen[category] = past.Seen.GetValueOrDefault(category) + 1;
            past.LastMs[category] = e.TimeMs;
        }
        else if (e.Kind == EventKind.AddToCart)
        {
            past.Cart.Add(item);
            past.Cart.Add(category);
        }
    }

    /// <summary>The first view that is not before a moment.</summary>
    private static int Bound(View[] views, long timeMs)
    {
        var (low, high) = (0, views.Length);
        while (low < high)
            if (views[(low + high) / 2] is var middle && middle.TimeMs < timeMs) low = (low + high) / 2 + 1;
            else high = (low + high) / 2;
        return low;
    }
}
