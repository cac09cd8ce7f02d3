using Streaming.Core.Events;
using Streaming.Core.Feeds;
using Streaming.Core.Ids;
using Streaming.Core.Settings;

namespace Streaming.Users.Tests;

/// <summary>Hand-worked joins with a window of 1000 ms and 500 ms more for late clicks.</summary>
public sealed class JoinTests
{
    private static UsersSettings Short => new() { AttributionWindowMs = 1000, LateWindowMs = 500 };

    [Fact]
    public void A_click_in_the_window_labels_the_impression_as_it_was_shown()
    {
        var bench = new Bench(Short);
        bench.Show(0, "other");
        bench.Show(10, "a", position: 3, surface: "home");
        var shownVector = bench.State.Embedding.ToArray();
        bench.Models.Versions = "ftrl:2";
        bench.Click(200, "other");
        bench.Click(400, "a");
        var x = bench.Effects.Examples[1];
        (x.Label, x.Weight, x.Action, x.ShownMs - Bench.T0, x.LabelMs - Bench.T0).ShouldBe((1f, 1f, EventKind.Click, 10, 400));
        (x.Position, x.Surface, x.ModelVersion, x.IsCorrection, x.SampleRate).ShouldBe((3, "home", "ftrl:1", false, 1f));
        x.Features.Length.ShouldBe(FakeModels.FeatureCount);
        x.Features[1].ShouldBe(0u, "no positive action yet when it was shown");
        x.Features[2].ShouldBe(1u, "one impression before");
        x.Values[3].ShouldBe(0.5f);
        x.UserVector.ShouldBe(shownVector);
        bench.State.Embedding.ShouldNotBe(shownVector);
        bench.OnTime(5000);
        bench.Labels.ShouldBe("other:1@200 a:1@400");
    }

    [Fact]
    public void The_positive_items_then_go_with_an_example_newest_first()
    {
        var bench = new Bench(Short with { ExampleHistoryMax = 3, SessionGapMs = 10_000 });
        foreach (var (at, item) in new[] { (0, "p"), (100, "q"), (20_000, "r"), (20_100, "s") })
        {
            bench.Show(at, item);
            bench.Click(at + 50, item);
        }
        bench.Effects.Examples.Clear();
        bench.Show(20_200, "a");
        var state = Bench.Encode(bench.State);
        bench.Click(20_300, "a");

        var x = bench.Effects.Examples.Single(e => e.ItemKey == StableHash.Of("a"));
        x.History.ShouldBe([StableHash.Of("s"), StableHash.Of("r"), StableHash.Of("q")]);
        x.HistoryInSession.ShouldBe(2);
        var back = UserStateCodec.Read(state, Bench.Dimension, bench.State.User).Pending[^1];
        back.History.ShouldBe(x.History);
        back.HistoryInSession.ShouldBe(2);
    }

    [Fact]
    public void Without_a_click_the_window_ends_as_a_negative_at_its_end()
    {
        var bench = new Bench(Short);
        bench.Show(0, "a");
        bench.Effects.Wakes.ShouldBe([Bench.T0 + 1000]);
        bench.OnTime(999);
        bench.Effects.Examples.ShouldBeEmpty();
        bench.OnTime(1000);
        bench.Labels.ShouldBe("a:0@1000");
        bench.Effects.Examples[0].Action.ShouldBe(EventKind.Impression);
        bench.Models.Learned.ShouldBe([(StableHash.Of("a"), 0f, 1f)]);
    }

    [Fact]
    public void The_users_own_next_event_ends_windows_too()
    {
        var bench = new Bench(Short);
        bench.Show(0, "a");
        bench.Show(1000, "b");
        bench.Labels.ShouldBe("a:0@1000");
    }

    [Fact]
    public void A_late_click_corrects_the_label_once()
    {
        var bench = new Bench(Short);
        bench.Show(0, "a");
        bench.OnTime(1000);
        bench.Click(1499, "a");
        bench.Click(1499, "a");
        bench.Labels.ShouldBe("a:0@1000 a:1@1499!");
        bench.Effects.Interactions.Count.ShouldBe(2);
        bench.Effects.Examples[1].Features.Length.ShouldBe(FakeModels.FeatureCount);
    }

