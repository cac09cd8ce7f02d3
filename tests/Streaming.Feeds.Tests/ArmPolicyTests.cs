using System.Collections;
using Streaming.Core.Feeds;
using Streaming.Core.Settings;
using Streaming.Feeds.Building;
using Streaming.Learning.Interleaving;

namespace Streaming.Feeds.Tests;

/// <summary>Arms that come and go while lists are built.</summary>
public sealed class ArmPolicyTests
{
    private static readonly Dictionary<string, string> Values = new()
    {
        ["Feeds:ListLength"] = "7", ["Feeds:Quotas:*"] = "3", ["Feeds:ExploreEvery"] = "2", ["Feeds:ExploreEpsilon"] = "0.9", ["Feeds:SeenMax"] = "1",
        ["Feeds:ServedMax"] = "2", ["Feeds:RepeatClickedAfterMs"] = "5", ["Feeds:DiversityWindow"] = "3", ["Feeds:DiversityMax"] = "2", ["Feeds:MmrLambda"] = "0.3",
        ["Feeds:SlateShare"] = "0.4", ["Feeds:Diversity"] = "dpp", ["Feeds:GoalFusion"] = "multiplicative", ["Feeds:GoalWeights:*"] = "3",
    };

    public static TheoryData<string> All() => [.. Tunables.All];

    /// <summary>Whatever is marked as tunable has to change how a list is made: an arm that sets it must not be a second control.</summary>
    [Theory]
    [MemberData(nameof(All))]
    public void Every_tunable_setting_reaches_the_plan_and_no_surface_undoes_it(string tunable)
    {
        var key = tunable.Replace("*", tunable.StartsWith("Feeds:GoalWeights", StringComparison.Ordinal) ? Core.Events.Goals.Positive : FeedChannels.Popular);
        var problems = new SettingsProblems();
        var settings = Tunables.Apply(new StreamingSettings(), new Dictionary<string, string> { [key] = Values[tunable] }, "arm", problems).Feeds;
        problems.List.ShouldBeEmpty();
        var arm = ArmPolicy.Learned with { Settings = settings, Overrides = new HashSet<string> { key["Feeds:".Length..] } };
        var busy = new SurfaceRule
        {
            ListLength = 9, SeenMax = 9, ServedMax = 9, RepeatClickedAfterMs = 9, DiversityWindow = 9, DiversityMax = 9, Quotas = new() { [FeedChannels.Popular] = 9, [FeedChannels.Fresh] = 9 },
        };
        foreach (var rule in new[] { new SurfaceRule(), busy })
        {
            var (plain, own) = (Shown(new ListPlan(new FeedsSettings(), ArmPolicy.Learned, rule)), Shown(new ListPlan(new FeedsSettings(), arm, rule)));
            var changed = plain.Zip(own).Where(p => p.First != p.Second).ToList();
            changed.ShouldHaveSingleItem().Second.ShouldContain(Values[tunable]);
        }
    }

    [Fact]
    public void Plans_are_made_when_asked_for_made_anew_after_a_change_and_bounded()
    {
        var policies = new FakePolicies();
        var plans = new ListPlans(new FeedsSettings(), [ArmPolicy.Learned], policies);
        plans.Of("learned", "")!.ListLength.ShouldBe(50);
        plans.Made.ShouldBe(0);
        plans.Of("gone", "").ShouldBeNull();
        policies.Length = 5;
        plans.Of("a1", "")!.ListLength.ShouldBe(5);
        plans.Of("a1", "").ShouldBeSameAs(plans.Of("a1", ""));
        policies.Length = 6;
        plans.Of("a1", "")!.ListLength.ShouldBe(5, "the generation is the same");
        policies.Generation++;
        plans.Of("a1", "")!.ListLength.ShouldBe(6);
        for (var i = 0; i < 3 * ListPlans.MadeMax; i++)
        {
            plans.Of($"a{i}", "")!.ListLength.ShouldBe(6);
            plans.Made.ShouldBeLessThanOrEqualTo(ListPlans.MadeMax);
        }
    }

    [Fact]
    public void A_builder_grows_with_its_arms_and_builds_nothing_for_one_that_has_gone()
    {
        var world = World.Populated(500, 4000, 7);
        var settings = world.Settings with { ListLength = 5, Quotas = new() { [FeedChannels.Popular] = 5 } };
        var policies = new FakePolicies { Length = 60, Quotas = new Dictionary<string, int> { [FeedChannels.Popular] = 200, [FeedChannels.ItemCf] = 100 } };
        var builder = new FeedBuilder(world.Index, new FakeModels(world.Catalog), world.Vectors, world.Ranker, settings, [ArmPolicy.Learned], policies);
        builder.Build(world.ActiveUser(500, 3), "", "learned", World.Now)!.Entries.Length.ShouldBe(5);
        var list = builder.Build(world.ActiveUser(500, 3), "", "a1", World.Now)!;
        list.Entries.Length.ShouldBe(60);
        list.Arm.ShouldBe("a1");
        builder.Build(world.ActiveUser(500, 3), "", "learned", World.Now)!.Entries.Length.ShouldBe(5);
        builder.Build(world.ActiveUser(500, 3), "", "gone", World.Now).ShouldBeNull();
    }

    [Fact]
    public void An_arm_that_comes_later_may_interleave()
    {
        var world = World.Populated(500, 4000, 7);
        var policies = new FakePolicies { Length = 20, Interleaving = new InterleavingPolicy(new FakeRanker(), () => new TeamDraft()) };
        var builder = new FeedBuilder(world.Index, new FakeModels(world.Catalog), world.Vectors, world.Ranker, world.Settings, [ArmPolicy.Learned], policies);
        builder.Build(world.ActiveUser(500, 3), "", "learned", World.Now)!.Teams.ShouldBeEmpty();
        var list = builder.Build(world.ActiveUser(500, 3), "", "a1", World.Now)!;
        list.Teams.ShouldContain(Team.A);
        list.Teams.ShouldContain(Team.B);
    }

    private static List<string> Shown(ListPlan plan) => [.. typeof(ListPlan).GetProperties().Where(p => p.Name is not ("Arm" or "Interleaver")).Select(p => p.GetValue(plan)).Select(
        v => v is IEnumerable many ? string.Join(",", many.Cast<object>()) : Convert.ToString(v, System.Globalization.CultureInfo.InvariantCulture)!)];

    private sealed class FakePolicies : IArmPolicies
    {
        public long Generation { get; set; }
        public int Length { get; set; } = 50;
        public Dictionary<string, int>? Quotas { get; init; }
        public InterleavingPolicy? Interleaving { get; init; }

        public ArmPolicy? Of(string arm) => arm == "gone" ? null : new ArmPolicy
        {
            Name = arm, Settings = new FeedsSettings { ListLength = Length, CandidatesMax = 300 }, Quotas = Quotas, Interleaving = Interleaving,
        };
    }
}
