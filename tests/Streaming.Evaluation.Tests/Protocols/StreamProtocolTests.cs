using Streaming.Evaluation.Metrics;
using Streaming.Evaluation.Protocols;
using Streaming.Suites;

namespace Streaming.Evaluation.Tests.Protocols;

/// <summary>The protocols on the real sets, against the numbers that the data folder's README states.</summary>
public sealed class StreamProtocolTests
{
    private static Dictionary<string, Figure> Run(IProtocol protocol, string model, string data) =>
        protocol.Run(new EvaluationCase(model, SharedData.Find(data)!, 1), default).ToDictionary(f => f.Metric);

    private static void IsInside(Figure figure)
    {
        figure.Low.ShouldBeLessThanOrEqualTo(figure.Value, figure.Metric);
        figure.High.ShouldBeGreaterThanOrEqualTo(figure.Value, figure.Metric);
    }

    [DataFact("ranklens")]
    public void Given_rankings_reproduce_the_floors_and_the_live_ranker_is_above_them()
    {
        var protocol = new GivenRankings();
        double Of(string model)
        {
            var figure = Run(protocol, model, "ranklens")["ndcg@10"];
            IsInside(figure);
            return figure.Value;
        }
        Of(GivenRankings.ShownOrder).ShouldBe(0.3784, 0.0005);
        Of(GivenRankings.Random).ShouldBe(0.3307, 0.005);
        Of(GivenRankings.ItemCtr).ShouldBe(0.5918, 0.005);
        var online = Of(GivenRankings.ItemCtrOnline);
        online.ShouldBe(0.5958, 0.0005);
        Of(GivenRankings.Ftrl).ShouldBeGreaterThan(online + 0.01);
        Run(protocol, GivenRankings.Ftrl, "ranklens")[GivenRankings.OverItemCtr].Low.ShouldBeGreaterThan(0, "the paired interval");
    }

    [TorchFact("ranklens")]
    public void Prm_improves_the_order_of_its_base_ranker_on_lists_that_neither_has_seen()
    {
        var figures = Run(new ReRanking(), ReRanking.Prm, "ranklens");
        figures[ReRanking.OverBase].Low.ShouldBeGreaterThan(0, "the paired interval");
        foreach (var figure in figures.Values) IsInside(figure);
    }

    [DataFact("ranklens")]
    public void Waiting_too_long_for_clicks_costs_more_than_correcting_late_ones()
    {
        var (wait, correct) = (Run(new DelayedLabels(), "wait-60s", "ranklens"), Run(new DelayedLabels(), "correct", "ranklens"));
        correct["ndcg@10"].Value.ShouldBeGreaterThan(wait["ndcg@10"].Value + 0.005);
        // A clicked impression was a negative first: the price is a probability that is too low.
        correct["calibration"].High.ShouldBeLessThan(wait["calibration"].Low);
    }

    [DataFact("globo")]
    public void Hour_by_hour_reproduces_the_popular_of_the_last_hour()
    {
        var figures = Run(new HourByHour(), HourByHour.PopularLastHour, "globo/clicks.tar.zst");
        figures["hr@5"].Value.ShouldBe(0.2467, 0.01);
        figures["hr@20"].Value.ShouldBe(0.4894, 0.01);
        figures["mrr@20"].Value.ShouldBe(0.1630, 0.01);
        foreach (var figure in figures.Values) IsInside(figure);
    }

    [DataFact("open-bandit")]
    public void Off_policy_estimates_hold_the_true_click_rates()
    {
        foreach (var (model, truth) in new[] { ("bts-on-random-men", 0.0069), ("random-on-bts-men", 0.0046) })
        {
            var figures = Run(new OffPolicyEstimates(), model, "open-bandit");
            figures["true"].Value.ShouldBe(truth, 1e-9);
            foreach (var estimator in new[] { "ips", "snips", "dr" })
                truth.ShouldBeInRange(figures[estimator].Low, figures[estimator].High, $"{model} {estimator}");
            IsInside(figures["dm"]);
            figures["effective-impressions"].Value.ShouldBeInRange(100, 10_000);
        }
    }

    [Fact]
    public void A_policy_is_read_off_its_own_log_without_the_bias_of_what_it_showed_most()
    {
        // One slot, two states that alternate: item 0 has probability .9, then .1. On average .5, but the mean of what is logged is .82.
        var draws = new Draws(3);
        var log = new List<OffPolicyEstimates.Shown>();
        for (var i = 0; i < 40_000; i++)
        {
            var first = i % 2 == 0 ? 0.9 : 0.1;
            log.Add(draws.Chance(first) ? new(0, 0, first, false) : new(1, 0, 1 - first, false));
        }
        log.Where(r => r.Item == 0).Average(r => r.Propensity).ShouldBe(0.82, 0.01);
        var policy = OffPolicyEstimates.PolicyOf(log, items: 3, slots: 1);
        policy[0, 0].ShouldBe(0.5, 0.02);
        policy[1, 0].ShouldBe(0.5, 0.02);
        policy[2, 0].ShouldBe(0);
    }

    [Fact]
    public void Means_are_over_cases_and_intervals_over_users()
    {
        var means = new UserMeans("a", "b");
        means.Add("u", 1, double.NaN);
        means.Add("u", 1, 2);
        means.Add("v", 0, 4);
        var figures = means.Figures(1);
        means.Count.ShouldBe(3);
        figures[0].Value.ShouldBe(2 / 3.0, 1e-12);
        figures[1].Value.ShouldBe(3, 1e-12);
        // Two users: a resample holds u twice, v twice, or both.
        (figures[0].Low, figures[0].High).ShouldBe((0, 1));
    }

    [Fact]
    public void A_bootstrap_of_any_statistic_equals_that_of_the_mean()
    {
        double[] values = [3, 1, 4, 1, 5, 9, 2, 6];
        var of = Bootstrap.Of(values.Length, drawn => [drawn.Average(i => values[i]), double.NaN], 7);
        of[0].Estimate.ShouldBe(values.Average(), 1e-12);
        var mean = Bootstrap.Mean(values, 7);
        of[0].Low.ShouldBe(mean.Low, 1e-12);
        of[0].High.ShouldBe(mean.High, 1e-12);
        double.IsNaN(of[1].Low).ShouldBeTrue();
    }
}
