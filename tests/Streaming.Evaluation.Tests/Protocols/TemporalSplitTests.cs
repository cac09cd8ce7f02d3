using System.Globalization;
using Streaming.Evaluation.DataSets;
using Streaming.Evaluation.Protocols;
using Streaming.Suites;

namespace Streaming.Evaluation.Tests.Protocols;

public sealed class TemporalSplitTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("streaming-temporal-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>Ten ratings: eight by the moment of the split, then user 1 rates item 4 and user 3, who is new, item 2.</summary>
    private string Set()
    {
        (int User, int Item)[] rows = [(1, 1), (1, 2), (2, 1), (2, 3), (2, 4), (1, 3), (2, 5), (2, 6), (1, 4), (3, 2)];
        File.WriteAllText(Path.Combine(_folder, "u.data"), string.Concat(rows.Select((row, at) =>
            string.Create(CultureInfo.InvariantCulture, $"{row.User}\t{row.Item}\t4\t{880000000 + at * 60}\n"))));
        return _folder;
    }

    private static Dictionary<string, double> Run(TemporalSplit protocol, string path, FixedScores model) =>
        protocol.Run(model, new EvaluationCase("given", path, 1), CancellationToken.None).ToDictionary(f => f.Metric, f => f.Value);

    [Fact]
    public void Each_users_later_items_are_ranked_among_what_the_user_has_not_had()
    {
        // Scores fall with the item. User 1 has had 1 to 3, so that item 4 leads; user 3 has had nothing, so that item 2 is second.
        var model = new FixedScores(6, 5, 4, 3, 2, 1);
        var figures = Run(new TemporalSplit(), Set(), model);
        model.Train!.Count.ShouldBe(8);
        model.Histories.Keys.ShouldBe([0, 2]);
        model.Histories[0].ShouldBe([0, 1, 2]);
        figures["users"].ShouldBe(2);
        figures["users-without-training"].ShouldBe(1);
        figures["hr@10"].ShouldBe(1);
        figures["recall@10"].ShouldBe(1);
        figures["precision@10"].ShouldBe(0.1, 1e-12);
        figures["f1@10"].ShouldBe(2 / 11.0, 1e-12);
        figures["map@10"].ShouldBe(0.75, 1e-12);
        figures["mrr@10"].ShouldBe(0.75, 1e-12);
        figures["ndcg@10"].ShouldBe((1 + 1 / Math.Log2(3)) / 2, 1e-12);
        figures["map@10-with-training"].ShouldBe(1);
        // Items 4 5 6 are shown twice and 1 2 3 once.
        figures["coverage@10"].ShouldBe(1);
        figures["gini@10"].ShouldBe((-5 - 3 - 1 + 2 * (1 + 3 + 5)) / (6 * 9.0), 1e-12);
        // Training: items 1 and 3 twice, the others once; all of 8.
        figures["novelty@10"].ShouldBe((3 + (2 * 2 + 4 * 3) / 6.0) / 2, 1e-12);
    }

    [Fact]
    public void Validation_splits_what_is_before_the_test()
    {
        var model = new FixedScores(6, 5, 4, 3, 2, 1);
        Run(new TemporalSplit(validation: true), Set(), model);
        model.Train!.Count.ShouldBe(6);
        model.Histories.Keys.ShouldBe([1]);
    }

    [Fact]
    public void Made_up_times_are_refused()
    {
        File.WriteAllText(Path.Combine(_folder, "ml1m_chronological.txt"), "1\t5:3 6:4\n");
        File.WriteAllText(Path.Combine(_folder, "movies.dat"), "");
        Should.Throw<DataSetException>(() => Run(new TemporalSplit(), _folder, new FixedScores())).Message.ShouldContain("does not fit temporal-split");
    }

    [DataFact("movielens/ml-100k")]
    public void On_MovieLens_100k_it_gives_every_figure()
    {
        var data = SharedData.Find("movielens/ml-100k")!;
        var protocol = new TemporalSplit();
        var popularity = protocol.Run(new EvaluationCase("popularity", data, 1), CancellationToken.None);
        popularity.ShouldAllBe(figure => double.IsFinite(figure.Value));
        popularity.Select(figure => figure.Metric).ShouldBe([
            .. from suffix in (string[])["", "-with-training"] from metric in (string[])["hr", "recall", "precision", "f1", "map", "mrr", "ndcg"]
               from k in (int[])[10, 20] select $"{metric}@{k}{suffix}",
            "coverage@10", "novelty@10", "diversity@10", "gini@10", "users", "users-without-training"]);
        var ndcg = popularity.Single(figure => figure.Metric == "ndcg@10");
        ndcg.Low.ShouldBeLessThan(ndcg.Value);
        ndcg.High.ShouldBeGreaterThan(ndcg.Value);
    }
}
