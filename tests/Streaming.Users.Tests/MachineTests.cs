using Streaming.Core.Events;
using Streaming.Core.Ids;
using Streaming.Core.Settings;

namespace Streaming.Users.Tests;

public sealed class MachineTests
{
    [Fact]
    public void A_gap_closes_a_session_and_a_shorter_one_does_not()
    {
        var bench = new Bench(new UsersSettings { SessionGapMs = 1000 });
        bench.Click(0, "a");
        bench.Click(999, "b");
        bench.State.Session.Actions.Count.ShouldBe(2);
        bench.Click(1999, "c");
        bench.State.SessionsClosed.ShouldBe(1);
        bench.State.Session.Actions.Select(a => a.ItemKey).ShouldBe([StableHash.Of("c")]);
        bench.State.Session.StartMs.ShouldBe(Bench.T0 + 1999);
        bench.OnTime(2998);
        bench.State.SessionsClosed.ShouldBe(1);
        bench.OnTime(2999);
        bench.State.SessionsClosed.ShouldBe(2);
        (bench.State.Session.StartMs, bench.State.Session.Actions.Count).ShouldBe((0, 0));
    }

    [Fact]
    public void Impressions_keep_a_session_alive_and_served_lists_do_not()
    {
        var bench = new Bench(new UsersSettings { SessionGapMs = 1000 });
        bench.Click(0, "a");
        bench.Show(900, "b");
        bench.Handle(Bench.Event(EventKind.Served, 1000, "c"));
        bench.Click(1800, "d");
        bench.State.SessionsClosed.ShouldBe(0);
        bench.Handle(Bench.Event(EventKind.Served, 2700, "c"));
        bench.Click(2800, "e");
        bench.State.SessionsClosed.ShouldBe(1);
    }

    [Fact]
    public void The_action_after_a_full_session_opens_the_next()
    {
        var bench = new Bench(new UsersSettings { SessionActionsMax = 3 });
        for (var i = 0; i < 4; i++) bench.Click(i, $"i{i}");
        bench.State.SessionsClosed.ShouldBe(1);
        bench.State.Session.Actions.Count.ShouldBe(1);
        bench.State.Session.StartMs.ShouldBe(Bench.T0 + 3);
    }

    [Fact]
    public void An_explicit_session_id_wins_over_gap_and_length()
    {
        var bench = new Bench(new UsersSettings { SessionGapMs = 1000, SessionActionsMax = 2 });
        void Click(long at, string? id) => bench.Handle(Bench.Event(EventKind.Click, at, $"i{at}") with { SessionId = id });
        Click(0, "s1");
        Click(5000, "s1");
        bench.OnTime(9000);
        Click(9001, "s1");
        bench.State.SessionsClosed.ShouldBe(0);
        bench.State.Session.Actions.Count.ShouldBe(2, "bounded: the oldest went");
        Click(9002, "s2");
        bench.State.SessionsClosed.ShouldBe(1);
        Click(9003, null);
        bench.State.Session.Id.ShouldBe("s2", "no id and no gap: still the same session");
        Click(20_000, null);
        (bench.State.SessionsClosed, bench.State.Session.Id).ShouldBe((2, null));
        Click(19_000, "s2");
        (bench.State.SessionsClosed, bench.State.Session.Actions.Count).ShouldBe((2, 1), "a late event of an earlier session");
        bench.State.History.Count.ShouldBe(7);
    }

    [Fact]
    public void A_rating_is_captured_before_it_counts()
    {
        var bench = new Bench();
        bench.Act(0, EventKind.Rating, "a", value: 5);
        bench.Act(1, EventKind.Rating, "b", value: 3);
        bench.Labels.ShouldBe("a:1@0 b:0@1");
        bench.Effects.Examples[0].Features[1].ShouldBe(0u);
        bench.Effects.Examples[0].UserVector.ShouldBe(new float[Bench.Dimension]);
        bench.Effects.Examples[1].Features[1].ShouldBe(1u);
        bench.Effects.Examples.ShouldAllBe(x => x.Weight == 1 && x.SampleRate == 1 && x.Action == EventKind.Rating);
        var s = bench.State;
        (s.RatingCount, s.RatingSum, s.RatingPositives, s.Positives, s.Impressions).ShouldBe((2, 8.0, 1, 1, 2));
        s.MarksOf("a").ShouldBe(new ItemMarks(0, 1, 1, false, false, Bench.T0));
        s.MarksOf("b").ShouldBe(new ItemMarks(0, 1, 0, false, false, Bench.T0 + 1));
        s.History.Select(h => h.ItemKey).ShouldBe([StableHash.Of("a")]);
        bench.Effects.Interactions.Select(i => i.Weight).ShouldBe([1f, -0.25f]);
        bench.Effects.Refreshes.ShouldBe([("", true), ("", true)]);
        bench.Effects.Wakes.ShouldBeEmpty();
    }

