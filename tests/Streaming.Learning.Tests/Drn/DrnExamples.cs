using Streaming.Core.Examples;
using Streaming.Core.Feeds;
using Streaming.Core.Ids;
using Streaming.Core.Log;
using Streaming.Core.Settings;
using Streaming.Learning.Drn;
using Streaming.Models.Deep;

namespace Streaming.Learning.Tests.Drn;

/// <summary>Examples of the drn arm as the node writes them.</summary>
internal static class DrnExamples
{
    public const long StartMs = 1_767_225_600_000;
    public const int WindowMs = 1000;

    public static DrnSettings Small { get; } = new()
    {
        Hidden1 = 6, Hidden2 = 4, ReplayListsMax = 20, BatchLists = 4, MajorEveryLists = 1, NextActionsMax = 3, WaitingListsMax = 30, OpenListsMax = 40,
        SlotsMax = 8, ListCloseSlackMs = 200, WarmUpUpdates = 3, TargetSyncEvery = 5,
    };

    public static DrnModel New(DrnSettings? settings = null, long seed = 7) => new(settings ?? Small, seed, WindowMs);

    /// <summary>One shown slot with its label; a click is known half a second after the showing, no click at the end of the window.</summary>
    public static Example Slot(
        string user, long version, int position, Team team, bool clicked, long shownMs, string models = "ftrl:1 mf:1 drn:5 drn:5", int partition = 0) => new()
    {
        Source = new LogPosition(partition, shownMs + (clicked ? 500 : WindowMs) - StartMs), Ordinal = position, User = user, ItemKey = (ulong)(100 + position), ShownMs = shownMs,
        LabelMs = shownMs + (clicked ? 500 : WindowMs), Label = clicked ? 1 : 0, Position = position, Arm = DrnModel.ModelName, ListVersion = version,
        ModelVersion = models, Team = team, Features = [], Values = [], Dense = Dense(user, version, position),
    };

    /// <summary>A list of <paramref name="teams"/>, clicked where it says, in the order in which its labels become known.</summary>
    public static IEnumerable<Example> List(string user, long version, Team[] teams, bool[] clicked, long shownMs, string models = "ftrl:1 mf:1 drn:5 drn:5", int partition = 0) =>
        teams.Select((team, k) => Slot(user, version, k, team, clicked[k], shownMs, models, partition)).OrderBy(e => e.LabelMs);

    public static float Learn(DrnModel model, params IEnumerable<Example> examples)
    {
        var batch = new ExampleBatch(0);
        foreach (var example in examples) batch.Add(example);
        return model.Learn(batch);
    }

    public static byte[] Saved(IDeepModel model)
    {
        var into = new MemoryStream();
        model.Save(into);
        return into.ToArray();
    }

    private static float[] Dense(string user, long version, int position)
    {
        var dense = new float[DrnFeatures.StateLength + DrnFeatures.ActionLength];
        var seed = StableHash.Combine(StableHash.Of(user), (ulong)version);
        for (var i = 0; i < dense.Length; i++)
            dense[i] = (float)StableHash.Unit(StableHash.Combine(i < DrnFeatures.StateLength ? seed : StableHash.Combine(seed, (ulong)position), (ulong)i)) - 0.5f;
        return dense;
    }
}
