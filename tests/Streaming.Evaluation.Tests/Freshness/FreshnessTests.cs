using System.Xml.Linq;
using Streaming.Core.Settings;
using Streaming.Evaluation.DataSets;
using Streaming.Evaluation.Freshness;
using Streaming.Evaluation.Metrics;
using Streaming.Evaluation.Simulation;
using Streaming.Suites;
using Xunit.Abstractions;

namespace Streaming.Evaluation.Tests.Freshness;

public sealed class FreshnessTests(ITestOutputHelper output)
{
    private static readonly StreamingSettings Settings = new()
    {
        Users = new UsersSettings { AttributionWindowMs = 1000, LateWindowMs = 0 }, Learning = new LearningSettings { FtrlBits = 16 },
    };

    [Fact]
    public void On_users_who_drift_no_fresher_model_is_worse_and_hours_cost_much()
    {
        var curve = FreshnessRunner.Run(new FreshnessCase(FreshnessRunner.Simulator, "ftrl", Seeds: 3, Hours: 8), Settings);
        Show(curve);
        curve.Figures.Select(f => f.Metric).ShouldBe(["auc", "logloss", "ctr", "regret"]);
        foreach (var figure in curve.Figures) figure.IsMonotone.ShouldBeTrue(figure.Metric);
        var ctr = curve.Figures[2].Values;
        ctr[^1].Estimate.ShouldBeGreaterThan(1.3 * ctr[0].Estimate, "every example against never");
        ctr[4].Estimate.ShouldBeGreaterThan(ctr[2].Estimate, "a minute against an hour");
        curve.Figures[3].Values.ShouldAllBe(regret => regret.Estimate > 0);
        curve.Syncs[0].ShouldBe(1);
        curve.Syncs[2].ShouldBe(7, "at the end of the warm-up and six times after it");
    }

    [Fact]
    public void Without_drift_a_stale_model_is_hardly_worse()
    {
        // Few users of whom nothing moves: after the warm-up there is little left to learn, so a copy from then is nearly as good.
        var few = AudienceSettings.Drifting with { Users = 20, Items = 60, TrendSpread = 2, TrendHalfLifeMs = 1_800_000 };
        var users = few with
        {
            TrendSpread = 0, DriftPerSession = 0, JumpPerSession = 0, NewUserPerSession = 0, ItemLifeMs = 3_650L * 86_400_000, AgeLogit = 0,
        };
        var still = Run(users);
        var drifting = Run(few);
        output.WriteLine($"lost by never syncing: still {Loss(still):F4}, drifting {Loss(drifting):F4}");
        Loss(still).ShouldBeLessThan(0.2 * Loss(drifting));

        static SimulatedRanking Run(AudienceSettings users) =>
            new(users, Settings, SyncInterval.All, 6 * 3_600_000, warmUp: 0.6, rankEvery: 8, CancellationToken.None);

        // Share of the clicks of the freshest lists that the stalest miss.
        static double Loss(IFreshnessRun run)
        {
            var n = SyncInterval.All.Count;
            var figures = run.Figures(Enumerable.Repeat(1, run.Users).ToArray());
            return 1 - figures[2 * n] / figures[3 * n - 1];
        }
    }

    /// <summary>A copy that is brought up to date before every event scores as the learner itself does, to the last bit.</summary>
    [Fact]
    public void A_copy_that_misses_nothing_is_the_learner()
    {
        SyncInterval[] intervals = [new("never", SyncInterval.Never), new("1 ms", 1), new("every example", 0)];
        var run = new SimulatedRanking(AudienceSettings.Drifting, Settings, intervals, 2 * 3_600_000, 0.3, 4, CancellationToken.None);
        var figures = run.Figures(Enumerable.Repeat(1, run.Users).ToArray());
        run.Syncs[1].ShouldBeGreaterThan(500);
        for (var metric = 0; metric < 4; metric++)
        {
            // Events of one page share a millisecond now and then, so that a rare example lags by one event.
            figures[metric * 3 + 1].ShouldBe(figures[metric * 3 + 2], 1e-4, run.Metrics[metric].Name);
            figures[metric * 3].ShouldNotBe(figures[metric * 3 + 2], run.Metrics[metric].Name);
        }
    }