    [Fact]
    public void A_rating_settles_a_waiting_impression_of_the_item()
    {
        var bench = new Bench();
        bench.Show(0, "a");
        bench.Act(10, EventKind.Rating, "a", value: 5);
        bench.OnTime(100 * 3_600_000L);
        bench.Labels.ShouldBe("a:1@10");
    }

    [Fact]
    public void A_dwell_counts_from_the_configured_seconds()
    {
        var bench = new Bench(new UsersSettings { DwellPositiveSeconds = 10 });
        bench.Show(0, "a");
        bench.Act(1, EventKind.Dwell, "a", value: 9.9);
        bench.Act(2, EventKind.Dwell, "a");
        bench.Effects.Emitted.ShouldBe(0);
        bench.Effects.Refreshes.ShouldBeEmpty();
        bench.Act(3, EventKind.Dwell, "a", value: 10);
        bench.Labels.ShouldBe("a:1@3");
    }

    [Fact]
    public void Repeats_are_dropped_within_the_bound_and_leave_no_trace()
    {
        var bench = new Bench(new UsersSettings { RecentEventIdsMax = 2 });
        UserEvent WithId(string id) => Bench.Event(EventKind.Click, 5, "a") with { EventId = id };
        bench.Handle(WithId("1")).ShouldBe(HandleResult.Applied);
        var before = bench.Bytes();
        bench.Handle(WithId("1")).ShouldBe(HandleResult.Repeat);
        bench.Bytes().ShouldBe(before);
        bench.Handle(WithId("2")).ShouldBe(HandleResult.Applied);
        bench.Handle(WithId("3")).ShouldBe(HandleResult.Applied);
        bench.Handle(WithId("1")).ShouldBe(HandleResult.Applied, "forgotten by then");
    }

    public static TheoryData<UserEvent, string> Unusable => new()
    {
        { Bench.Event(EventKind.Custom, 0, "a") with { Type = "teleport" }, "teleport" },
        { Bench.Event(EventKind.Custom, 0, null) with { Type = "bookmark" }, "names no item" },
        { Bench.Event(EventKind.Click, 0, null), "names no item" },
        { Bench.Event(EventKind.Click, 0, ""), "names no item" },
        { Bench.Event(EventKind.Impression, 0, null), "names no item" },
        { Bench.Event(EventKind.Impression, 0, null) with { Items = [new("a", 0), new("", 1)] }, "slot 1" },
        { Bench.Event(EventKind.Rating, 0, "a"), "finite" },
        { Bench.Event(EventKind.UserUpsert, 0, null), "profile" },
        { Bench.Event(EventKind.Tick, 0, null) with { User = "" }, "partition" },
    };

    [Theory, MemberData(nameof(Unusable))]
    public void What_cannot_be_applied_is_rejected_and_changes_nothing(UserEvent e, string reason)
    {
        var bench = new Bench(WithBookmark);
        bench.Show(-10_000_000, "x");
        var before = bench.Bytes();
        bench.Handle(e with { EventId = "id" }).ShouldBe(HandleResult.Rejected);
        bench.Effects.Rejects.ShouldHaveSingleItem().ShouldContain(reason);
        bench.Bytes().ShouldBe(before);
        bench.Effects.Emitted.ShouldBe(0);
    }

    private static UsersSettings WithBookmark => new() { ActionWeights = new(new UsersSettings().ActionWeights) { ["bookmark"] = 4, ["opened"] = 0 } };

    [Fact]
    public void Custom_types_have_the_configured_weight()
    {
        var bench = new Bench(WithBookmark);
        bench.Handle(Bench.Event(EventKind.Custom, 0, "a") with { Type = "bookmark" });
        bench.Handle(Bench.Event(EventKind.Custom, 1, null) with { Type = "opened" }).ShouldBe(HandleResult.Applied);
        var x = bench.Effects.Examples.ShouldHaveSingleItem();
        (x.Weight, x.Action).ShouldBe((4f, EventKind.Custom));
        bench.State.Events.ShouldBe(2);
    }

    [Fact]
    public void Another_users_event_is_a_bug() =>
        Should.Throw<ArgumentException>(() => new Bench().Handle(Bench.Event(EventKind.Click, 0, "a") with { User = "v" }));

    [Fact]
    public void An_interaction_brings_earlier_positive_items_newest_first_each_once()
    {
        var bench = new Bench(new UsersSettings { RecentMax = 3 });
        foreach (var item in (string[])["a", "b", "c", "d", "b", "e"]) bench.Click(bench.State.Events, item);
        bench.Click(10, "d");
        var last = bench.Effects.Interactions[^1];
        last.Recent.ShouldBe([StableHash.Of("e"), StableHash.Of("b"), StableHash.Of("c")]);
        last.UserActions.ShouldBe(7);
        bench.Effects.Interactions[0].Recent.ShouldBeEmpty();
    }

