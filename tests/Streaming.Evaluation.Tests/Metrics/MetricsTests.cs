using Streaming.Evaluation.Metrics;

namespace Streaming.Evaluation.Tests.Metrics;

/// <summary>Cases worked by hand.</summary>
public sealed class MetricsTests
{
    private static bool[] Labels(string text) => [.. text.Select(c => c == '1')];

    [Fact]
    public void Auc_counts_ties_one_half()
    {
        // Pairs (positive, negative): .8-.5 won, .8-.2 won, .5-.5 tie, .5-.2 won.
        BinaryMetrics.Auc([.8, .5, .5, .2], Labels("1100")).ShouldBe(3.5 / 4);
        BinaryMetrics.Auc([1, 1, 1], Labels("101")).ShouldBe(0.5);
        BinaryMetrics.Auc([3, 2, 1], Labels("100")).ShouldBe(1);
        BinaryMetrics.Auc([1, 2, 3], Labels("100")).ShouldBe(0);
        double.IsNaN(BinaryMetrics.Auc([1, 2], Labels("11"))).ShouldBeTrue();
        double.IsNaN(BinaryMetrics.Auc([], [])).ShouldBeTrue();
        Should.Throw<ArgumentException>(() => BinaryMetrics.Auc([1], Labels("10")));
        Should.Throw<ArgumentException>(() => BinaryMetrics.Auc([1, double.NaN], Labels("10")));
    }

    [Fact]
    public void Auc_of_a_million_ties_does_not_overflow()
    {
        var labels = new bool[1_000_000];
        labels.AsSpan(0, 400_000).Fill(true);
        BinaryMetrics.Auc(new double[labels.Length], labels).ShouldBe(0.5, 1e-12);
    }

    [Fact]
    public void Group_auc_weights_by_examples_and_leaves_out_one_class_groups()
    {
        // Group 7: perfect, 2 rows. Group 3: reversed, 4 rows (0 of 3 pairs). Group 5: positives only.
        var grouped = BinaryMetrics.GroupAuc([7, 7, 3, 3, 3, 3, 5], [.9, .1, .1, .2, .3, .4, .5], Labels("1010001"));
        grouped.Weighted.ShouldBe((1 * 2 + 0 * 4) / 6.0, 1e-12);
        grouped.Unweighted.ShouldBe(0.5, 1e-12);
        (grouped.Groups, grouped.Skipped).ShouldBe((2, 1));
        double.IsNaN(BinaryMetrics.GroupAuc([1], [.5], Labels("1")).Weighted).ShouldBeTrue();
    }

    [Fact]
    public void Csauc_weighs_pairs_by_the_revenue_between_them()
    {
        // Brought 2, 0, 1, 0; expected .6, .5, .8, .1. Pairs: 2 over 0 (2 of 2), 2 over 1 (1, lost), 2 over 0 (2), 1 over 0 (1), 1 over 0 (1).
        CpmSensitiveAuc.Compute([.3, .5, .8, .1], Labels("1010"), [2, 1, 1, 1]).ShouldBe(6 / 7.0, 1e-12);
        // The lost pair tied instead: half of it.
        CpmSensitiveAuc.Compute([.4, .5, .8, .1], Labels("1010"), [2, 1, 1, 1]).ShouldBe(6.5 / 7.0, 1e-12);
        // With equal bids it is the plain AUC.
        double[] p = [.9, .4, .4, .2, .6];
        CpmSensitiveAuc.Compute(p, Labels("01010"), [3, 3, 3, 3, 3]).ShouldBe(BinaryMetrics.Auc(p, Labels("01010")), 1e-12);
        double.IsNaN(CpmSensitiveAuc.Compute([.5, .6], Labels("00"), [1, 2])).ShouldBeTrue();
        Should.Throw<ArgumentException>(() => CpmSensitiveAuc.Compute([.5], Labels("0"), [-1]));
    }

    [Fact]
    public void Log_loss_entropy_and_calibration()
    {
        double[] p = [.8, .4];
        BinaryMetrics.LogLoss(p, Labels("10")).ShouldBe(-(Math.Log(.8) + Math.Log(.6)) / 2, 1e-12);
        BinaryMetrics.NormalisedEntropy(p, Labels("10")).ShouldBe(-(Math.Log(.8) + Math.Log(.6)) / 2 / Math.Log(2), 1e-12);
        BinaryMetrics.NormalisedEntropy([.25, .25, .25, .25], Labels("1000")).ShouldBe(1, 1e-12);
        BinaryMetrics.CalibrationRatio(p, Labels("10")).ShouldBe(1.2, 1e-12);
        // Ten bins: .8 against 1 and .4 against 0. One bin: mean .6 against .5.
        BinaryMetrics.ExpectedCalibrationError(p, Labels("10")).ShouldBe((.2 + .4) / 2, 1e-12);
        BinaryMetrics.ExpectedCalibrationError(p, Labels("10"), bins: 1).ShouldBe(.1, 1e-12);
        BinaryMetrics.ExpectedCalibrationError([1], Labels("1")).ShouldBe(0);
        double.IsFinite(BinaryMetrics.LogLoss([0, 1], Labels("10"))).ShouldBeTrue("a sure miss is clipped, not infinite");
    }

    [Fact]
    public void Rating_errors()
    {
        RegressionMetrics.Rmse([3, 5], [4, 2]).ShouldBe(Math.Sqrt(5), 1e-12);
        RegressionMetrics.Mae([3, 5], [4, 2]).ShouldBe(2, 1e-12);
    }

