using Streaming.Evaluation.Ctr;
using Streaming.Evaluation.DataSets;
using Streaming.Evaluation.Metrics;
using Streaming.Models.Ranking;

namespace Streaming.Evaluation.Protocols;

/// <summary>
/// Rankers of several tasks against one network of the same widths for each task, on Taobao's funnel (<see cref="TaobaoFunnelRows"/>), divided by time as
/// <see cref="CtrChronological"/> does. Each task is judged over all rows, as ESMM's paper judges what it calls the entire space, and the later ones also among the viewed
/// items, where a click says nothing any more. The validation twin never looks at the test.
/// </summary>
public sealed class MultiTaskChronological(bool validation) : IProtocol
{
    /// <summary>A shared bottom with one task, once for each task.</summary>
    public const string SingleTask = "single_task";

    private readonly Lock _lock = new();
    private (string Path, CtrRows Rows)? _read;

    public MultiTaskChronological() : this(false)
    {
    }

    public string Name => validation ? "multi-task-chronological-validation" : "multi-task-chronological";

    public string Description => validation
        ? "Validation for tuning: the last 20 % of the requests by time are taken away, and the last 20 % of what is left are the test."
        : "Views, and two items each that others viewed at that time as negatives; labels click, cart and buy (within 24 hours of the view, and before the split for what is "
          + "learned). The last 20 % by time are the test; options and passes by the normalised entropies, summed, of the last 10 % before, learned too in the end. GAUC is over users with both labels.";

    public IReadOnlyList<string> Models { get; } = [SingleTask, .. Rankers.All.Where(r => r.IsMultiTask).Select(r => r.Name)];

    public string? KeepsNoState(string model) => "it is trained with one set of options after the other, minutes each";

    public IReadOnlyList<Figure> Run(EvaluationCase what, CancellationToken cancel)
    {
        what.Check(this);
        return Run(Read(what.DataPath, cancel), CtrSettings.Of("taobao-behavior"), what, cancel);
    }

    /// <summary>As <see cref="Run(EvaluationCase, CancellationToken)"/>, on rows and with options that are given.</summary>
    internal IReadOnlyList<Figure> Run(CtrRows rows, IReadOnlyList<CtrOptions> options, EvaluationCase what, CancellationToken cancel)
    {
        var split = CtrSplit.Of(rows.Rows, validation);
        var scores = what.Model == SingleTask ? OneByOne(rows, split, options, what, cancel) : Together(rows, split, options, what, cancel);
        var figures = new List<Figure>();
        for (var task = 0; task < rows.Tasks.Count; task++)
        {
            bool[] labels = [.. split.Test.Select(r => r.Label(task, split.EndMs))];
            figures.AddRange(CtrFigures.Of(split.Test, labels, scores[task], $"@{rows.Tasks[task]}", what.Seed));
        }
        int[] viewed = [.. Enumerable.Range(0, split.Test.Count).Where(i => split.Test[i].Label(0, split.EndMs))];
        for (var task = 1; task < rows.Tasks.Count; task++)
            figures.Add(new Figure(
                $"after-{rows.Tasks[0]}-auc@{rows.Tasks[task]}",
                BinaryMetrics.Auc([.. viewed.Select(i => scores[task][i] / Math.Max(1e-9, scores[0][i]))], [.. viewed.Select(i => split.Test[i].Label(task, split.EndMs))])));
        return figures;
    }

    private static double[][] Together(CtrRows rows, CtrSplit split, IReadOnlyList<CtrOptions> options, EvaluationCase what, CancellationToken cancel)
    {
        var training = new CtrTraining(Rankers.Find(what.Model), rows.Shape, split, options, what.Seed, what.Training?.Device);
        training.Fit(what.Progress, what.Note, what.Training?.TimeMax, cancel);
        return training.Predict(split.Test);
    }

    private static double[][] OneByOne(CtrRows rows, CtrSplit split, IReadOnlyList<CtrOptions> options, EvaluationCase what, CancellationToken cancel)
    {
        var scores = new double[rows.Tasks.Count][];
        for (var task = 0; task < scores.Length; task++)
        {
            var (at, own) = (task, rows with { Tasks = [rows.Tasks[task]] });
            IReadOnlyList<CtrRow> Only(IReadOnlyList<CtrRow> part) => [.. part.Select(r => r with { LabelMs = [r.LabelMs[at]] })];
            var parts = split with { Fit = Only(split.Fit), Validation = Only(split.Validation), Test = Only(split.Test) };
            var training = new CtrTraining(Rankers.Find("shared_bottom"), own.Shape, parts, options, what.Seed, what.Training?.Device);
            training.Fit(share => what.Progress?.Invoke((at + share) / scores.Length), what.Note, what.Training?.TimeMax, cancel);
            scores[task] = training.Predict(parts.Test)[0];
        }
        return scores;
    }

    private CtrRows Read(string path, CancellationToken cancel)
    {
        lock (_lock)
        {
            if (_read is not { } read || read.Path != path)
                _read = read = (path, DataSets.DataSets.Open(path) is TaobaoBehavior set
                    ? TaobaoFunnelRows.Of(set, cancel) : throw new DataSetException(path, 0, $"is not Taobao's UserBehavior, the set that {Name} is for"));
            return read.Rows;
        }
    }
}