    [DataFact("movielens/ml-100k")]
    public void On_ratings_fresher_is_better()
    {
        var curve = FreshnessRunner.Run(
            new FreshnessCase(SharedData.Find("movielens/ml-100k")!, "ftrl"), new StreamingSettings { Learning = new LearningSettings { FtrlBits = 18 } });
        Show(curve);
        curve.Figures.ShouldAllBe(f => f.IsMonotone);
        curve.Figures[0].Values[^1].Estimate.ShouldBeGreaterThan(curve.Figures[0].Values[0].Estimate + 0.03);
        curve.Scored.ShouldBeInRange(75_000, 85_000);
    }

    [Fact]
    public void Copies_are_synchronised_at_whole_multiples_of_their_interval()
    {
        var schedule = new SyncSchedule([new("never", SyncInterval.Never), new("a", 100), new("b", 30), new("every", 0)], 1000);
        schedule.Due(999).ShouldBeEmpty();
        schedule.Due(1005).ToArray().ShouldBe([(1000, 0), (1000, 1), (1000, 2)]);
        schedule.Due(1029).ShouldBeEmpty();
        schedule.Due(1030).ToArray().ShouldBe([(1030, 2)]);
        // Late by several boundaries: the last of each counts, in order of time.
        schedule.Due(1215).ToArray().ShouldBe([(1200, 1), (1210, 2)]);
        schedule.Due(1100).ShouldBeEmpty();
    }

    [Fact]
    public void The_next_item_model_ranks_as_worked_by_hand()
    {
        // c(1 -> 2) = 2, c(1 -> 3) = 1; clicks: 1 three times, 2 twice, 3 once, 4 six times; of 12, so p = 3/12, 2/12, 1/12, 6/12.
        var model = new NextItemModel(transitions: true, 1e12, 1e12);
        foreach (var next in new ulong[] { 2, 3, 2 })
        {
            model.Learn(1, 0, 0);
            model.Learn(next, 1, 0);
        }
        for (var n = 0; n < 6; n++) model.Learn(4, 0, 0);
        // 4: 5 x 6/12 = 2.5; 2: 2 + 5 x 2/12 = 2.83; 3: 1 + 5 x 1/12 = 1.42; 1 is seen.
        model.RankOf(2, 1, [1], 0).ShouldBe(1);
        model.RankOf(4, 1, [1], 0).ShouldBe(2);
        model.RankOf(3, 1, [1], 0).ShouldBe(3);
        model.RankOf(3, 1, [1, 4], 0).ShouldBe(2);
        model.RankOf(9, 1, [1], 0).ShouldBe(0);
        // Popularity alone: 4, (1), 2, 3.
        var popularity = new NextItemModel(transitions: false, 1e12, 1e12);
        popularity.Take(model, []);
        popularity.RankOf(4, 1, [1], 0).ShouldBe(1);
        popularity.RankOf(2, 1, [1], 0).ShouldBe(2);
        // A copy has what it took, and no more.
        var copy = new NextItemModel(transitions: true, 1e12, 1e12);
        copy.Take(model, [1]);
        model.Learn(5, 1, 0);
        model.RankOf(5, 1, [1], 0).ShouldBe(4, "as often after 1 as 3, which was there first");
        copy.RankOf(5, 1, [1], 0).ShouldBe(0);
        copy.RankOf(2, 1, [1], 0).ShouldBe(1);
    }

