using Streaming.Core.Events;
using Streaming.Evaluation.Ctr;
using Streaming.Evaluation.DataSets;
using Streaming.Evaluation.Protocols;
using Streaming.Models.Ranking;
using Streaming.Models.Ranking.MultiTask;
using Streaming.Suites;

namespace Streaming.Evaluation.Tests.Ctr;

/// <summary>Rankers trained on rows by time: splits, keys, training, and the real sets' rows.</summary>
public sealed class CtrChronologicalTests
{
    /// <summary>Large steps: a taste that shows in pairs alone has no slope to go down at the start.</summary>
    private static CtrOptions Quick => new() { EpochsMax = 12, BatchSize = 64, Patience = 8, ChecksPerEpoch = 1, Ranker = new RankerOptions { Dim = 8, Rate = 5e-3f } };

    /// <summary>Requests of three rows, a second apart, two at each moment; the label is whether target and history are of one kind.</summary>
    private static CtrRows Planted(int requests, int tasks = 1)
    {
        var draws = new Draws(7);
        var rows = new List<CtrRow>();
        for (var request = 0; request < requests; request++)
        {
            var (time, taste) = (request / 2 * 1000L + 1000, draws.Below(2));
            ulong[][][] steps = [.. Enumerable.Range(0, 3).Select(_ => (ulong[][])[[CtrKeys.Of(0, (ulong)(taste * 10 + draws.Below(10)))]])];
            for (var i = 0; i < 3; i++)
            {
                var item = draws.Below(20);
                var label = draws.Chance(item / 10 == taste ? 0.8 : 0.1) ? time : CtrRow.Never;
                rows.Add(new CtrRow((ulong)(request % 50), request, time, [[CtrKeys.Of(0, (ulong)item)], [CtrKeys.Of(1, (ulong)draws.Below(3))]], steps, [.. Enumerable.Repeat(label, tasks)]));
            }
        }
        return new CtrRows("planted", ["item", "noise"], 1, 3, [.. Enumerable.Range(0, tasks).Select(t => $"task{t}")], rows);
    }

    [Fact]
    public void Requests_and_moments_stay_whole_and_nothing_of_the_test_is_seen_by_the_twin()
    {
        var rows = Planted(100).Rows;
        var split = CtrSplit.Of(rows, validation: false);
        split.Fit.Count.ShouldBe(72 * 3);
        split.Validation.Count.ShouldBe(8 * 3);
        split.Test.Count.ShouldBe(20 * 3);
        split.Fit.Max(r => r.TimeMs).ShouldBeLessThan(split.Validation.Min(r => r.TimeMs));
        split.Validation.Max(r => r.TimeMs).ShouldBeLessThan(split.Test.Min(r => r.TimeMs));
        var twin = CtrSplit.Of(rows, validation: true);
        twin.Test.Max(r => r.TimeMs).ShouldBeLessThan(split.Test.Min(r => r.TimeMs));
        twin.EndMs.ShouldBeLessThan(split.TestFromMs);
        Should.Throw<InvalidOperationException>(() => CtrSplit.Of(rows.Take(3).ToList(), validation: false));
    }

    [Fact]
    public void A_label_that_comes_after_the_split_is_not_learned()
    {
        var row = new CtrRow(1, 0, 1000, [[1]], [], [1000, 5000]);
        row.Label(1, 4999).ShouldBeFalse();
        row.Label(1, 5000).ShouldBeTrue();
        var shape = new RankerShape(1) { Tasks = 2 };
        var batch = new FieldBatch(shape);
        new CtrRowWriter(shape, readsSequence: false, [row], rareBelow: 1).Write(batch, row, 4999);
        batch.Labels.ToArray().ShouldBe([1f, 0f]);
    }

    [Fact]
    public void Rare_values_share_a_key_and_the_history_is_pooled_or_written_step_by_step()
    {
        var rows = Planted(40);
        ulong often = CtrKeys.Of(0, 1), once = CtrKeys.Of(0, 999);
        CtrRow Row(ulong item) => new(1, 0, 0, [[item], []], [[[often]], [[once]]], [CtrRow.Never]);
        var batch = new FieldBatch(rows.Shape);
        new CtrRowWriter(rows.Shape, readsSequence: false, rows.Rows, rareBelow: 2).Write(batch, Row(once), 0);
        batch.Keys.ToArray().ShouldBe([CtrKeys.Rare(0), CtrKeys.Pooled(0, often), CtrKeys.Pooled(0, CtrKeys.Rare(0))]);
        batch.KeyWeights.ToArray().ShouldBe([1f, 0.5f, 0.5f]);
        batch.Steps(0).ShouldBe(0);
        batch.Clear();
        new CtrRowWriter(rows.Shape, readsSequence: true, rows.Rows, rareBelow: 2).Write(batch, Row(often), 0);
        batch.Keys.ToArray().ShouldBe([often, often, CtrKeys.Rare(0)]);
        batch.Steps(0).ShouldBe(2);
    }

