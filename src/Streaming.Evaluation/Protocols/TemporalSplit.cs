using Streaming.Evaluation.DataSets;
using Streaming.Evaluation.Metrics;
using Streaming.Models.Offline;

namespace Streaming.Evaluation.Protocols;

/// <summary>
/// One moment divides training from test for everybody (Meng et al. 2020, "Exploring Data Splitting Strategies for the Evaluation of
/// Recommendation Models"): no model knows what another user does later, as none does in production. Users without training
/// stay in: they are what time brings, and a model that goes by the history alone has nothing for them. So accuracy is also
/// given over those with training. Beside accuracy it gives what the lists are like: coverage, novelty, diversity within a
/// list and how evenly items are shown. The validation twin splits the training part once more and never looks at the test.
/// </summary>
public sealed class TemporalSplit(bool validation) : IProtocol
{
    private const double TrainShare = 0.8;
    private const int ListLength = 10;

    /// <summary>After the name of a metric that is averaged over the users with training alone.</summary>
    private const string KnownOnly = "-with-training";

    private static readonly int[] CutOffs = [10, 20];
    private static readonly string[] PerUser = ["hr", "recall", "precision", "f1", "map", "mrr", "ndcg"];

    public TemporalSplit() : this(false)
    {
    }

    public string Name => validation ? "temporal-split-validation" : "temporal-split";

    public string Description => validation
        ? "Validation for tuning: the last 20 % of the interactions by time are taken away, and the last 20 % of what is left are the test."
        : "The last 20 % of the interactions by time are the test; each user's items there are ranked among all items that the user has not "
          + "had in training. The model knows what came before that moment, and nothing of anybody after it.";

    public IReadOnlyList<string> Models { get; } = [.. Recommenders.All.Select(entry => entry.Name)];

    public string? KeepsNoState(string model) => Recommenders.All.Any(m => m.Name == model && !m.KeepsState) ? "its training is minutes" : null;

    public IReadOnlyList<Figure> Run(EvaluationCase what, CancellationToken cancel) => Run(Recommenders.Create(what.Model), what, cancel);

    /// <summary>As <see cref="Run(EvaluationCase, CancellationToken)"/> with a model that is not registered.</summary>
    public IReadOnlyList<Figure> Run(IRecommender model, EvaluationCase what, CancellationToken cancel)
    {
        var loaded = InteractionLoader.Load(what.DataPath, what.Seed, cancel);
        if (loaded.Set.TimeNote is { } note) throw new DataSetException(what.DataPath, 0, $"does not fit {Name}: {note}");
        var (train, test) = Divide(loaded.All);
        if (validation) (train, test) = Divide(train);
        if (test.Count == 0 || train.Count == 0) throw new DataSetException(what.DataPath, 0, "has no two moments to split between");
        var progress = Fitting.Fit(model, train, what.Seed, what.Progress, what.Note, what.Training);
        var users = Enumerable.Range(0, test.UserCount).Where(user => Relevant(train, test, user).Count > 0).ToArray();
        var values = PerUser.SelectMany(_ => CutOffs).Select(_ => new double[users.Length]).ToArray();
        var lists = new int[users.Length][];
        var scores = new float[train.ItemCount];
        for (var u = 0; u < users.Length; u++)
        {
            cancel.ThrowIfCancellationRequested();
            model.Score(users[u], train.History(users[u]), scores);
            lists[u] = Rank(scores, train.History(users[u]), Relevant(train, test, users[u]), values, u);
            progress?.Invoke((u + 1.0) / users.Length);
        }
        var known = Array.ConvertAll(users, user => !train.History(user).IsEmpty);
        return [.. Accuracy(values, "", what.Seed), .. Accuracy(Array.ConvertAll(values, v => v.Where((_, u) => known[u]).ToArray()), KnownOnly, what.Seed),
            .. ListFigures(lists, train, loaded, what.Seed),
            new Figure("users", users.Length), new Figure("users-without-training", known.Count(k => !k))];
    }

    /// <summary>Rows of the moment itself go to the test, so that no moment lies on both sides.</summary>
    private static (Interactions Train, Interactions Test) Divide(Interactions all)
    {
        if (all.Count == 0) return (all, all);
        var times = all.TimesMs.ToArray();
        Array.Sort(times);
        var moment = times[(int)(times.Length * TrainShare)];
        return (InteractionLoader.Where(all, row => all.TimesMs[row] < moment), InteractionLoader.Where(all, row => all.TimesMs[row] >= moment));
    }