    [Fact]
    public void Weighted_figures_agree_with_the_plain_ones_on_repeated_rows()
    {
        var draws = new Draws(4);
        var examples = new ScoredExamples(2);
        List<(int User, bool Label, float Score)> rows = [];
        for (var n = 0; n < 400; n++)
        {
            var (user, label) = (n < 7 ? n : draws.Below(7), draws.Chance(0.3));
            var score = (float)Math.Round(draws.Unit() * 0.8 + (label ? 0.1 : 0), 1) * 0.9f + 0.05f;
            rows.Add((user, label, score));
            examples.Add((ulong)user, label, [0.5f, score]);
        }
        int[] counts = [2, 0, 1, 3, 0, 1, 1];
        var repeated = rows.SelectMany(r => Enumerable.Repeat(r, counts[r.User])).ToList();
        var (scores, labels) = (repeated.Select(r => (double)r.Score).ToArray(), repeated.Select(r => r.Label).ToArray());
        examples.Auc(1, counts).ShouldBe(BinaryMetrics.Auc(scores, labels), 1e-12);
        examples.LogLoss(1, counts).ShouldBe(BinaryMetrics.LogLoss(scores, labels), 1e-9);
        examples.Auc(0, counts).ShouldBe(0.5);
    }

    [Fact]
    public void A_step_back_beyond_its_error_bar_is_told()
    {
        FreshnessFigure Figure(params Interval[] steps) => new("auc", true, steps, steps);
        var none = new Interval(double.NaN, double.NaN, double.NaN);
        Figure(none, new(.1, .05, .15), new(-.01, -.03, .01)).IsMonotone.ShouldBeTrue();
        Figure(none, new(.1, .05, .15), new(-.02, -.03, -.01)).IsMonotone.ShouldBeFalse();
    }

    [Fact]
    public void The_picture_is_sound_xml_with_every_point_and_label()
    {
        var values = SyncInterval.All.Select((_, i) => new Interval(.5 + .01 * i, .49 + .01 * i, .51 + .01 * i)).ToList();
        var curve = new FreshnessCurve("a & b", "ftrl", SyncInterval.All, new long[7], [new("auc", true, values, values), new("logloss", false, values, values)], 1, "bars", 3);
        var svg = XDocument.Parse(CurvePlot.Svg(curve));
        XNamespace ns = "http://www.w3.org/2000/svg";
        var points = svg.Descendants(ns + "circle").ToList();
        points.Count.ShouldBe(14);
        // Larger values stand higher, and fresher ones further right.
        points.Take(7).Select(p => (double)p.Attribute("cy")!).ShouldBeInOrder(SortDirection.Descending);
        points.Take(7).Select(p => (double)p.Attribute("cx")!).ShouldBeInOrder(SortDirection.Ascending);
        var texts = svg.Descendants(ns + "text").Select(t => t.Value).ToList();
        foreach (var interval in SyncInterval.All) texts.ShouldContain(interval.Name);
        texts[0].ShouldContain("a & b");
    }

    [Fact]
    public void What_does_not_fit_is_said()
    {
        Should.Throw<FormatException>(() => FreshnessRunner.Run(new FreshnessCase("x", "magic"), Settings)).Message.ShouldContain("transitions");
        Should.Throw<FormatException>(() => FreshnessRunner.Run(new FreshnessCase(FreshnessRunner.Simulator, "ftrl", Seeds: 1), Settings));
        Should.Throw<FormatException>(() => FreshnessRunner.Run(new FreshnessCase(FreshnessRunner.Simulator, "popularity"), Settings));
        Should.Throw<DataSetException>(() => FreshnessRunner.Run(new FreshnessCase("/no/such/set", "ftrl"), Settings));
    }

    private void Show(FreshnessCurve curve)
    {
        foreach (var figure in curve.Figures)
            for (var i = 0; i < curve.Intervals.Count; i++)
                output.WriteLine($"{figure.Metric} {curve.Intervals[i].Name}: {figure.Values[i]} gain {figure.Steps[i]}");
    }
}