    [Fact]
    public void Values_are_hidden_while_learning_only_and_as_often_as_said()
    {
        var rows = Planted(400);
        var writer = new CtrRowWriter(rows.Shape, readsSequence: false, rows.Rows, rareBelow: 1, hiddenShare: 0.25);
        var batch = new FieldBatch(rows.Shape);
        double Hidden(bool learning)
        {
            batch.Clear();
            foreach (var row in rows.Rows) writer.Write(batch, row, 0, learning);
            return Enumerable.Range(0, batch.Count).Average(r => batch.Keys[batch.FieldAt(r, 0).Start] == CtrKeys.Rare(0) ? 1.0 : 0);
        }
        Hidden(learning: true).ShouldBe(0.25, 0.05);
        Hidden(learning: false).ShouldBe(0);
    }

    [TorchFact]
    public void A_training_starts_at_the_rates_of_all_tasks()
    {
        // Nothing is learned yet, and vectors of 0 leave the dense biases alone.
        var rows = Planted(400);
        var options = Quick with { Ranker = Quick.Ranker with { InitScale = 0 } };
        var split = CtrSplit.Of(rows.Rows, validation: false);
        var rate = split.Fit.Average(r => r.Label(0, split.ValidationFromMs - 1) ? 1.0 : 0);
        new CtrTraining(Rankers.Find("lr"), rows.Shape, split, [options], 1).Predict(split.Test)[0].ShouldAllBe(p => Math.Abs(p - rate) < 0.002);
        var esmm = new Esmm(rows.Shape with { Tasks = 2 }, options.Ranker);
        var start = esmm.LogOddsOf([0.2, 0.01]);
        Sigmoid(start[0]).ShouldBe(0.2, 1e-4);
        (Sigmoid(start[0]) * Sigmoid(start[1])).ShouldBe(0.01, 1e-4, "a later task's is among the clicked");

        static double Sigmoid(float x) => 1 / (1 + Math.Exp(-x));
    }

    [TorchFact]
    public void What_only_the_validation_part_shows_is_learned_in_the_end()
    {
        // An item that comes with the validation part, and is always clicked there.
        var rows = Planted(1000);
        var split = CtrSplit.Of(rows.Rows, validation: false);
        ulong[][] fields = [[CtrKeys.Of(0, 777)], [CtrKeys.Of(1, 1)]];
        split = split with { Validation = [.. split.Validation.Select(r => r with { Fields = fields, LabelMs = [r.TimeMs] })] };
        double Predicted(bool refits)
        {
            var training = new CtrTraining(Rankers.Find("lr"), rows.Shape, split, [Quick with { Refits = refits, RareBelow = 5 }], 1);
            training.Fit(null, null, null, default);
            return training.Predict([split.Test[0] with { Fields = fields }])[0][0];
        }
        Predicted(refits: true).ShouldBeGreaterThan(Predicted(refits: false) + 0.1);
    }

    [TorchFact]
    public void A_taste_that_only_pairs_show_is_found_by_what_reads_pairs()
    {
        var rows = Planted(1500);
        var options = Quick;
        IReadOnlyList<Figure> Run(string model) => new CtrChronological().Run(rows, [options], new EvaluationCase(model, "", 1), default);
        double Auc(string model) => Run(model).Single(f => f.Metric == "auc").Value;
        Auc("lr").ShouldBeLessThan(0.65);
        Auc("fm").ShouldBeGreaterThan(0.8);
        Auc("din").ShouldBeGreaterThan(0.8);
        Run("fm").Select(f => f.Metric).ShouldBe(["auc", "gauc", "gauc-users", "logloss", "ne", "calibration"]);
        Run("fm").ShouldBe(Run("fm"), "the same seed");
    }

    [TorchFact]
    public void Several_tasks_have_figures_each_and_one_network_for_each_is_the_yardstick()
    {
        var rows = Planted(600, tasks: 2);
        var options = Quick;
        foreach (var model in new[] { MultiTaskChronological.SingleTask, "esmm" })
        {
            var figures = new MultiTaskChronological().Run(rows, [options], new EvaluationCase(model, "", 1), default).ToDictionary(f => f.Metric, f => f.Value);
            figures["auc@task0"].ShouldBeGreaterThan(0.7, model);
            figures["gauc@task1"].ShouldBeGreaterThan(0.6, model);
            double.IsNaN(figures["after-task0-auc@task1"]).ShouldBeTrue("every clicked row has the second label");
        }
    }

    [Theory]
    [InlineData("", "")]
    [InlineData("-1", "-1")]
    [InlineData("2", "2")]
    [InlineData("3", "3")]
    [InlineData("1000", "49")]
    public void Numbers_are_put_into_buckets_that_widen(string value, string bucket) => CtrSources.Bucket(value).ShouldBe(bucket);

