using System.Text.Json;
using Streaming.Core.Settings;
using Streaming.Learning.Deep;

namespace Streaming.Learning.Tests.Deep;

public sealed class CanaryTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(-1f, "log-loss")]
    [InlineData(float.NaN, "not finite")]
    public void A_poisoned_model_is_never_served_and_the_learner_goes_back_by_itself(float factor, string reason)
    {
        var (rig, gradient) = (new DeepRig(), 1f);
        using var worker = DeepWorker.Open(rig.Parts(_folder.Sub("worker"), onModel: m => m.GradientFactor = () => gradient));
        using var replica = rig.Replica();
        var served = new List<(long Version, double Good)>();
        replica.TakenOver = update => served.Add((update.Head.Version, Separation(replica)));
        Turns(150);
        var before = replica.Version;
        before.ShouldBeGreaterThan(0);
        gradient = factor;
        Turns(25);
        gradient = 1f;
        worker.Learner.Rollbacks.ShouldBeGreaterThan(0);
        var bad = worker.Ledger.Last.Where(e => e.Verdict == LedgerEntry.RolledBack).ToList();
        bad.ShouldNotBeEmpty();
        bad.ShouldContain(e => e.Reason.Contains(reason));
        var poisoned = worker.Learner.Steps;
        Turns(60);
        replica.Version.ShouldBeGreaterThan(poisoned, "learning goes on and versions are promoted again");
        foreach (var (version, good) in served.Where(s => s.Version >= before)) good.ShouldBeGreaterThan(0.1, $"version {version}");
        foreach (var entry in bad) served.ShouldNotContain(s => s.Version == entry.Version);
        foreach (var table in worker.Learner.Model.Weights.Tables)
            foreach (var key in table.Table.Keys)
                (table.Table.TryGet(key, out var row) && !row.ContainsAnyExceptInRange(float.MinValue, float.MaxValue)).ShouldBeTrue();
        rig.Notices.ShouldContain(n => n.Contains("is not served"));

        void Turns(int count)
        {
            for (var i = 0; i < count; i++)
            {
                WorkerTests.Turn(rig, worker);
                DeepRig.CatchUp(replica);
            }
        }
    }

    [Fact]
    public void After_going_back_the_learner_holds_the_serving_weights_and_the_optimizer_of_the_last_good_state()
    {
        var (rig, gradient) = (new DeepRig(), 1f);
        using var worker = DeepWorker.Open(rig.Parts(_folder.Sub("worker"), onModel: m => m.GradientFactor = () => gradient));
        for (var i = 0; i < 50; i++) WorkerTests.Turn(rig, worker);
        gradient = float.NaN;
        while (worker.Learner.Rollbacks == 0)
        {
            rig.Append(8);
            worker.Pump();
            rig.Time.NowMs += 10;
        }
        DeepRig.WeightsOf(worker.Learner.Model).ShouldBe(DeepRig.WeightsOf(worker.Learner.Serving));
        worker.Learner.IsJudging.ShouldBeFalse();
        var state = new LogisticModel();
        state.Load(new MemoryStream(DeepRig.StateOf(worker.Learner.Model)));
        state.Learned.ShouldBeInRange(20, (int)worker.Learner.Steps - 1);
    }

    [Fact]
    public void A_model_in_order_is_promoted_within_seconds()
    {
        var rig = new DeepRig(settings: DeepRig.DefaultSettings with { Deep = new DeepSettings { BatchSizeMax = 64, CanaryExamples = 256 } });
        using var worker = DeepWorker.Open(rig.Parts(_folder.Sub("worker")));
        using var replica = rig.Replica();
        var oldest = 0L;
        for (var second = 0; second < 60; second++)
        {
            // 200 examples a second, as they come.
            for (var i = 0; i < 10; i++)
            {
                rig.Append(20, repeats: false);
                DeepRig.Drain(worker);
                rig.Time.NowMs += 100;
            }
            DeepRig.CatchUp(replica);
            if (second >= 10) oldest = Math.Max(oldest, worker.Learner.NewestMs - replica.NewestMs);
        }
        // The rig's event time runs at 100 ms an example: 200 of them are one second of the clock.
        (oldest / 100 / 200.0).ShouldBeLessThan(5, "the publishing interval, the canary's window and a batch");
        worker.Learner.Promotions.ShouldBeGreaterThan(15);
    }

    [Fact]
    public void Without_a_canary_versions_are_published_unseen_but_never_with_a_weight_that_is_not_finite()
    {
        var (rig, gradient) = (new DeepRig(settings: DeepRig.DefaultSettings with { Deep = DeepRig.DefaultSettings.Deep with { CanaryExamples = 0 } }), 1f);
        using var worker = DeepWorker.Open(rig.Parts(_folder.Sub("worker"), onModel: m => m.GradientFactor = () => gradient));
        for (var i = 0; i < 10; i++) WorkerTests.Turn(rig, worker);
        worker.Learner.Promoted.ShouldBeGreaterThan(worker.Learner.Steps - 4);
        gradient = float.NaN;
        for (var i = 0; i < 5; i++) WorkerTests.Turn(rig, worker);
        worker.Learner.Rollbacks.ShouldBeGreaterThan(0);
        DeepRig.Predictions((batch, into) => worker.Learner.Serving.Predict(batch, into)).ShouldAllBe(p => float.IsFinite(p));
    }

    [Fact]
    public void The_ledger_is_read_again_by_lines_and_holds_every_verdict_once()
    {
        var rig = new DeepRig();
        var folder = _folder.Sub("worker");
        using (var worker = DeepWorker.Open(rig.Parts(folder)))
            for (var i = 0; i < 40; i++) WorkerTests.Turn(rig, worker);
        var path = Path.Combine(folder, "ledger.jsonl");
        var whole = File.ReadAllText(path);
        // A kill in the middle of a line; the steps since the last checkpoint are done again.
        File.WriteAllText(path, whole[..^30]);
        using (DeepWorker.Open(rig.Parts(folder)))
        {
            var lines = File.ReadAllLines(path);
            var entries = lines.Where(l => l.EndsWith('}')).Select(l => JsonDocument.Parse(l).RootElement).ToList();
            var steps = entries.Select(e => e.GetProperty("step").GetInt64()).ToList();
            steps.ShouldBeUnique();
            steps.ShouldBeInOrder();
            steps.Count.ShouldBe(whole.Split('\n').Length - 1);
            var last = entries[^1];
            last.GetProperty("model").GetString().ShouldBe("logistic");
            last.GetProperty("verdict").GetString().ShouldBe("promoted");
            last.GetProperty("examples").GetInt32().ShouldBeGreaterThanOrEqualTo(64);
            last.GetProperty("candidate").GetProperty("log_loss").GetDouble().ShouldBeInRange(0.3, 0.8);
            last.GetProperty("serving").GetProperty("calibration").GetDouble().ShouldBeInRange(0.5, 2);
        }
    }

    [Fact]
    public void Verdicts_by_hand()
    {
        var settings = new DeepSettings { CanaryExamples = 4, CanaryLossTolerance = 0.1, CanaryCalibrationTolerance = 0.5, CanaryAucTolerance = 0.1 };
        var none = 0.0;
        // Equal versions pass; log-loss of .5 is ln 2, its calibration with half positive is 1.
        var even = Run(DeepScores.Probabilities, [0.5f, 0.5f, 0.5f, 0.5f], [0.5f, 0.5f, 0.5f, 0.5f]);
        even.IsDone.ShouldBeTrue();
        even.Objection(ref none).ShouldBeNull();
        even.Candidate.LogLoss.ShouldBe(Math.Log(2), 1e-6);
        even.Candidate.NormalisedEntropy.ShouldBe(1, 1e-6);
        even.Candidate.Calibration.ShouldBe(1);
        even.Candidate.Auc.ShouldBe(0.5);
        Run(DeepScores.Probabilities, [0.2f, 0.8f, 0.2f, 0.8f], [0.8f, 0.2f, 0.8f, 0.2f]).Objection(ref none)!.ShouldStartWith("log-loss 1.6094 against 0.2231");
        Run(DeepScores.Probabilities, [0.8f, 0.2f, 0.8f, 0.2f], [0.2f, 0.8f, 0.2f, 0.8f]).Objection(ref none).ShouldBeNull();
        Run(DeepScores.Probabilities, [0.6f, 0.02f, 0.25f, 0.01f], [0.5f, 0.5f, 0.5f, 0.5f]).Objection(ref none)!.ShouldStartWith("calibration 0.440");
        Run(DeepScores.Probabilities, [float.NaN, 0.5f, 0.5f, 0.5f], [0.5f, 0.5f, 0.5f, 0.5f]).Objection(ref none).ShouldBe("a prediction is not finite");
        Run(DeepScores.Ranking, [5f, 3f, 4f, -2f], [9f, 1f, 8f, 2f]).Objection(ref none).ShouldBeNull();
        Run(DeepScores.Ranking, [5f, 6f, 4f, -2f], [9f, 1f, 8f, 2f]).Objection(ref none).ShouldBe("AUC 0.5000 is below 1.0000");

        // Small steps add up: 4.4 % worse each time, of which the tolerance takes two; a better one takes some back.
        var (excess, worse) = (0.0, Run(DeepScores.Probabilities, [0.485f, 0.515f, 0.485f, 0.515f], [0.5f, 0.5f, 0.5f, 0.5f]));
        for (var i = 0; i < 2; i++) worse.Objection(ref excess).ShouldBeNull();
        excess.ShouldBe(2 * (Math.Log(0.5 / 0.485) / Math.Log(2)), 1e-6);
        worse.Objection(ref excess).ShouldNotBeNull();
        excess.ShouldBeLessThan(0.1);
        Run(DeepScores.Probabilities, [0.515f, 0.485f, 0.515f, 0.485f], [0.5f, 0.5f, 0.5f, 0.5f]).Objection(ref excess).ShouldBeNull();
        worse.Objection(ref excess).ShouldBeNull();

        // Positive, negative, positive, negative.
        Canary Run(DeepScores scores, float[] candidate, float[] serving)
        {
            var canary = new Canary(scores, settings);
            for (var i = 0; i < candidate.Length; i++) canary.Add(candidate[i], serving[i], i % 2 == 0, 1);
            return canary;
        }
    }

    /// <summary>Mean prediction for alike groups less that for others: what was planted.</summary>
    private static double Separation(ModelReplica replica)
    {
        var predictions = DeepRig.Predictions((batch, into) => replica.Predict(batch, into));
        var (alike, other) = (new List<double>(), new List<double>());
        for (var i = 0; i < predictions.Length; i++)
            (i / DeepRig.Items % 3 == i % DeepRig.Items % 3 ? alike : other).Add(predictions[i]);
        return alike.Average() - other.Average();
    }
}