    [Fact]
    public void After_the_late_window_a_click_is_its_own_impression()
    {
        var bench = new Bench(Short);
        bench.Show(0, "a", position: 2);
        bench.Click(1500, "a");
        bench.Labels.ShouldBe("a:0@1000 a:1@1500");
        var x = bench.Effects.Examples[1];
        (x.ShownMs - Bench.T0, x.Position, float.IsNaN(x.Propensity)).ShouldBe((1500, -1, true));
        x.Features[4].ShouldBe(1u, "captured at the click: the item was seen once by then");
    }

    [Fact]
    public void A_second_positive_action_makes_an_interaction_but_no_second_example()
    {
        var bench = new Bench(Short);
        bench.Show(0, "a");
        bench.Click(10, "a");
        bench.Act(20, EventKind.Like, "a");
        bench.Labels.ShouldBe("a:1@10");
        bench.Effects.Interactions.Select(x => x.Weight).ShouldBe([1f, 2f]);
        bench.Models.Learned.Count.ShouldBe(1);
        bench.OnTime(1000);
        bench.Act(1100, EventKind.Share, "a");
        bench.Labels.ShouldBe("a:1@10", "it is remembered beyond the window");
    }

    [Fact]
    public void A_click_without_an_impression_still_teaches_and_a_following_like_adds_nothing()
    {
        var bench = new Bench(Short);
        bench.Handle(Bench.Event(EventKind.Click, 0, "a") with { Position = 4, Surface = "mail" });
        bench.Act(50, EventKind.Like, "a");
        bench.Labels.ShouldBe("a:1@0");
        var x = bench.Effects.Examples[0];
        (x.Position, x.Surface, float.IsNaN(x.Propensity)).ShouldBe((4, "mail", true));
        x.Features[1].ShouldBe(0u);
        bench.State.MarksOf("a").ShouldBe(new ItemMarks(0, 1, 2, false, false, Bench.T0 + 50));
        bench.Effects.Wakes.ShouldBeEmpty("nothing waits");
    }

    [Fact]
    public void An_impression_reported_after_its_click_does_not_become_a_negative()
    {
        var bench = new Bench(Short);
        bench.Click(100, "a", "r1");
        bench.Show(50, "a", "r1");
        bench.OnTime(5000);
        bench.Labels.ShouldBe("a:1@100");
    }

    [Fact]
    public void Two_impressions_of_one_item_the_click_goes_to_its_request_else_to_the_newest()
    {
        var byRequest = new Bench(Short);
        byRequest.Show(0, "a", "r1");
        byRequest.Show(100, "a", "r2");
        byRequest.Click(200, "a", "r1");
        byRequest.OnTime(5000);
        byRequest.Effects.Examples.Select(x => (x.ShownMs - Bench.T0, x.Label)).ShouldBe([(0, 1f), (100, 0f)]);

        var newest = new Bench(Short);
        newest.Show(0, "a");
        newest.Show(100, "a");
        newest.Click(200, "a");
        newest.Click(210, "a");
        newest.OnTime(5000);
        newest.Effects.Examples.Select(x => (x.ShownMs - Bench.T0, x.Label)).ShouldBe([(100, 1f), (0, 0f)]);
    }

    [Fact]
    public void A_request_shows_an_item_once()
    {
        var bench = new Bench(Short);
        bench.ShowList(0, "r", "a", "b", "a");
        bench.ShowList(50, "r", "b", "c");
        bench.State.Pending.Count.ShouldBe(3);
        bench.State.Impressions.ShouldBe(3);
        bench.State.MarksOf("b").Seen.ShouldBe(1);
        bench.Click(60, "b", "r");
        bench.Show(70, "b", "r");
        bench.OnTime(5000);
        bench.Labels.ShouldBe("b:1@60 a:0@1000 c:0@1050");
    }