    private static HashSet<int> Relevant(Interactions train, Interactions test, int user)
    {
        var items = new HashSet<int>();
        foreach (var item in test.History(user))
            if (!train.History(user).Contains(item)) items.Add(item);
        return items;
    }

    /// <summary>Sets one user's metrics and returns the list that would be shown.</summary>
    private static int[] Rank(float[] scores, ReadOnlySpan<int> history, HashSet<int> relevant, double[][] values, int user)
    {
        var seen = new bool[scores.Length];
        foreach (var item in history) seen[item] = true;
        var candidates = Enumerable.Range(0, scores.Length).Where(item => !seen[item]).ToArray();
        // What scores below the last cut-off's place moves no metric unless it is relevant: only the rest is ranked.
        var sorted = Array.ConvertAll(candidates, item => scores[item]);
        Array.Sort(sorted);
        var bar = sorted[Math.Max(0, sorted.Length - CutOffs[^1])];
        var kept = candidates.Where(item => scores[item] >= bar || relevant.Contains(item)).ToArray();
        var keptScores = Array.ConvertAll(kept, item => (double)scores[item]);
        var grades = Array.ConvertAll(kept, item => relevant.Contains(item) ? 1.0 : 0.0);
        for (var c = 0; c < CutOffs.Length; c++)
        {
            var r = RankingMetrics.Evaluate(keptScores, grades, CutOffs[c]);
            ReadOnlySpan<double> all = [r.HitRate, r.Recall, r.Precision, r.F1, r.AveragePrecision, r.ReciprocalRank, r.Ndcg];
            for (var m = 0; m < all.Length; m++) values[m * CutOffs.Length + c][user] = all[m];
        }
        // A list must choose among equals: by number.
        return [.. kept.OrderByDescending(item => scores[item]).ThenBy(item => item).Take(ListLength)];
    }

    private static IEnumerable<Figure> Accuracy(double[][] values, string suffix, long seed)
    {
        for (var m = 0; m < values.Length; m++)
            yield return new Figure($"{PerUser[m / CutOffs.Length]}@{CutOffs[m % CutOffs.Length]}{suffix}", Bootstrap.Mean(values[m], seed));
    }

    private static IEnumerable<Figure> ListFigures(int[][] lists, Interactions train, LoadedInteractions loaded, long seed)
    {
        var interactions = new long[train.ItemCount];
        foreach (var item in train.Items) interactions[item]++;
        var shown = new long[train.ItemCount];
        foreach (var item in lists.SelectMany(list => list)) shown[item]++;
        yield return new Figure($"coverage@{ListLength}", ListMetrics.Coverage(lists, train.ItemCount));
        yield return new Figure($"novelty@{ListLength}", Bootstrap.Mean(Array.ConvertAll(lists, list => ListMetrics.Novelty([list], interactions)), seed));
        if (TagVectors(loaded) is { } vectors)
            yield return new Figure($"diversity@{ListLength}", Bootstrap.Mean(
                Array.ConvertAll(lists, list => ListMetrics.IntraListDiversity(Array.ConvertAll(list, item => vectors[item]))), seed));
        yield return new Figure($"gini@{ListLength}", ListMetrics.Gini(shown));
    }

    /// <summary>One place a tag of the catalogue, 1 where the item has it; null where the set has no catalogue.</summary>
    private static float[][]? TagVectors(LoadedInteractions loaded)
    {
        var tags = new Dictionary<string, int>();
        var changes = loaded.Set.Items().Where(change => change.Item is not null).ToList();
        foreach (var tag in changes.SelectMany(change => change.Item!.Tags)) tags.TryAdd(tag, tags.Count);
        if (tags.Count == 0) return null;
        var vectors = new float[loaded.Items.Count][];
        for (var item = 0; item < vectors.Length; item++) vectors[item] = new float[tags.Count];
        foreach (var change in changes)
        {
            if (loaded.ItemOf(change.Id) is not (>= 0 and var item)) continue;
            foreach (var tag in change.Item!.Tags) vectors[item][tags[tag]] = 1;
        }
        return vectors;
    }
}
