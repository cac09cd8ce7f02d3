using Streaming.Core.Ids;
using Streaming.Models.Ranking;

namespace Streaming.Evaluation.Ctr;

/// <summary>An item that was shown, as a ranker sees it.</summary>
/// <param name="User">Hash; rows of one user are one group of GAUC.</param>
/// <param name="Request">Rows with the same number were shown together, and stay on one side of every split.</param>
/// <param name="TimeMs">Of the request, Unix ms.</param>
/// <param name="Fields">Keys of each field, the target's first; those of a field share a weight of 1.</param>
/// <param name="Steps">The user's history at that time, oldest first; each step has the target's fields.</param>
/// <param name="LabelMs">Of each task, when its label became 1, Unix ms; <see cref="Never"/> where it stayed 0.</param>
/// <param name="Position">Zero-based in the list; -1 unknown.</param>
internal sealed record CtrRow(ulong User, int Request, long TimeMs, ulong[][] Fields, ulong[][][] Steps, long[] LabelMs, int Position = -1)
{
    public const long Never = long.MaxValue;

    /// <summary>The task's label as it is known at a moment.</summary>
    public bool Label(int task, long knownMs) => LabelMs[task] <= knownMs;
}

/// <summary>Labelled rows of a data set, in order of their requests' times.</summary>
/// <param name="Name">Of the set.</param>
/// <param name="FieldNames">Of the rows' fields.</param>
/// <param name="TargetFields">The first of them, which steps of the history have too.</param>
/// <param name="SequenceMax">Steps of a row at most; 0 where the set has no histories.</param>
/// <param name="Tasks">Names of the labels.</param>
/// <param name="Rows">In order of time.</param>
internal sealed record CtrRows(string Name, IReadOnlyList<string> FieldNames, int TargetFields, int SequenceMax, IReadOnlyList<string> Tasks, IReadOnlyList<CtrRow> Rows)
{
    /// <summary>Positions with a bias of their own while a ranker learns; 0 where the set has none.</summary>
    public int PositionsMax { get; init; }

    /// <summary>Of the rows; the history is pooled into as many fields as a step has, for networks that read no sequence.</summary>
    public RankerShape Shape => new(FieldNames.Count + (SequenceMax > 0 ? TargetFields : 0))
    {
        TargetFields = TargetFields, PooledFields = SequenceMax > 0 ? TargetFields : 0, SequenceMax = SequenceMax, PositionsMax = PositionsMax, Tasks = Tasks.Count,
    };
}

/// <summary>Keys of fields' values.</summary>
internal static class CtrKeys
{
    private static readonly ulong Salt = StableHash.Of("ctr");

    /// <summary>Of a value.</summary>
    public static ulong Of(int field, string value) => Of(field, StableHash.Of(value));

    /// <inheritdoc cref="Of(int, string)"/>
    public static ulong Of(int field, ulong value) => StableHash.Combine(FieldSalt(field), value);

    /// <summary>Of all values of a field that training hardly has.</summary>
    public static ulong Rare(int field) => StableHash.Finalise(FieldSalt(field) + 1);

    /// <summary>Of a step's key where the history is pooled.</summary>
    public static ulong Pooled(int field, ulong key) => StableHash.Combine(FieldSalt(-1 - field), key);

    private static ulong FieldSalt(int field) => StableHash.Combine(Salt, (ulong)(uint)(field + 1_000));
}

/// <summary>The parts of the rows: learned from, stopped by, tested on. No moment lies on both sides of a split.</summary>
/// <param name="Fit">What is learned from.</param>
/// <param name="Validation">The last of the training, for early stopping.</param>
/// <param name="Test">What is predicted.</param>
/// <param name="ValidationFromMs">Labels of <paramref name="Fit"/> are those known before it.</param>
/// <param name="TestFromMs">Labels of <paramref name="Validation"/> are those known before it.</param>
/// <param name="EndMs">Labels of <paramref name="Test"/> are those known before it.</param>
internal sealed record CtrSplit(
    IReadOnlyList<CtrRow> Fit, IReadOnlyList<CtrRow> Validation, IReadOnlyList<CtrRow> Test, long ValidationFromMs, long TestFromMs, long EndMs)
{
    private const double TrainShare = 0.8, FitShare = 0.9;

    /// <param name="rows">In order of time.</param>
    /// <param name="validation">Whether the test is taken away first and what is left is split in its place: what settings are chosen on.</param>
    /// <exception cref="InvalidOperationException">A part is empty.</exception>
    public static CtrSplit Of(IReadOnlyList<CtrRow> rows, bool validation)
    {
        var (train, test, testFrom) = Divide(rows, TrainShare);
        var end = CtrRow.Never - 1;
        if (validation)
        {
            end = testFrom - 1;
            (train, test, testFrom) = Divide(train, TrainShare);
        }
        var (fit, stop, stopFrom) = Divide(train, FitShare);
        if (fit.Count == 0 || stop.Count == 0 || test.Count == 0) throw new InvalidOperationException("too few moments to split between");
        return new CtrSplit(fit, stop, test, stopFrom, testFrom, end);
    }

    /// <summary>By the share of the requests; those of the moment itself go to the later part.</summary>
    private static (IReadOnlyList<CtrRow> Before, IReadOnlyList<CtrRow> After, long Moment) Divide(IReadOnlyList<CtrRow> rows, double share)
    {
        if (rows.Count == 0) return (rows, rows, 0);
        var starts = Enumerable.Range(0, rows.Count).Where(i => i == 0 || rows[i].Request != rows[i - 1].Request).ToList();
        var moment = rows[starts[(int)(starts.Count * share)]].TimeMs;
        return ([.. rows.Where(r => r.TimeMs < moment)], [.. rows.Where(r => r.TimeMs >= moment)], moment);
    }
}