    [Fact]
    public void Late_and_out_of_order_events_wait_in_order_of_showing()
    {
        var bench = new Bench(Short);
        bench.Show(500, "b");
        bench.Show(100, "a");
        bench.Effects.Wakes.ShouldBe([Bench.T0 + 1500, Bench.T0 + 1100]);
        bench.OnTime(1200);
        bench.Labels.ShouldBe("a:0@1100");
        bench.Effects.Wakes.Count.ShouldBe(3);
        bench.Click(300, "a");
        bench.Labels.ShouldBe("a:0@1100 a:1@300!", "it happened in the window but arrived after it");
        bench.State.LastEventMs.ShouldBe(Bench.T0 + 500);
    }

    [Fact]
    public void At_most_one_wake_up_is_outstanding_in_order_of_time()
    {
        var bench = new Bench(Short);
        for (var i = 0; i < 100; i++) bench.Show(i, $"i{i}");
        bench.Effects.Wakes.ShouldBe([Bench.T0 + 1000]);
        bench.OnTime(1000);
        bench.Effects.Wakes.ShouldBe([Bench.T0 + 1000, Bench.T0 + 1001]);
        bench.OnTime(1000);
        bench.Effects.Wakes.Count.ShouldBe(2);
    }

    [Fact]
    public void Beyond_the_bound_the_oldest_leaves_early_and_can_still_be_corrected()
    {
        var bench = new Bench(Short with { PendingMax = 2, ClosedMax = 1 });
        bench.Show(0, "a");
        bench.Show(10, "b");
        bench.Show(20, "c");
        bench.Labels.ShouldBe("a:0@20");
        bench.Click(30, "a");
        bench.Labels.ShouldBe("a:0@20 a:1@30!");
        bench.Show(40, "d");
        bench.State.Pending.Count.ShouldBe(2);
        bench.State.Closed.Count.ShouldBe(1);
    }

    [Fact]
    public void A_dislike_leaves_at_once_as_a_negative_and_is_never_sampled_away()
    {
        var bench = new Bench(Short with { NegativeSampleRate = 1e-6 });
        bench.Show(0, "a");
        bench.Act(10, EventKind.Dislike, "a");
        bench.Act(20, EventKind.Hide, "b");
        var x = bench.Effects.Examples.ShouldHaveSingleItem();
        (x.Label, x.Action, x.SampleRate, x.Weight).ShouldBe((0f, EventKind.Dislike, 1f, 1f));
        bench.Effects.Interactions.Select(i => i.Weight).ShouldBe([-2f, -3f]);
        bench.State.MarksOf("a").Disliked.ShouldBeTrue();
        bench.State.MarksOf("b").Hidden.ShouldBeTrue();
        bench.State.Positives.ShouldBe(0);
        bench.Models.Learned.Select(l => l.Label).ShouldBe([0f, 0f]);
        bench.Act(30, EventKind.Like, "a");
        bench.Effects.Examples[1].IsCorrection.ShouldBeTrue("the user changed their mind");
        bench.OnTime(5000);
        bench.Effects.Examples.Count.ShouldBe(2);
    }

    [Fact]
    public void A_list_names_arm_version_models_propensity_and_team()
    {
        var bench = new Bench(Short);
        ulong[] keys = [StableHash.Of("a"), StableHash.Of("b")];
        bench.State.Lists.Add(new ListRef { Version = 26, Surface = "home", Arm = "learned", Models = "ftrl:7", Items = keys, Propensities = [0.5f, 0.25f], Teams = [Team.A, Team.B] });
        bench.State.Lists.Add(new ListRef { Version = 27, Surface = "home", Arm = "popular", Models = "pop:1", Items = keys, Propensities = [1, 1] });
        bench.Handle(Bench.Event(EventKind.Impression, 0, null) with
        {
            RequestId = RequestId.Format("learned", 26, 99), Surface = "home", Items = [new("a", 0), new("b", 1, 0.75f), new("z", 2, Team: Team.B)],
        });
        bench.Show(1, "b", position: 1, surface: "home");
        bench.Show(2, "b", RequestId.Format("gone", 3, 1), surface: "home");
        bench.Show(3, "b", surface: "mail");
        var seen = bench.State.Pending.Select(p => (p.Arm, p.ListVersion, p.ModelVersion, p.Propensity)).ToArray();
        seen.ShouldBe([
            ("learned", 26, "ftrl:7", 0.5f), ("learned", 26, "ftrl:7", 0.75f), ("learned", 26, "ftrl:7", float.NaN),
            ("popular", 27, "pop:1", 1f), ("gone", 3, "ftrl:1", float.NaN), ("", 0, "ftrl:1", float.NaN)]);
        bench.State.Pending.Select(p => p.Team).ShouldBe([Team.A, Team.B, Team.B, Team.None, Team.None, Team.None]);
        bench.State.Pending.Take(3).Select(p => p.Ordinal).ShouldBe([0, 1, 2]);
        bench.State.Pending[0].UserVector.ShouldBe(bench.State.Pending[1].UserVector);
        bench.Act(4, EventKind.Click, "b", RequestId.Format("learned", 26, 99));
        bench.Effects.Examples.ShouldHaveSingleItem().Team.ShouldBe(Team.B);
    }

