using Streaming.Core.Events;
using Streaming.Core.Experiments;
using Streaming.Core.Feeds;
using Streaming.Core.Settings;
using Streaming.Evaluation.Experiments;
using Streaming.Evaluation.Simulation;
using Streaming.Experiments.Inference;
using Streaming.Experiments.Ledger;

namespace Streaming.Evaluation.Tests.Simulation;

/// <summary>A small <c>bench ab-aa</c>: seeds are fixed, so what is seen here is seen every time.</summary>
public sealed class SimulatedStudyTests
{
    private static readonly Lazy<AudiencePool> Pool = new(() => AudiencePool.Of(users: 3_000, pagesPerUser: 12, beforeShare: 1 / 3.0, seed: 3));

    [Fact]
    public void Tests_keep_to_5_percent_without_a_difference_and_the_wrong_ones_do_not()
    {
        const int runs = 200;
        var study = SimulatedStudies.Run(Pool.Value, new SimulatedPlan(Users: 1_000, LookEvery: 20, ClickRateOnly: true), runs, seed: 1);
        var (low, high) = BinomialBand.Of(runs, 0.05);
        var ctr = study.Metrics[0];
        ctr.Fixed.Value.ShouldBeInRange(low, high);
        ctr.Cuped.Value.ShouldBeInRange(low, high);
        ctr.Covered.Value.ShouldBeInRange(1 - high, 1 - low);
        ctr.Sequential.Value.ShouldBeLessThanOrEqualTo(0.05);
        study.PlainSequential.Value.ShouldBeLessThanOrEqualTo(0.05);
        study.SampleRatio.Value.ShouldBeLessThanOrEqualTo(BinomialBand.Of(runs, SampleRatio.Alpha).High);
        ctr.Naive.Value.ShouldBeGreaterThan(high, "impressions of one user are not independent");
        ctr.PeekedFixed.Value.ShouldBeGreaterThan(high, "a fixed test must not be looked at all the time");
        ctr.CupedVarianceRatio.ShouldBeLessThan(0.9, "the past explains something");
    }

    [Fact]
    public void A_planted_lift_is_found_at_the_computed_power()
    {
        const int runs = 150;
        var keeps = 1 / 1.12;
        var baseline = SimulatedStudies.ClickRateOf(Pool.Value, keeps, out var reduction, out var coming);
        var plan = new PowerPlan { VarianceReduction = reduction };
        var users = (int)(plan.UsersFor(baseline, 0.12) / coming);
        users.ShouldBeLessThan(3_000);
        var study = SimulatedStudies.Run(Pool.Value, new SimulatedPlan(users, ControlKeeps: keeps, Lift: 0.12, ClickRateOnly: true, LookEvery: 100), runs, seed: 2);
        var (low, high) = BinomialBand.Of(runs, plan.PowerFor(baseline, 0.12, study.MeanUsers));
        study.Metrics[0].Cuped.Value.ShouldBeInRange(low, high);
        study.Metrics[0].CoveredAlways.Value.ShouldBeGreaterThanOrEqualTo(0.95);
    }

    [Fact]
    public void Users_that_one_arm_loses_raise_the_alarm_and_none_lost_do_not()
    {
        SimulatedStudies.SampleRatioAlarms(10_000, lost: 0, runs: 60, seed: 1).Alarms.Happened.ShouldBe(0);
        var (alarms, median) = SimulatedStudies.SampleRatioAlarms(10_000, lost: 0.15, runs: 60, seed: 1);
        alarms.Value.ShouldBe(1);
        median.ShouldBeLessThan(6_000);
    }

    [Fact]
    public void The_study_adds_up_as_the_ledger_does()
    {
        // One experiment on whole sessions of simulated users, as events through the ledger and in place.
        var users = new AudienceSettings { Seed = 9, Users = 60, Items = 50, NewUserPerSession = 0 };
        var environment = new SimulatedUsers(users);
        var ledger = new ExperimentLedger(new LedgerLimits { HistoryHalfLifeMs = 1e15 });
        ledger.Track([new TrackedExperiment { Id = "x", Arms = ["control", "b"], Shares = [1, 1] }]);
        Dictionary<string, double[]> sums = [];
        Dictionary<string, string> session = [];
        for (var p = 0; p < 600; p++)
        {
            var request = environment.NextRequest();
            var arm = request.User.Length % 2 == 0 ? "control" : "b";
            var id = RequestId.Format($"learned~x:{arm}", 0, (ulong)p);
            var response = environment.Respond([.. request.Candidates.Take(10).Select(i => i.Id)]);
            foreach (var e in response.Events) ledger.Apply(e with { RequestId = id }, e.TimeMs);
            var mine = sums.TryGetValue(request.User, out var known) ? known : sums[request.User] = new double[Metric.Columns];
            var opens = session.GetValueOrDefault(request.User) != response.Events[0].SessionId;
            session[request.User] = response.Events[0].SessionId!;
            AudiencePool.VisitOf(0, response.Events, opens).AddTo(mine);
        }
        foreach (var metric in Metric.All)
        {
            var report = Streaming.Experiments.Reporting.ReportBuilder.Build(ledger, "x", new Streaming.Experiments.Reporting.ReportPlan())!;
            var row = report.Metrics.Single(r => r.Metric == metric.Name);
            row.Control.ShouldBe(Expected(metric, even: true), 1e-9, metric.Name);
            row.Value.ShouldBe(Expected(metric, even: false), 1e-9, metric.Name);
        }

        double Expected(Metric metric, bool even)
        {
            var arm = sums.Where(s => s.Key.Length % 2 == 0 == even).Select(s => s.Value).ToList();
            return arm.Sum(s => s[(int)metric.Above]) / (metric.Below is { } below ? arm.Sum(s => s[(int)below]) : arm.Count);
        }
    }
}
