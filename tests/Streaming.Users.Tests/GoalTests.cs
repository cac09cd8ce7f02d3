using Streaming.Core.Events;
using Streaming.Core.Ids;
using Streaming.Core.Settings;

namespace Streaming.Users.Tests;

/// <summary>Hand-worked goals with a window of 1000 ms and 500 ms more for late actions.</summary>
public sealed class GoalTests
{
    private static UsersSettings Short => new() { AttributionWindowMs = 1000, LateWindowMs = 500, Goals = ["like", "purchase"] };

    private static readonly (ushort Like, ushort Purchase) Of = (Goals.Bit(EventKind.Like), Goals.Bit(EventKind.Purchase));

    /// <summary>"item:label@ms known/met", goals by their first letters; "+" for what follows a label, "!" for corrections.</summary>
    private static string Labels(Bench bench) => string.Join(", ", bench.Effects.Examples.Select(x =>
        $"{x.ItemId}:{x.Label:0}@{x.LabelMs - Bench.T0}{(x.IsFollowUp ? "+" : "")}{(x.IsCorrection ? "!" : "")} {Names(x.GoalsKnown)}/{Names(x.GoalsMet)}"));

    private static string Names(ushort mask) => ((mask & Of.Like) != 0 ? "l" : "") + ((mask & Of.Purchase) != 0 ? "p" : "");

    [Fact]
    public void What_nobody_acts_on_meets_no_goal_and_is_one_record()
    {
        var bench = new Bench(Short);
        bench.Show(0, "a");
        bench.OnTime(1000);
        bench.OnTime(5000);
        Labels(bench).ShouldBe("a:0@1000 lp/");
    }

    [Fact]
    public void A_goal_is_labelled_when_its_action_comes_and_the_others_when_the_window_ends()
    {
        var bench = new Bench(Short);
        bench.Show(0, "a", position: 3);
        bench.Click(100, "a");
        bench.Act(200, EventKind.Like, "a");
        bench.Act(300, EventKind.Like, "a");
        bench.Effects.Wakes.ShouldBe([Bench.T0 + 1000]);
        bench.OnTime(1000);
        bench.OnTime(5000);
        Labels(bench).ShouldBe("a:1@100 /, a:1@200+ l/l, a:1@1000+ p/");
        foreach (var x in bench.Effects.Examples)
        {
            (x.ItemKey, x.ShownMs - Bench.T0, x.Position).ShouldBe((StableHash.Of("a"), 0, 3));
            x.Features.Length.ShouldBe(FakeModels.FeatureCount);
            x.Features.ShouldBe(bench.Effects.Examples[0].Features, "as it was shown");
        }
        bench.Models.Learned.Count.ShouldBe(1, "the user's embedding learns the label alone");
    }

    [Fact]
    public void An_action_that_is_label_and_goal_at_once_is_one_record()
    {
        var bench = new Bench(Short);
        bench.Show(0, "a");
        bench.Act(100, EventKind.Purchase, "a");
        bench.Act(200, EventKind.Like, "a");
        bench.Act(300, EventKind.Purchase, "a");
        bench.OnTime(5000);
        Labels(bench).ShouldBe("a:1@100 p/p, a:1@200+ l/l");
        bench.State.Closed.ShouldBeEmpty();
    }

    [Fact]
    public void All_goals_met_let_the_features_go()
    {
        var bench = new Bench(Short);
        bench.Show(0, "a");
        bench.Click(100, "a");
        bench.State.Pending[0].Features.ShouldNotBeEmpty();
        bench.Act(100, EventKind.Purchase, "a");
        bench.Act(200, EventKind.Like, "a");
        bench.State.Pending[0].Features.ShouldBeEmpty();
    }

    [Fact]
    public void A_late_action_corrects_its_goal_once()
    {
        var bench = new Bench(Short);
        bench.Show(0, "a");
        bench.Click(100, "a");
        bench.Show(0, "b");
        bench.OnTime(1000);
        bench.Act(1200, EventKind.Purchase, "a");
        bench.Act(1300, EventKind.Purchase, "a");
        bench.Act(1400, EventKind.Like, "b");
        Labels(bench).ShouldBe("a:1@100 /, a:1@1000+ lp/, b:0@1000 lp/, a:1@1200+! p/p, b:1@1400! l/l");
    }