    [DataFact("ctr")]
    public void The_ad_sets_rows_have_their_rates()
    {
        foreach (var (file, rate, fields) in new[]
        {
            ("criteo_first10000.train.tsv.gz", 0.2182, 39), ("avazu-ctr-prediction_train_1w.csv.gz", 0.1706, 21), ("taobao_data_sample_1w.csv.gz", 0.0435, 17),
        })
        {
            var rows = CtrSources.Open(Path.Combine(SharedData.Find("ctr")!, file), default);
            rows.Rows.Average(r => r.Label(0, CtrRow.Never - 1) ? 1.0 : 0).ShouldBe(rate, 0.0001, file);
            rows.FieldNames.Count.ShouldBe(fields);
            rows.Rows.ShouldAllBe(r => r.Fields.Length == fields);
        }
    }

    [DataFact("ranklens")]
    public void RankLens_lists_stay_whole_and_histories_are_earlier_clicks()
    {
        var rows = CtrSources.Open(SharedData.Find("ranklens")!, default).Rows;
        rows.Count.ShouldBe(235_200);
        rows.Count(r => r.Label(0, CtrRow.Never - 1)).ShouldBeInRange(46_000, 46_125);
        rows.GroupBy(r => r.Request).ShouldAllBe(g => g.Count() == 24);
        // Nobody has a history at the first moment.
        rows.Where(r => r.TimeMs == rows[0].TimeMs).ShouldAllBe(r => r.Steps.Length == 0);
        CtrSplit.Of(rows, validation: false).Test.GroupBy(r => r.Request).ShouldAllBe(g => g.Count() == 24);
    }

    [Fact]
    public void Globo_rows_ask_for_the_next_click_among_what_was_clicked_within_the_hour()
    {
        // Twelve sessions that read four articles each, a minute apart, the first of them hours after the article 99 of the first session.
        var folder = Directory.CreateTempSubdirectory("streaming-globo-").FullName;
        try
        {
            const long hour = 3_600_000, start = 1_506_800_000_000;
            var clicks = Enumerable.Range(0, 12).SelectMany(s => Enumerable.Range(0, 4).Select(i => (Session: s + 1, Article: 10 + (s + i) % 6, Time: start + 5 * hour + (s * 4 + i) * 60_000L)));
            File.WriteAllText(Path.Combine(folder, "clicks_hour_000.csv"),
                "user_id,session_id,session_start,session_size,click_article_id,click_timestamp,click_environment,click_deviceGroup,click_os,click_country,click_region,click_referrer_type\n"
                + string.Concat(clicks.Prepend((Session: 77, Article: 99, Time: start)).Select(c => $"{c.Session},{c.Session},{start},4,{c.Article},{c.Time},4,1,17,1,25,1\n")));
            var rows = CtrSources.Open(folder, default).Rows;
            rows.ShouldNotBeEmpty();
            foreach (var request in rows.GroupBy(r => r.Request))
            {
                request.Count(r => r.Label(0, CtrRow.Never - 1)).ShouldBe(1);
                request.ShouldAllBe(r => r.Steps.Length >= 1 && r.Steps.All(s => s[0][0] != r.Fields[0][0]), "what the session has read is not asked for");
                request.Select(r => r.Fields[0][0]).Distinct().Count().ShouldBe(request.Count());
            }
            var old = CtrKeys.Of(0, global::Streaming.Core.Ids.StableHash.Of("99"));
            rows.ShouldAllBe(r => r.Fields[0][0] != old, "nobody clicked it within the hour");
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [DataFact("taobao-behavior")]
    public void Taobao_funnel_labels_follow_a_view_within_a_day()
    {
        var set = (TaobaoBehavior)global::Streaming.Evaluation.DataSets.DataSets.Open(SharedData.Find("taobao-behavior")!);
        var rows = TaobaoFunnelRows.Of(set, default).Rows;
        var views = rows.Where(r => r.LabelMs[0] != CtrRow.Never).ToList();
        var clicks = set.Events(1).Count(e => e.Kind == EventKind.Click);
        views.Count.ShouldBeInRange(clicks - 100, clicks);
        views.ShouldAllBe(r => r.LabelMs.All(t => t == CtrRow.Never || (t >= r.TimeMs && t <= r.TimeMs + 86_400_000)));
        rows.Where(r => r.LabelMs[0] == CtrRow.Never).ShouldAllBe(r => r.LabelMs[1] == CtrRow.Never && r.LabelMs[2] == CtrRow.Never);
        views.Count(r => r.LabelMs[2] != CtrRow.Never).ShouldBeGreaterThan(500);
        rows.GroupBy(r => r.Request).Average(g => g.Count()).ShouldBe(3, 0.1);
    }
}
