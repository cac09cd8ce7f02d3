using Streaming.Core.Events;
using Streaming.Core.Ids;
using Streaming.Evaluation.DataSets;

namespace Streaming.Evaluation.Protocols.Online;

/// <summary>One list: the event that showed it, its items' keys, and 1 for each that was clicked.</summary>
internal sealed record ShownList(UserEvent Event, ulong[] Keys, double[] Grades);

/// <summary>Lists that were really shown, joined with the clicks on them by request id.</summary>
internal static class ShownLists
{
    private const int ClickedMin = 10;

    /// <summary>
    /// Walks the set's events in their order. Of the lists with a click, in the order of their impressions, the part between two shares of
    /// their number is judged: each just before its own impression is learned.
    /// </summary>
    /// <param name="set">Has lists with request ids.</param>
    /// <param name="what">The case: its seed and its progress.</param>
    /// <param name="protocol">Its name, for errors.</param>
    /// <param name="from">Share, in [0, 1], at which the judged part starts.</param>
    /// <param name="to">Share at which it ends.</param>
    /// <param name="judge">Told of each list of that part.</param>
    /// <param name="learn">Told of every event.</param>
    /// <param name="cancel">Ends the walk.</param>
    /// <exception cref="DataSetException">The set has too few lists with a click.</exception>
    public static void Walk(
        IDataSet set, EvaluationCase what, string protocol, double from, double to, Action<ShownList> judge, Action<UserEvent> learn,
        CancellationToken cancel)
    {
        var events = set.Events(what.Seed).ToList();
        var lists = Join(events);
        var clicked = lists.Where(l => l.Grades.Any(g => g > 0)).ToList();
        if (clicked.Count < ClickedMin)
            throw new DataSetException(what.DataPath, 0, $"has {clicked.Count} shown lists with a click; {protocol} needs {ClickedMin}");
        var tested = clicked[(int)(clicked.Count * from)..(int)(clicked.Count * to)].ToHashSet<ShownList>(ReferenceEqualityComparer.Instance);
        var next = 0;
        for (var i = 0; i < events.Count; i++)
        {
            if ((i & 1023) == 0)
            {
                cancel.ThrowIfCancellationRequested();
                what.Progress?.Invoke((double)i / events.Count);
            }
            if (events[i].Kind == EventKind.Impression && lists[next++] is var list && tested.Contains(list)) judge(list);
            learn(events[i]);
        }
    }

    /// <summary>All lists in the order of their impressions.</summary>
    private static List<ShownList> Join(List<UserEvent> events)
    {
        var lists = new List<ShownList>();
        var byRequest = new Dictionary<string, ShownList>();
        foreach (var e in events)
        {
            if (e.Kind == EventKind.Impression)
            {
                var list = new ShownList(e, [.. e.Items.Select(s => StableHash.Of(s.Item))], new double[e.Items.Count]);
                lists.Add(list);
                if (e.RequestId is not null) byRequest[e.RequestId] = list;
            }
            else if (e.Item is not null && e.RequestId is not null && byRequest.TryGetValue(e.RequestId, out var shown))
            {
                var at = Array.IndexOf(shown.Keys, StableHash.Of(e.Item));
                if (at >= 0) shown.Grades[at] = 1;
            }
        }
        return lists;
    }
}