    [Fact]
    public void Actions_refresh_every_surface_with_a_list_and_browsing_refreshes_without_urgency()
    {
        var bench = new Bench(new UsersSettings { RefreshAfterSeen = 3 });
        foreach (var surface in (string[])["home", "mail", "home"])
            bench.State.Lists.Add(new ListRef { Version = 1, Surface = surface, Arm = "x", Models = "", Items = [], Propensities = [] });
        bench.Handle(Bench.Event(EventKind.Click, 0, "a") with { Surface = "detail" });
        bench.Effects.Refreshes.ShouldBe([("detail", true), ("home", true), ("mail", true)]);
        bench.Effects.Refreshes.Clear();
        bench.Show(1, "b", surface: "home");
        bench.Show(2, "b", surface: "home");
        bench.Show(3, "c", surface: "home");
        bench.Effects.Refreshes.ShouldBeEmpty();
        bench.Show(4, "d", surface: "home");
        bench.Effects.Refreshes.ShouldBe([("home", false)]);
        bench.Show(5, "e", surface: "home");
        bench.Show(6, "f", surface: "home");
        bench.State.ListVersion++;
        bench.Show(7, "g", surface: "home");
        bench.Effects.Refreshes.Count.ShouldBe(1, "a list built meanwhile starts the count anew");
    }

    [Fact]
    public void Profile_search_served_and_delete()
    {
        var bench = new Bench(new UsersSettings { SearchTermsMax = 2, SearchTermWeight = 0.25 });
        var profile = new UserProfile { Interests = ["jazz"], Attributes = [new("age", "40")] };
        bench.Handle(Bench.Event(EventKind.UserUpsert, 0, null) with { Profile = profile });
        bench.State.Profile.ShouldBe(profile);
        bench.Effects.Refreshes.ShouldBe([("", true)]);
        bench.Handle(Bench.Event(EventKind.Search, 1, null) with { Query = "old  Jazz" });
        bench.Handle(Bench.Event(EventKind.Search, 2, null) with { Query = "blues" });
        bench.State.RecentTerms.ShouldBe(["jazz", "blues"]);
        foreach (var tag in (string[])["old", "Jazz", "jazz", "blues"])
            bench.State.Interests[Core.Items.InterestKey.Tag(tag)].Weight.ShouldBe(0.25f);
        bench.Handle(Bench.Event(EventKind.Served, 3, null) with { Items = [new("a", 0), new("b", 1)] });
        bench.Handle(Bench.Event(EventKind.Served, 4, "a"));
        bench.State.MarksOf("a").ShouldBe(new ItemMarks(2, 0, 0, false, false, Bench.T0 + 4));
        bench.State.Impressions.ShouldBe(0);
        bench.Handle(Bench.Event(EventKind.UserDelete, 5, null)).ShouldBe(HandleResult.Applied);
        bench.Effects.Forgotten.ShouldBe(1);
    }

    [Fact]
    public void Marks_are_bounded_and_what_was_disliked_or_hidden_stays()
    {
        var bench = new Bench(new UsersSettings { MarksMax = 16, PendingMax = 1 });
        bench.Act(0, EventKind.Dislike, "bad");
        bench.Act(1, EventKind.Hide, "worse");
        for (var i = 0; i < 15; i++) bench.Show(10 + i, $"i{i}");
        bench.State.Marks.Count.ShouldBe(14);
        bench.State.MarksOf("bad").Disliked.ShouldBeTrue();
        bench.State.MarksOf("worse").Hidden.ShouldBeTrue();
        bench.State.Marks.ContainsKey(StableHash.Of("i2")).ShouldBeFalse("the oldest three went");
        bench.State.Marks.ContainsKey(StableHash.Of("i3")).ShouldBeTrue();
        for (var i = 0; i < 100; i++)
        {
            bench.Act(100 + i, EventKind.Hide, $"h{i}");
            bench.State.Marks.Count.ShouldBeLessThanOrEqualTo(16);
        }
    }

    [Fact]
    public void Everything_else_is_bounded_too()
    {
        var settings = new UsersSettings
        {
            HistoryMax = 5, InterestsMax = 10, PendingMax = 7, ClosedMax = 3, RecentEventIdsMax = 4, MarksMax = 12, SessionActionsMax = 6,
        };
        var bench = new Bench(settings);
        for (var i = 0; i < 60; i++) bench.Models.AddItem($"i{i}");
        for (var i = 0; i < 60; i++)
        {
            bench.Show(i, $"i{i}");
            bench.Handle(Bench.Event(EventKind.Click, i, $"i{i * 7 % 60}") with { EventId = $"e{i}" });
        }
        var s = bench.State;
        (s.History.Count, s.RecentEventIds.Count, s.Pending.Count, s.Closed.Count).ShouldBe((5, 4, 7, 3));
        s.Interests.Count.ShouldBeLessThanOrEqualTo(10);
        s.Marks.Count.ShouldBeLessThanOrEqualTo(12);
        s.Session.Actions.Count.ShouldBeLessThanOrEqualTo(6);
        s.InterestVectors.Count.ShouldBeLessThanOrEqualTo(4);
        s.ApproxBytes.ShouldBeInRange(2_000, 20_000);
    }
}