    [Fact]
    public void What_could_have_stood_in_a_drawn_slot_goes_with_the_example()
    {
        var bench = new Bench(Short);
        ulong[] keys = [StableHash.Of("a"), StableHash.Of("b"), StableHash.Of("c"), StableHash.Of("d")];
        bench.State.Lists.Add(new ListRef
        {
            Version = 26, Surface = "home", Arm = "learned", Models = "ftrl:7", Items = keys, Propensities = [1 / 3f, 1 / 2f, 1, 1], Shuffled = 3,
        });
        bench.Handle(Bench.Event(EventKind.Impression, 0, null) with
        {
            RequestId = RequestId.Format("learned", 26, 99), Surface = "home", Items = [new("a", 0), new("b", 1), new("c", 2), new("d", 3), new("z", 4)],
        });
        bench.State.Pending.Select(p => p.Slate).ShouldBe([keys[..3], keys[1..3], [], [], []]);
        bench.Act(4, EventKind.Click, "b", RequestId.Format("learned", 26, 99));
        var clicked = bench.Effects.Examples.ShouldHaveSingleItem();
        (clicked.Propensity, clicked.Label).ShouldBe((0.5f, 1));
        clicked.Slate.ShouldBe(keys[1..3]);
    }

    [Fact]
    public void Records_of_one_user_are_named_once_even_when_one_position_comes_twice()
    {
        var bench = new Bench(Short with { PendingMax = 10 });
        bench.ShowList(0, null, "a", "b", "c");
        bench.Click(1000, "d");
        bench.OnTime(5000);
        var source = new Core.Log.LogPosition(7, 7);
        bench.ShowList(6000, null, "e", "f");
        bench.Machine.Handle(bench.State, Bench.Event(EventKind.Click, 6500, "e"), source, bench.Effects);
        bench.Machine.OnTime(bench.State, Bench.T0 + 9000, source, bench.Effects);
        var names = bench.Effects.Examples.Select(x => (x.Source, x.Ordinal)).Concat(bench.Effects.Interactions.Select(x => (x.Source, x.Ordinal))).ToArray();
        names.Length.ShouldBe(8);
        names.Distinct().Count().ShouldBe(names.Length);
        names.Where(n => n.Source == source).Select(n => n.Ordinal).Order().ShouldBe([0, 1, 2]);
    }

    [Fact]
    public void Sampled_negatives_state_their_rate_and_the_kept_share_is_that_rate()
    {
        var bench = new Bench(Short with { NegativeSampleRate = 0.2, PendingMax = 50 });
        const int n = 20_000;
        for (var i = 0; i < n; i++) bench.Show(i * 10, $"i{i}");
        bench.OnTime(n * 10 + 5000);
        var kept = bench.Effects.Examples.Count;
        ((double)kept / n).ShouldBe(0.2, 4 * Math.Sqrt(0.2 * 0.8 / n));
        bench.Effects.Examples.ShouldAllBe(x => x.SampleRate == 0.2f && x.Label == 0);
        bench.Models.Learned.Count.ShouldBe(kept);

        var again = new Bench(Short with { NegativeSampleRate = 0.2, PendingMax = 50 }, seed: 2);
        for (var i = 0; i < n; i++) again.Show(i * 10, $"i{i}");
        again.Effects.Examples.Select(x => x.ItemId).Intersect(bench.Effects.Examples.Select(x => x.ItemId)).Count().ShouldBeInRange(1, kept / 2);
    }
}
