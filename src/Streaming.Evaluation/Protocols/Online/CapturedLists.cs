using Streaming.Core.Items;
using Streaming.Core.Settings;
using Streaming.Evaluation.DataSets;
using Streaming.Evaluation.Replay;
using Streaming.Learning.Features;
using Streaming.Users;

namespace Streaming.Evaluation.Protocols.Online;

/// <summary>A shown list with what the live path knew of its user and its items then, before the list's own impression.</summary>
/// <param name="Shown">The list and its clicks.</param>
/// <param name="History">The user's past positive items, newest first.</param>
/// <param name="InSession">How many of them belong to the session of then.</param>
/// <param name="Dense">Shape [items, D] row-major.</param>
internal sealed record CapturedList(ShownList Shown, ulong[] History, int InSession, float[] Dense);

/// <summary>The lists of a set with a click, captured by the live path in passing.</summary>
internal static class CapturedLists
{
    private const int HistoryMax = 20;

    /// <summary>In the order of their impressions; and the catalogue.</summary>
    public static (List<CapturedList> Lists, IItemCatalog Catalog) Of(IDataSet set, EvaluationCase what, string protocol, CancellationToken cancel)
    {
        var settings = GivenRankings.LearnerSettings;
        settings = settings with { Node = settings.Node with { Seed = what.Seed } };
        var path = new OfflinePath(settings, inOneLine: true);
        foreach (var change in set.Items()) path.Apply(change);
        var columns = DenseInputs.ColumnsOf(settings);
        var (lists, past) = (new List<CapturedList>(), new ulong[HistoryMax]);
        ShownLists.Walk(set, what with { Progress = share => what.Progress?.Invoke(share / 4) }, protocol, 0, 1, list =>
        {
            path.Tick(list.Event.TimeMs);
            var user = path.StateOf(list.Event.User);
            var count = PastItems.Newest(user, past, out var inSession);
            var dense = new float[list.Keys.Length * columns];
            path.Learners.UserModels.Dense.Fill(user, list.Keys, list.Event.Surface, list.Event.TimeMs, dense);
            lists.Add(new CapturedList(list, past[..count], inSession, dense));
        }, path.Step, cancel);
        return (lists, path.Learners.Catalog);
    }

    /// <summary>Past items of a list at most.</summary>
    public static int PastMax => HistoryMax;
}