    [Fact]
    public void A_ranking_without_ties()
    {
        // Order: relevant, not, relevant, not, relevant; K = 3.
        var r = RankingMetrics.Evaluate([5, 4, 3, 2, 1], [1, 0, 1, 0, 1], 3);
        r.HitRate.ShouldBe(1);
        r.Precision.ShouldBe(2 / 3.0, 1e-12);
        r.Recall.ShouldBe(2 / 3.0, 1e-12);
        r.F1.ShouldBe(2 / 3.0, 1e-12);
        r.AveragePrecision.ShouldBe((1 + 2 / 3.0) / 3, 1e-12);
        r.ReciprocalRank.ShouldBe(1);
        r.Ndcg.ShouldBe(1.5 / (1 + 1 / Math.Log2(3) + 0.5), 1e-12);
        RankingMetrics.EvaluateOrdered(Labels("10101"), 3, 3).ShouldBe(r);
    }

    [Fact]
    public void Relevant_items_that_the_list_lacks_count_against_it()
    {
        var r = RankingMetrics.EvaluateOrdered(Labels("01"), relevant: 4, k: 5);
        (r.Precision, r.Recall, r.ReciprocalRank).ShouldBe((0.2, 0.25, 0.5));
        r.AveragePrecision.ShouldBe(0.5 / 4, 1e-12);
        Should.Throw<ArgumentOutOfRangeException>(() => RankingMetrics.EvaluateOrdered(Labels("11"), 1, 5));
    }

    [Fact]
    public void A_constant_scorer_gets_what_chance_gets()
    {
        // One relevant of ten, all tied: it is in the first two with 1/5, its reciprocal rank within two is (1 + 1/2) / 10.
        var grades = new double[10];
        grades[0] = 1;
        var r = RankingMetrics.Evaluate(new double[10], grades, 2);
        r.HitRate.ShouldBe(0.2, 1e-12);
        r.Recall.ShouldBe(0.2, 1e-12);
        r.ReciprocalRank.ShouldBe(0.15, 1e-12);
        r.Ndcg.ShouldBe((1 + 1 / Math.Log2(3)) / 10, 1e-12);
        Array.Reverse(grades);
        RankingMetrics.Evaluate(new double[10], grades, 2).ShouldBe(r);
    }

    [Fact]
    public void Graded_gains_and_lists_without_anything_relevant()
    {
        var r = RankingMetrics.Evaluate([2, 1], [1, 3], 2, Gain.Exponential);
        r.Ndcg.ShouldBe((1 + 7 / Math.Log2(3)) / (7 + 1 / Math.Log2(3)), 1e-12);
        RankingMetrics.Evaluate([2, 1], [1, 3], 2).Ndcg.ShouldBe((1 + 3 / Math.Log2(3)) / (3 + 1 / Math.Log2(3)), 1e-12);
        var none = RankingMetrics.Evaluate([2, 1], [0, 0], 2);
        (none.HitRate, none.Precision).ShouldBe((0, 0));
        (double.IsNaN(none.Ndcg) && double.IsNaN(none.Recall)).ShouldBeTrue();
        Should.Throw<ArgumentException>(() => RankingMetrics.Evaluate([double.NaN], [1], 1));
    }

    [Fact]
    public void Coverage_novelty_diversity_and_concentration()
    {
        int[][] lists = [[0, 1], [1, 2]];
        ListMetrics.Coverage(lists, 4).ShouldBe(0.75);
        // Shares 1/2, 1/4, 1/4 (and 0): 1, 2, 2, 2 bits.
        ListMetrics.Novelty(lists, [4, 2, 2]).ShouldBe(7 / 4.0, 1e-12);
        // Orthogonal pair 1, parallel pair 0, orthogonal pair 1.
        ListMetrics.IntraListDiversity([[1f, 0], [0, 2], [3, 0]]).ShouldBe(2 / 3.0, 1e-12);
        ListMetrics.IntraListDiversity([[1f]]).ShouldBe(0);
        ListMetrics.Gini([5, 5, 5]).ShouldBe(0, 1e-12);
        ListMetrics.Gini([0, 0, 0, 8]).ShouldBe(0.75, 1e-12);
        ListMetrics.Gini([1, 3]).ShouldBe(0.25, 1e-12);
    }

    [Fact]
    public void Bootstrap_is_seeded_and_covers_the_mean_about_as_often_as_it_says()
    {
        var draws = new Draws(3);
        var covered = 0;
        for (var t = 0; t < 200; t++)
        {
            var users = new double[60];
            for (var u = 0; u < users.Length; u++) users[u] = 1 + draws.Normal();
            var interval = Bootstrap.Mean(users, t, resamples: 300);
            interval.Estimate.ShouldBe(users.Average(), 1e-12);
            if (interval.Low <= 1 && 1 <= interval.High) covered++;
        }
        // Binomial(200, .95) has mean 190 and deviation 3.1; small samples cover a little less.
        covered.ShouldBeInRange(174, 199);
        Bootstrap.Mean([1, 2, 3, double.NaN], 5).ShouldBe(Bootstrap.Mean([1, 2, 3], 5));
        Bootstrap.Ratio([1, 2, 3], [10, 10, 10], 5).ShouldBe(Bootstrap.Ratio([1, 2, 3], [10, 10, 10], 5));
        Bootstrap.Ratio([1, 2, 3], [10, 10, 10], 5).Estimate.ShouldBe(0.2, 1e-12);
        Bootstrap.Mean([4, 4, 4], 1).ShouldBe(new Interval(4, 4, 4));
    }
}
