using Streaming.Evaluation.Protocols;
using Streaming.Models.Classic;
using Streaming.Models.Offline;
using Streaming.Suites;

namespace Streaming.Evaluation.Tests.Protocols;

/// <summary>The floors on MovieLens 1M against the numbers that independent code measured on the same files (the data folder's README).</summary>
public sealed class FloorsTests
{
    private const string Data = "movielens/ml-1m";
    private const double Within = 0.005;

    [DataFact(Data)]
    public void Given_negatives_popularity_and_item_knn_are_reproduced()
    {
        var split = new LeaveOneOutGivenNegatives().Split(SharedData.Find(Data)!, 1);
        split.Train.Count.ShouldBe(994_169);
        split.Candidates!.ShouldAllBe(negatives => negatives.Length == 99);
        Judge("popularity", split).ShouldBe((0.4538, 0.2545), Within);
        Judge("item-knn", split).ShouldBe((0.5215, 0.3038), 0.0005);
    }

    [DataFact(Data)]
    public void Given_negatives_ease_and_ials_reach_their_numbers()
    {
        var split = new LeaveOneOutGivenNegatives().Split(SharedData.Find(Data)!, 1);
        Judge("ease", split).ShouldBe((0.7182, 0.4511), 0.0005);
        var (hr, ndcg) = Judge("ials", split);
        hr.ShouldBeGreaterThanOrEqualTo(0.72);
        ndcg.ShouldBeGreaterThanOrEqualTo(0.44);
    }

    [DataFact(Data)]
    public void All_items_popularity_markov_and_ease_are_reproduced()
    {
        // The measured popularity counted without the validation item; EASE's number came of lambda 500 with it.
        var split = new LeaveOneOutAllItems().Split(SharedData.Find(Data)!, 1);
        Judge("popularity", split).ShouldBe((0.0394, 0.0194), Within);
        Judge("markov", split).ShouldBe((0.1925, 0.1127), Within);
        Judge(new Ease(lambda: 500), split).ShouldBe((0.1108, 0.0551), 0.0005);
    }

    [DataFact(Data)]
    public void A_hundred_uniform_negatives_popularity_and_markov_are_reproduced()
    {
        var split = new LeaveOneOut100Uniform().Split(SharedData.Find(Data)!, 1);
        split.Candidates!.Sum(negatives => 100 - negatives.Length).ShouldBe(162);
        Judge("popularity", split).ShouldBe((0.4573, 0.2534), Within);
        Judge("markov", split).ShouldBe((0.6430, 0.4537), Within);
    }

    private static (double Hr, double Ndcg) Judge(string model, LeaveOneOutSplit split) => Judge(Recommenders.Create(model), split);

    private static (double Hr, double Ndcg) Judge(IRecommender model, LeaveOneOutSplit split)
    {
        var figures = LeaveOneOut.Judge(model, split, 1).ToDictionary(figure => figure.Metric, figure => figure.Value);
        return (figures["hr@10"], figures["ndcg@10"]);
    }
}

internal static class PairShould
{
    public static void ShouldBe(this (double Hr, double Ndcg) actual, (double Hr, double Ndcg) expected, double tolerance)
    {
        actual.Hr.ShouldBe(expected.Hr, tolerance, "HR@10");
        actual.Ndcg.ShouldBe(expected.Ndcg, tolerance, "NDCG@10");
    }
}
