using Streaming.Core.Events;
using Streaming.Core.Experiments;
using Streaming.Core.Feeds;
using Streaming.Core.Settings;
using Streaming.Experiments.Ledger;
using Streaming.Experiments.Reporting;
using Streaming.Experiments.Splitting;

namespace Streaming.Experiments.Tests.Reporting;

/// <summary>What a report claims, and what guard-rails do about it.</summary>
public sealed class ReportTests
{
    private const long T0 = 1_750_000_000_000;

    private sealed class Recorded : IExperimentActions
    {
        public List<(string Experiment, string Arm, string Reason)> Stopped { get; } = [];
        public bool Fails { get; set; }

        public Task StopArmAsync(string experiment, string arm, string reason, CancellationToken cancel)
        {
            if (Fails) throw new InvalidOperationException("not now");
            Stopped.Add((experiment, arm, reason));
            return Task.CompletedTask;
        }
    }

    private static readonly GuardRail Ctr = new(Metric.Ctr, 0.05);

    [Fact]
    public void A_better_arm_is_told_in_plain_words()
    {
        var report = ReportBuilder.Build(Browsed(users: 2_000, control: 0.2, arm: 0.3), "x", new ReportPlan())!;
        var row = report.Metrics.Single(r => r.Primary);
        row.Verdict.ShouldBe(Verdict.Better);
        row.Interval.Contains(0.5).ShouldBeTrue();
        row.Interval.ExcludesZero.ShouldBeTrue();
        row.FixedInterval.Low.ShouldBeGreaterThan(row.Interval.Low, "one look needs a narrower interval");
        report.Meaning.ShouldContain(s => s.StartsWith("b is better than control in ctr (clicks per shown item): +"));
        report.SampleRatio.IsMismatch.ShouldBeFalse();
    }

    [Fact]
    public void Little_data_and_no_difference_are_told_apart()
    {
        ReportBuilder.Build(Browsed(users: 100, control: 0.2, arm: 0.2), "x", new ReportPlan())!.Metrics[0].Verdict.ShouldBe(Verdict.TooEarly);
        var same = ReportBuilder.Build(Browsed(users: 1_000, control: 0.2, arm: 0.2), "x", new ReportPlan())!;
        same.Metrics[0].Verdict.ShouldBe(Verdict.Open);
        same.Meaning.ShouldContain(s => s.Contains("no difference in ctr"));
        ReportBuilder.Build(Browsed(users: 0, control: 0.2, arm: 0.2), "x", new ReportPlan())!.Metrics.ShouldAllBe(r => r.Verdict == Verdict.TooEarly);
        ReportBuilder.Build(Browsed(users: 10, control: 0.2, arm: 0.2), "y", new ReportPlan()).ShouldBeNull();
    }

    [Fact]
    public void A_split_that_is_wrong_comes_before_everything_else()
    {
        var report = ReportBuilder.Build(Browsed(users: 2_000, control: 0.2, arm: 0.3, lost: 0.2), "x", new ReportPlan())!;
        report.SampleRatio.IsMismatch.ShouldBeTrue();
        report.SampleRatio.PValue.ShouldBeLessThan(1e-4);
        report.Meaning[0].ShouldStartWith("Do not trust these figures");
    }

    [Fact]
    public async Task An_arm_that_harms_a_guard_rail_is_stopped()
    {
        var plan = new ReportPlan { GuardRails = [Ctr] };
        var actions = new Recorded { Fails = true };
        var monitor = new GuardRailMonitor(actions);
        var report = ReportBuilder.Build(Browsed(users: 2_000, control: 0.3, arm: 0.2), "x", plan)!;
        report.GuardRails.Single().State.ShouldBe(RailState.Harmed);
        await Should.ThrowAsync<InvalidOperationException>(() => monitor.LookAsync(report));
        actions.Fails = false;
        (await monitor.LookAsync(report)).ShouldBe(["b"], "what could not be carried out is tried again");
        (await monitor.LookAsync(report with { Arms = [report.Arms[0], report.Arms[1] with { Stopped = true }] })).ShouldBeEmpty();
        var (experiment, arm, reason) = actions.Stopped.Single();
        (experiment, arm).ShouldBe(("x", "b"));
        reason.ShouldStartWith("guard-rail: ctr -");
    }

    [Fact]
    public async Task Losses_within_the_margin_stop_nothing()
    {
        var plan = new ReportPlan { GuardRails = [new(Metric.Ctr, 0.5), new(Metric.All.Single(m => m.Name == "dislike_rate"), 0)] };
        var report = ReportBuilder.Build(Browsed(users: 2_000, control: 0.3, arm: 0.25), "x", plan)!;
        report.GuardRails.Select(r => r.State).ShouldBe([RailState.Safe, RailState.TooEarly]);
        (await new GuardRailMonitor(new Recorded()).LookAsync(report)).ShouldBeEmpty();
    }

