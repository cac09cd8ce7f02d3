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
    /// All events in their order; all lists in the order of their impressions; and those to judge: of the lists with a click, in
    /// that order, the part between two shares of their number.
    /// </summary>
    public static (List<UserEvent> Events, List<ShownList> Lists, HashSet<ShownList> Tested) Read(
        IDataSet set, EvaluationCase what, string protocol, double from, double to)
    {
        var events = set.Events(what.Seed).ToList();
        var lists = Join(events);
        var clicked = lists.Where(l => l.Grades.Any(g => g > 0)).ToList();
        if (clicked.Count < ClickedMin)
            throw new DataSetException(what.DataPath, 0, $"has {clicked.Count} shown lists with a click; {protocol} needs {ClickedMin}");
        var tested = clicked[(int)(clicked.Count * from)..(int)(clicked.Count * to)];
        return (events, lists, tested.ToHashSet<ShownList>(ReferenceEqualityComparer.Instance));
    }

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
