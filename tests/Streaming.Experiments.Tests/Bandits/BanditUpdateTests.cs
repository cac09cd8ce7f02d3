using Streaming.Core.Experiments;
using Streaming.Core.Settings;
using Streaming.Experiments.Bandits;
using Streaming.Experiments.Splitting;

namespace Streaming.Experiments.Tests.Bandits;

public sealed class BanditUpdateTests
{
    private static readonly ExperimentDefinition Experiment = new()
    {
        Name = "mmr", Layer = "l", State = ExperimentState.Running, Share = 1, Bandit = new BanditDefinition { Floor = 0.1, EveryMinutes = 10 },
        Arms = [new() { Name = "a" }, new() { Name = "b" }, new() { Name = "c", Weight = 2, Stopped = true }],
    };

    private static readonly Dictionary<string, ArmSums> Sums = new()
    {
        ["a"] = new("a", 1000, 100, 1000, 100, 100, 1000), ["b"] = new("b", 1000, 200, 1000, 200, 200, 1000),
    };

    private static ExperimentDefinitions Of(ExperimentDefinition experiment) => new() { Layers = [new() { Name = "l" }], Experiments = [experiment] };

    [Fact]
    public void It_is_due_at_its_interval_while_the_experiment_shows()
    {
        BanditUpdate.Due(Of(Experiment), 600_000).ShouldHaveSingleItem();
        BanditUpdate.Due(Of(Experiment with { Bandit = Experiment.Bandit! with { UpdatedMs = 1 } }), 600_000).ShouldBeEmpty();
        BanditUpdate.Due(Of(Experiment with { State = ExperimentState.Stopped }), 600_000).ShouldBeEmpty();
        BanditUpdate.Due(Of(Experiment with { Bandit = null }), 600_000).ShouldBeEmpty();
    }

    [Fact]
    public void The_better_arm_gets_all_but_the_floor_and_a_stopped_one_keeps_its_part()
    {
        var next = BanditUpdate.Next(Experiment, Sums, 600_000)!;
        next.Arms.Select(a => a.Weight).ShouldBe([0.2, 1.8, 2]);
        next.Bandit!.ShouldBe(Experiment.Bandit! with { Updates = 1, UpdatedMs = 600_000 });
        // Nothing new: no version.
        BanditUpdate.Next(next, Sums, 1_200_000).ShouldBeNull();
    }

    [Fact]
    public void A_change_keeps_users_in_their_arms_as_far_as_the_weights_let_them_and_stands_in_the_audit()
    {
        var first = ExperimentPlanner.Next(ExperimentsVersion.None, Of(Experiment), "ann", "", 1);
        var second = ExperimentPlanner.Next(first, Of(BanditUpdate.Next(Experiment, Sums, 600_000)!), BanditUpdate.Author, "", 600_000);
        second.Changes.ShouldBe(["experiment mmr: weight of a 1 -> 0.2, weight of b 1 -> 1.8"]);
        // 1,000 buckets: a had 250 and has 50 now.
        BucketAllocator.Moved(first.Layers["l"], second.Layers["l"]).ShouldBe(200);
        var splitter = new TrafficSplitter(new ExperimentsSettings { HoldoutShare = 0 });
        splitter.Apply(first, 1);
        var before = Enumerable.Range(0, 4000).ToDictionary(u => $"u{u}", u => splitter.ArmOf($"u{u}"));
        splitter.Apply(second, 600_000);
        before.Count(u => u.Value.EndsWith(":b", StringComparison.Ordinal) && splitter.ArmOf(u.Key) != u.Value).ShouldBe(0);
    }

    [Fact]
    public void Arms_without_users_are_as_likely_the_best_as_any()
    {
        var next = BanditUpdate.Next(Experiment with { Arms = [.. Experiment.Arms.Take(2).Select((a, i) => a with { Weight = 1 + i })] }, new Dictionary<string, ArmSums>(), 1)!;
        next.Arms[0].Weight.ShouldBe(1.5, 0.1);
    }
}