    [Fact]
    public void A_rise_from_nothing_is_harm_where_lower_is_better()
    {
        var ledger = Browsed(users: 1_000, control: 0.2, arm: 0.2);
        for (var u = 1; u < 1_000; u += 4) Apply(ledger, $"u{u}", "b", EventKind.Hide, T0 + 10);
        var plan = new ReportPlan { GuardRails = [new(Metric.All.Single(m => m.Name == "dislike_rate"), 0.1)] };
        ReportBuilder.Build(ledger, "x", plan)!.GuardRails.Single().State.ShouldBe(RailState.Harmed);
    }

    [Fact]
    public void The_plan_of_a_definition_is_taken_over_and_checked()
    {
        var definition = new ExperimentDefinition
        {
            Name = "x", Layer = "l", Analysis = new AnalysisDefinition
            {
                Primary = ["revenue_per_user"], Alpha = 0.1, Lift = 0.2, Cuped = false, GuardRails = [new GuardRailDefinition { Metric = "ctr", Margin = 0.02 }],
            },
        };
        var plan = ReportPlan.Of(definition);
        plan.Primary.Single().Name.ShouldBe("revenue_per_user");
        (plan.Alpha, plan.Lift, plan.UseCuped).ShouldBe((0.1, 0.2, false));
        plan.GuardRails.Single().ShouldBe(new GuardRail(Metric.Ctr, 0.02));
        var problems = new SettingsProblems();
        new AnalysisDefinition { Primary = ["clicks"], Alpha = 2, GuardRails = [new GuardRailDefinition { Metric = "ctr", Margin = -1 }] }.Validate(problems, "analysis");
        problems.List.Count.ShouldBe(3);
        problems.List.ShouldContain(p => p.StartsWith("analysis:clicks: is no metric; there are ctr,"));
    }

    [Fact]
    public void The_ledger_follows_the_buckets_that_arms_really_hold()
    {
        var definitions = new ExperimentDefinitions
        {
            Layers = [new LayerDefinition { Name = "l" }], Testers = ["qa"],
            Experiments =
            [
                new ExperimentDefinition
                {
                    Name = "x", Layer = "l", State = ExperimentState.Running, Share = 0.1, Forced = new() { ["ann"] = "b" },
                    Arms = [new ArmDefinition { Name = "control", Weight = 2 }, new ArmDefinition { Name = "b" }, new ArmDefinition { Name = "c", Stopped = true }],
                },
            ],
        };
        var running = ExperimentPlanner.Next(ExperimentsVersion.None, definitions, "", "", T0);
        var settings = new ExperimentsSettings { HoldoutShare = 0.05, ArmShares = new() { ["din"] = 0.2 } };
        var tracked = TrackedExperiments.Of(running, settings);
        tracked[0].Arms.ShouldBe(["learned", "holdout", "din"]);
        tracked[0].Shares.ShouldBe([0.75, 0.05, 0.2], 1e-12);
        tracked[0].Excluded.ShouldBe(["qa"]);
        tracked[1].Shares.ShouldBe([50, 25, 0]);
        tracked[1].Stopped.ShouldBe(["c"]);
        tracked[1].Excluded.ShouldBe(["ann", "qa"]);
        tracked[1].EndMs.ShouldBe(long.MaxValue);
        var killed = ExperimentPlanner.Next(running, definitions.With(definitions.Experiments[0] with { State = ExperimentState.Killed }), "", "", T0 + 5);
        TrackedExperiments.Of(killed, settings)[1].EndMs.ShouldBe(T0 + 5);
    }

    /// <summary>Users by turns in control and b; each sees ten items and clicks each with about the chance of their arm.</summary>
    private static ExperimentLedger Browsed(int users, double control, double arm, double lost = 0)
    {
        var ledger = new ExperimentLedger(new LedgerLimits());
        ledger.Track([new TrackedExperiment { Id = "x", Arms = ["control", "b"], Shares = [1, 1] }]);
        var draws = new Random(17);
        for (var u = 0; u < users; u++)
        {
            var name = u % 2 == 0 ? "control" : "b";
            if (u % 2 == 1 && draws.NextDouble() < lost) continue;
            var shown = Enumerable.Range(0, 10).Select(i => new ShownItem($"i{i}", i)).ToArray();
            ledger.Apply(new UserEvent { Kind = EventKind.Impression, Type = "impression", User = $"u{u}", TimeMs = T0, Items = shown, RequestId = Id(name) }, T0);
            for (var i = 0; i < 10; i++)
                if (draws.NextDouble() < (u % 2 == 0 ? control : arm)) Apply(ledger, $"u{u}", name, EventKind.Click, T0 + 1 + i);
        }
        return ledger;
    }

    private static void Apply(ExperimentLedger ledger, string user, string arm, EventKind kind, long timeMs) =>
        ledger.Apply(new UserEvent { Kind = kind, Type = EventKinds.Name(kind), User = user, TimeMs = timeMs, Item = "i", RequestId = Id(arm) }, timeMs);

    private static string Id(string arm) => RequestId.Format($"learned~x:{arm}", 1, 7);
}