    [Fact]
    public void A_dislike_denies_all_goals_and_a_later_like_corrects_it()
    {
        var bench = new Bench(Short);
        bench.Show(0, "a");
        bench.Act(100, EventKind.Dislike, "a");
        bench.Act(200, EventKind.Like, "a");
        bench.OnTime(5000);
        Labels(bench).ShouldBe("a:0@100 lp/, a:1@200! l/l");
    }

    [Fact]
    public void A_click_that_nobody_reported_showing_for_has_goals_too_and_a_rating_has_none()
    {
        var bench = new Bench(Short);
        bench.Act(0, EventKind.Like, "a");
        bench.Act(100, EventKind.Rating, "b", value: 5);
        bench.OnTime(5000);
        Labels(bench).ShouldBe("a:1@0 l/l, b:1@100 /, a:1@1000+ p/");
    }

    [Fact]
    public void More_impressions_than_wait_leave_with_their_goals()
    {
        var bench = new Bench(Short with { PendingMax = 1 });
        bench.Show(0, "a");
        bench.Click(100, "a");
        bench.Show(200, "b");
        Labels(bench).ShouldBe("a:1@100 /, a:1@200+ lp/");
    }

    [Fact]
    public void Without_goals_nothing_follows_and_goals_of_a_state_without_them_are_left()
    {
        var bench = new Bench(Short with { Goals = [] });
        bench.Show(0, "a");
        bench.Click(100, "a");
        bench.Act(200, EventKind.Like, "a");
        bench.State.Pending[0].Features.ShouldBeEmpty();
        var later = new Bench(Short) { State = bench.State };
        later.Act(300, EventKind.Purchase, "a");
        later.OnTime(5000);
        Labels(bench).ShouldBe("a:1@100 /");
        later.Effects.Examples.ShouldBeEmpty("its features have gone");
    }

    /// <summary>Whatever comes: a goal of an impression is labelled at most once as not met and once as met, and a state that was written and read goes on the same.</summary>
    [Theory]
    [InlineData(1), InlineData(2), InlineData(3), InlineData(4)]
    public void Random_events_label_each_goal_once_whatever_is_stored_between(int seed)
    {
        var settings = new UsersSettings { AttributionWindowMs = RandomEvents.Window, LateWindowMs = RandomEvents.Late, Goals = ["like", "purchase", "dwell"] };
        var (straight, stored) = (new Bench(settings), new Bench(settings));
        foreach (var (e, timeMs) in RandomEvents.Make(seed, 1500, everyKind: true))
        {
            foreach (var bench in (Bench[])[straight, stored])
                if (e is null) bench.OnTime(timeMs - Bench.T0);
                else bench.Handle(e);
            stored.State = UserStateCodec.Read(stored.Bytes(), Bench.Dimension, "u");
        }
        string Told(Bench bench) => string.Join('\n', bench.Effects.Examples.Select(x => $"{x.ItemKey} {x.ShownMs} {x.LabelMs} {x.Label} {x.GoalsKnown} {x.GoalsMet} {x.IsFollowUp} {x.IsCorrection} {x.Features.Length}"));
        Told(stored).ShouldBe(Told(straight));
        stored.Bytes().ShouldBe(straight.Bytes());
        straight.Effects.Examples.Count(x => x.IsFollowUp).ShouldBeGreaterThan(20);
        straight.Effects.Examples.Where(x => x.IsFollowUp).ShouldAllBe(x => x.GoalsKnown != 0 && x.Features.Length > 0);
        straight.Effects.Examples.ShouldAllBe(x => (x.GoalsMet & ~x.GoalsKnown) == 0);
    }

    [Theory]
    [InlineData("click_through", "allowed are click"), InlineData("dislike", "allowed are"), InlineData("rating", "allowed are")]
    public void What_is_no_goal_is_refused(string goal, string why)
    {
        var problems = new SettingsProblems();
        (Short with { Goals = [goal] }).Validate(problems);
        problems.List.ShouldHaveSingleItem().ShouldSatisfyAllConditions(p => p.ShouldStartWith("Users:Goals:0"), p => p.ShouldContain(why));
    }

    [Fact]
    public void A_goal_named_twice_or_of_no_weight_is_refused()
    {
        var problems = new SettingsProblems();
        (Short with { Goals = ["like", "like"] }).Validate(problems);
        (Short with { Goals = ["like"], ActionWeights = new() { ["like"] = 0 } }).Validate(problems);
        problems.List.Count.ShouldBe(2);
        problems.List[0].ShouldContain("a second time");
        problems.List[1].ShouldContain("must be above 0");
    }
}
