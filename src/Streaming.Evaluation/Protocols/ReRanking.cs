using Streaming.Core.Items;
using Streaming.Core.Settings;
using Streaming.Evaluation.Metrics;
using Streaming.Evaluation.Protocols.Online;
using Streaming.Feeds.Building;
using Streaming.Models.Reranking;
using Streaming.Models.Training;

namespace Streaming.Evaluation.Protocols;

/// <summary>
/// Re-rankers over one base ranker, on lists that were really shown: the base is trained on the first half of the lists by time, re-rankers that learn on the
/// next three tenths by the base as it then stands, and the last fifth is ordered by the base and ordered anew. Figures of a list before its time alone: dense
/// features are those of the live path at the moment of showing.
/// </summary>
public sealed class ReRanking : IProtocol
{
    public const string Base = "deepfm";

    /// <summary>The base trained on the re-rankers' lists too: what they gain over it is not what more lists give.</summary>
    public const string BaseOnAll = "deepfm-all";

    public const string Mmr = "deepfm-mmr";
    public const string Dpp = "deepfm-dpp";
    public const string Prm = "deepfm-prm";
    public const string PrmOnBase = "deepfm-prm-residual";

    internal const string Diversity = "intra-list-diversity@10";
    internal const string OverBase = "ndcg@10-over-base";

    private const int CutOff = 10;
    private const double BaseShare = 0.5, TrainShare = 0.8;

    // The live path's weight of relevance.
    private static readonly float Lambda = (float)new FeedsSettings().MmrLambda;

    public string Name => "re-ranking";

    public string Description =>
        "Lists as they were shown, with at least one click, in time order: the first 50 % train the base ranker, the next 30 % the re-ranker, the last 20 % are the test, "
        + "where the shown items are ranked against each other and the clicked ones are relevant. Diversity is that of the first ten by tags and categories.";

    public IReadOnlyList<string> Models { get; } = [Base, BaseOnAll, Mmr, Dpp, Prm, PrmOnBase];

    public IReadOnlyList<Figure> Run(EvaluationCase what, CancellationToken cancel)
    {
        what.Check(this);
        var set = DataSets.DataSets.Open(what.DataPath);
        var (lists, catalog) = CapturedLists.Of(set, what, Name, cancel);
        var (half, test) = ((int)(lists.Count * BaseShare), (int)(lists.Count * TrainShare));
        using var ranker = BaseRanker.Trained(lists[..half], catalog, what, cancel);
        var rest = ranker.Rank(lists[half..]);
        var (train, tested) = (rest[..(test - half)], rest[(test - half)..]);
        Func<RankedList, float[]> score = what.Model switch
        {
            Base => list => list.Scores,
            BaseOnAll => OnAll(lists, test, catalog, tested, what, cancel),
            Mmr => list => Diverse(list, Feeds.Building.Diversity.Mmr),
            Dpp => list => Diverse(list, Feeds.Building.Diversity.Dpp),
            _ => Learned(train, tested, what, cancel),
        };
        var means = new UserMeans($"ndcg@{CutOff}", $"map@{CutOff}", $"mrr@{CutOff}", "ndcg@5", OverBase, Diversity);
        foreach (var list in tested) Judge(list, score(list), means);
        return means.Figures(what.Seed);
    }

    private static void Judge(RankedList list, float[] scores, UserMeans means)
    {
        static double[] Wide(float[] values) => [.. values.Select(v => (double)v)];
        var (ten, five) = (RankingMetrics.Evaluate(Wide(scores), list.Grades, CutOff), RankingMetrics.Evaluate(Wide(scores), list.Grades, 5));
        var before = RankingMetrics.Evaluate(Wide(list.Scores), list.Grades, CutOff);
        var first = Enumerable.Range(0, scores.Length).OrderByDescending(i => scores[i]).Take(CutOff).ToArray();
        var (pairs, unlike) = (0, 0.0);
        for (var a = 0; a < first.Length; a++)
        for (var b = a + 1; b < first.Length; b++, pairs++) unlike += 1 - list.Similarity(first[a], first[b]);
        means.Add(list.User, ten.Ndcg, ten.AveragePrecision, ten.ReciprocalRank, five.Ndcg, ten.Ndcg - before.Ndcg, pairs == 0 ? double.NaN : unlike / pairs);
    }

    private static Func<RankedList, float[]> OnAll(
        List<CapturedList> lists, int test, IItemCatalog catalog, List<RankedList> tested, EvaluationCase what, CancellationToken cancel)
    {
        using var ranker = BaseRanker.Trained(lists[..test], catalog, what, cancel);
        var scored = ranker.Rank(lists[test..]);
        var byList = Enumerable.Range(0, tested.Count).ToDictionary(i => tested[i], i => scored[i].Scores);
        return list => byList[list];
    }

    /// <summary>Scores that give the order.</summary>
    private static float[] Diverse(RankedList list, Feeds.Building.Diversity kind)
    {
        var scores = new float[list.Scores.Length];
        var order = DiverseOrder.Of(list.Scores, list.Similarity, kind, Lambda);
        for (var place = 0; place < order.Length; place++) scores[order[place]] = -place;
        return scores;
    }

    private static Func<RankedList, float[]> Learned(IReadOnlyList<RankedList> train, IReadOnlyList<RankedList> tested, EvaluationCase what, CancellationToken cancel)
    {
        var onBase = what.Model == PrmOnBase;
        var network = new PrmNetwork(
            train[0].Columns, new PrmOptions { Dropout = 0.2, AddsToBase = onBase, Seed = (ulong)what.Seed, ItemsMax = train.Concat(tested).Max(l => l.Scores.Length) });
        // The newest of its lists tell when to stop.
        var learned = train.Count * 5 / 6;
        var task = new PrmTask(network, [.. train.Take(learned).Select(l => l.Labelled)], [.. train.Skip(learned).Select(l => l.Labelled)], batchSize: 64, what.Seed);
        var run = what.Training ?? new TrainingRun();
        new Trainer(run.With(new TrainerOptions { EpochsMax = 30, Patience = 5, Rate = 1e-3f, WarmUp = 0.05 }), run.Device).Run(
            task, now => { if (now.EpochEnded) what.Note?.Invoke(Fitting.Line(now)); }, cancel);
        var scores = task.Score([.. tested.Select(l => l.Labelled)]);
        var byList = Enumerable.Range(0, tested.Count).ToDictionary(i => tested[i], i => tested[i].InShownOrder(scores[i]));
        return list => byList[list];
    }
}
