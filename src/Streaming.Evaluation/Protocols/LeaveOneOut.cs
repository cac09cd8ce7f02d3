using Streaming.Evaluation.DataSets;
using Streaming.Evaluation.Metrics;
using Streaming.Models.Offline;
using Streaming.Models.Training;

namespace Streaming.Evaluation.Protocols;

/// <summary>What a leave-one-out protocol holds out.</summary>
/// <param name="Train">What the model may learn from.</param>
/// <param name="Held">Per user the item held out; -1 for a user who is not judged.</param>
/// <param name="Candidates">
/// Per user the items that the held one is ranked among (it is one more); null where every item is ranked that is not in the user's training.
/// </param>
public sealed record LeaveOneOutSplit(Interactions Train, int[] Held, int[][]? Candidates);

/// <summary>
/// One item of each user is held out and ranked by the model's scores. With one relevant item HR@K is the chance that it stands
/// in the first K and NDCG@K is 1 / log2(rank + 1) there; equal scores count by their expectation (<see cref="RankingMetrics"/>).
/// The validation twin takes the test's items away first and holds out the last of what is left, so that tuning on it sees training only.
/// </summary>
public abstract class LeaveOneOut(string name, string description, bool validation) : IProtocol
{
    private static readonly int[] Usual = [5, 10, 20];

    public string Name => validation ? name + "-validation" : name;

    public string Description => validation
        ? "Validation for tuning: the items held out by " + name + " are taken away, and the last of each user's others is ranked in their place."
        : description;

    public IReadOnlyList<string> Models { get; } = [.. Recommenders.All.Select(entry => entry.Name)];

    public string? KeepsNoState(string model) => Recommenders.All.Any(m => m.Name == model && !m.KeepsState) ? "its training is minutes" : null;

    /// <summary>Cut-offs of its metrics, rising.</summary>
    protected virtual IReadOnlyList<int> CutOffs => Usual;

    /// <summary>True when the test's held-out items are to be taken away and others held out.</summary>
    protected bool Validation => validation;

    public IReadOnlyList<Figure> Run(EvaluationCase what, CancellationToken cancel) => Run(Recommenders.Create(what.Model), what, cancel);

    /// <summary>As <see cref="Run(EvaluationCase, CancellationToken)"/> with a model that is not registered.</summary>
    public IReadOnlyList<Figure> Run(IRecommender model, EvaluationCase what, CancellationToken cancel) =>
        Judge(model, Split(what.DataPath, what.Seed, cancel), what.Seed, what.Progress, what.Note, cancel, what.Training, CutOffs);

    /// <summary>Loads the set and says what is held out.</summary>
    /// <exception cref="DataSetException">The set cannot be read or lacks what the protocol needs.</exception>
    public abstract LeaveOneOutSplit Split(string path, long seed, CancellationToken cancel = default);

    /// <summary>Fits and ranks.</summary>
    public static IReadOnlyList<Figure> Judge(IRecommender model, LeaveOneOutSplit split, long seed, Action<double>? progress = null,
        Action<string>? note = null, CancellationToken cancel = default, TrainingRun? training = null, IReadOnlyList<int>? cutOffs = null)
    {
        cutOffs ??= Usual;
        progress = Fitting.Fit(model, split.Train, seed, progress, note, training);
        var scores = new float[split.Train.ItemCount];
        var perUser = new List<double>[2 * cutOffs.Count];
        for (var m = 0; m < perUser.Length; m++) perUser[m] = [];
        for (var user = 0; user < split.Held.Length; user++)
        {
            cancel.ThrowIfCancellationRequested();
            if (split.Held[user] < 0) continue;
            var history = split.Train.History(user);
            model.Score(user, history, scores);
            var candidates = split.Candidates is null ? Unseen(history, scores.Length) : split.Candidates[user];
            Rank(scores, split.Held[user], candidates, cutOffs, perUser);
            progress?.Invoke((user + 1.0) / split.Held.Length);
        }
        var figures = new List<Figure>();
        for (var m = 0; m < perUser.Length; m++)
            figures.Add(new Figure($"{(m < cutOffs.Count ? "hr" : "ndcg")}@{cutOffs[m % cutOffs.Count]}", Bootstrap.Mean(perUser[m].ToArray(), seed)));
        figures.Add(new Figure("users", perUser[0].Count));
        return figures;
    }

    /// <summary>The last row of each user with at least two, or of what stands before the given rows.</summary>
    protected static int[] LastRows(Interactions all, int[]? takenAway = null)
    {
        var held = new int[all.UserCount];
        for (var user = 0; user < held.Length; user++)
        {
            var rows = all.HistoryRows(user);
            var taken = takenAway is null ? -1 : takenAway[user];
            var at = rows.Length - 1;
            if (at >= 0 && rows[at] == taken) at--;
            var left = rows.Length - (taken < 0 ? 0 : 1);
            held[user] = left >= 2 ? rows[at] : -1;
        }
        return held;
    }

    /// <summary>Training is what is left of all rows without those held out.</summary>
    protected static LeaveOneOutSplit Without(Interactions all, int[] heldRows, int[]? takenAway, int[][]? candidates)
    {
        var gone = new HashSet<int>(heldRows.Concat(takenAway ?? []));
        return new LeaveOneOutSplit(InteractionLoader.Where(all, row => !gone.Contains(row)),
            Array.ConvertAll(heldRows, row => row < 0 ? -1 : all.Items[row]), candidates);
    }

    /// <summary>Per user so many different items that the user has no interaction with, drawn uniformly by the seed.</summary>
    protected static int[][] DrawNegatives(Interactions all, int[]? takenAway, int count, long seed)
    {
        var draws = new Draws((ulong)seed);
        var negatives = new int[all.UserCount][];
        for (var user = 0; user < negatives.Length; user++)
        {
            var seen = new HashSet<int>();
            foreach (var row in all.HistoryRows(user))
                if (takenAway is null || row != takenAway[user]) seen.Add(all.Items[row]);
            var drawn = new int[Math.Min(count, all.ItemCount - seen.Count)];
            for (var i = 0; i < drawn.Length;)
            {
                var item = draws.Below(all.ItemCount);
                if (seen.Add(item)) drawn[i++] = item;
            }
            negatives[user] = drawn;
        }
        return negatives;
    }

    private static int[] Unseen(ReadOnlySpan<int> history, int itemCount)
    {
        var seen = new bool[itemCount];
        foreach (var item in history) seen[item] = true;
        return [.. Enumerable.Range(0, itemCount).Where(item => !seen[item])];
    }

    private static void Rank(float[] scores, int held, int[] candidates, IReadOnlyList<int> cutOffs, List<double>[] perUser)
    {
        // Only what scores at least as high as the held item moves its metrics; the rest need not be sorted.
        var (values, grades) = (new List<double> { scores[held] }, new List<double> { 1 });
        foreach (var item in candidates)
        {
            if (item == held || scores[item] < scores[held]) continue;
            values.Add(scores[item]);
            grades.Add(0);
        }
        for (var c = 0; c < cutOffs.Count; c++)
        {
            var ranked = RankingMetrics.Evaluate(values.ToArray(), grades.ToArray(), cutOffs[c]);
            perUser[c].Add(ranked.HitRate);
            perUser[cutOffs.Count + c].Add(ranked.Ndcg);
        }
    }
}
