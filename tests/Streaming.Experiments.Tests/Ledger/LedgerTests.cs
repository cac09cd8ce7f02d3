using Streaming.Core.Events;
using Streaming.Core.Experiments;
using Streaming.Core.Feeds;
using Streaming.Experiments.Ledger;
using Streaming.Experiments.Reporting;

namespace Streaming.Experiments.Tests.Ledger;

/// <summary>What the ledger adds up, for whom.</summary>
public sealed class LedgerTests
{
    private const long T0 = 1_750_000_000_000;
    private const long Minute = 60_000;

    private static readonly TrackedExperiment Two = new() { Id = "x", Arms = ["control", "b"], Shares = [500, 500] };

    private readonly ExperimentLedger _ledger = New();
    private int _sent;

    [Fact]
    public void Every_kind_of_event_counts_in_its_column()
    {
        See("ann", "learned~x:b", T0, items: 10);
        Do("ann", "learned~x:b", EventKind.Click, T0 + 1);
        Do("ann", "learned~x:b", EventKind.Dwell, T0 + 2, 12.5);
        Do("ann", "learned~x:b", EventKind.Purchase, T0 + 3, 40);
        Do("ann", "learned~x:b", EventKind.Like, T0 + 4);
        Do("ann", "learned~x:b", EventKind.Hide, T0 + 5);
        Values("b").ShouldBe(new Dictionary<string, double>
        {
            ["ctr"] = 0.1, ["cvr"] = 1, ["dwell_per_click"] = 12.5, ["dwell_per_user"] = 12.5, ["revenue_per_user"] = 40, ["sessions_per_user"] = 1,
            ["clicks_per_session"] = 1, ["actions_per_session"] = 3, ["dislike_rate"] = 0.1,
        });
    }

    [Fact]
    public void Credit_goes_to_the_arm_that_showed_the_item()
    {
        See("ann", "learned~x:control", T0, items: 4);
        // Her bucket moved: what the other arm shows from now on is nobody's; a click on what hers had shown is hers.
        See("ann", "learned~x:b", T0 + 1, items: 4);
        Do("ann", "learned~x:b", EventKind.Click, T0 + 2);
        Do("ann", "learned~x:control", EventKind.Click, T0 + 3);
        // A list of hers from outside the experiment, and an action that names no list, are hers: she was given the arm.
        Do("ann", null, EventKind.Purchase, T0 + 4, 9);
        Values("control")["ctr"].ShouldBe(0.25);
        Values("control")["revenue_per_user"].ShouldBe(9);
        var report = Report();
        report.CrossedOver.ShouldBe(2);
        report.Unnamed.ShouldBe(1);
        report.Arms.Select(a => a.Users).ShouldBe([1, 0]);
    }

    [Fact]
    public void A_user_is_in_from_the_first_list_of_the_experiment_on()
    {
        See("ann", "learned", T0 - Minute, items: 100);
        Do("ann", "learned", EventKind.Click, T0 - Minute + 1);
        Do("ann", null, EventKind.Click, T0 - 1);
        Report().Arms.Sum(a => a.Users).ShouldBe(0);
        Apply(new UserEvent { Kind = EventKind.Served, Type = "served", User = "ann", TimeMs = T0, RequestId = Id("learned~x:b"), Items = [new("i", 0)] });
        Report().Arms.Select(a => a.Users).ShouldBe([0, 1]);
        See("ann", "learned~x:b", T0 + 1, items: 10);
        Values("b")["ctr"].ShouldBe(0, "what was before counts as the past");
        // The past is there for CUPED, faded by half a life at most.
        var (before, impressions) = Past("ann");
        before.ShouldBeInRange(1.9, 2);
        impressions.ShouldBeInRange(99, 100);
    }

    [Fact]
    public void Clicks_on_lists_of_two_rankings_go_to_the_ranking_whose_item_it_was()
    {
        _ledger.Track([Two with { Interleaved = new Dictionary<string, string> { ["b"] = "din" }, Excluded = ["tester"] }]);
        void Served(string user, string arm, EventKind kind = EventKind.Served) => Apply(Event(user, arm, kind, T0) with
        {
            Item = null, Items = [new("mine", 0, 0.5f, Team.A), new("theirs", 1, 1, Team.B), new("fresh", 2)],
        });
        void Click(string user, string arm, string item) => Apply(Event(user, arm, EventKind.Click, T0 + 1) with { Item = item });
        foreach (var user in (string[])["ann", "bob", "cid", "eve", "tester"]) Served(user, "learned~x:b");
        Click("ann", "learned~x:b", "mine");
        Click("ann", "learned~x:b", "mine");
        Click("ann", "learned~x:b", "theirs");
        Click("bob", "learned~x:b", "mine");
        Click("cid", "learned~x:b", "theirs");
        Click("eve", "learned~x:b", "fresh");
        Click("tester", "learned~x:b", "theirs");
        // Told by an impression as well; the control's lists are of one ranking.
        Served("fay", "learned~x:b", EventKind.Impression);
        Click("fay", "learned~x:b", "theirs");
        Served("gus", "learned~x:control");
        Click("gus", "learned~x:control", "theirs");
        // A list that nobody was told of.
        Click("hal", "learned~x:b", "theirs");

        var duel = Report().Duels.ShouldHaveSingleItem();
        (duel.Arm, duel.Opponent, duel.Users, duel.PreferArm, duel.PreferOpponent).ShouldBe(("b", "din", 4, 2, 2));
        (duel.Preference, duel.PValue).ShouldBe((0.5, 1));
        Report().Meaning.ShouldContain(m => m.Contains("of 4 users with a click 2 prefer b's own ranking and 2 prefer din's"));

        var saved = new MemoryStream();
        _ledger.Save(saved, [7]);
        var restored = New();
        restored.Load(new MemoryStream(saved.ToArray()));
        ReportBuilder.Build(restored, "x", new ReportPlan())!.Duels.ShouldBe(Report().Duels);
        // What the lists were is known after a restart, too.
        restored.Apply(Event("bob", "learned~x:b", EventKind.Click, T0 + 2) with { Item = "theirs" }, T0 + 2);
        restored.Apply(Event("bob", "learned~x:b", EventKind.Click, T0 + 3) with { Item = "theirs" }, T0 + 3);
        ReportBuilder.Build(restored, "x", new ReportPlan())!.Duels[0].PreferOpponent.ShouldBe(3);

        Apply(new UserEvent { Kind = EventKind.UserDelete, Type = "user_delete", User = "ann", TimeMs = T0 + 9 });
        Report().Duels[0].Users.ShouldBe(3);
        // Against another ranking it begins anew.
        _ledger.Track([Two with { Interleaved = new Dictionary<string, string> { ["b"] = "drn" } }]);
        Report().Duels[0].ShouldSatisfyAllConditions(d => d.Opponent.ShouldBe("drn"), d => d.Users.ShouldBe(0));
    }

    [Fact]
    public void Visits_end_by_a_gap_or_by_another_id()
    {
        See("ann", "learned~x:b", T0, items: 1);
        See("ann", "learned~x:b", T0 + 29 * Minute, items: 1);
        Values("b")["sessions_per_user"].ShouldBe(1);
        See("ann", "learned~x:b", T0 + 60 * Minute, items: 1);
        Values("b")["sessions_per_user"].ShouldBe(2);
        Apply(Event("ann", "learned~x:b", EventKind.Click, T0 + 61 * Minute) with { SessionId = "s1" });
        Apply(Event("ann", "learned~x:b", EventKind.Click, T0 + 200 * Minute) with { SessionId = "s1" });
        Values("b")["sessions_per_user"].ShouldBe(3);
        // A late event opens no visit.
        Apply(Event("ann", "learned~x:b", EventKind.Click, T0 + 2 * Minute));
        Values("b")["sessions_per_user"].ShouldBe(3);
    }

    [Fact]
    public void A_repeat_counts_once_and_what_lies_in_the_future_not_at_all()
    {
        See("ann", "learned~x:b", T0, items: 10);
        var click = Event("ann", "learned~x:b", EventKind.Click, T0 + 1);
        Apply(click);
        Apply(click);
        _ledger.Apply(click with { EventId = "other", TimeMs = T0 + 48 * 60 * Minute }, T0 + 2);
        Values("b")["ctr"].ShouldBe(0.1);
        _ledger.Repeats.ShouldBe(1);
    }

    [Fact]
    public void Times_bound_what_counts()
    {
        _ledger.Track([Two with { StartMs = T0, EndMs = T0 + Minute }]);
        See("ann", "learned~x:b", T0 - 1, items: 1);
        Report().Arms.Sum(a => a.Users).ShouldBe(0);
        See("ann", "learned~x:b", T0, items: 10);
        Do("ann", "learned~x:b", EventKind.Click, T0 + Minute);
        Values("b")["ctr"].ShouldBe(0);
    }

    [Fact]
    public void Who_is_forced_into_an_arm_or_forgotten_is_no_result()
    {
        _ledger.Track([Two with { Excluded = ["qa"] }]);
        See("qa", "learned~x:b", T0, items: 10);
        See("ann", "learned~x:b", T0, items: 10);
        See("bob", "learned~x:b", T0, items: 10);
        Report().Arms[1].Users.ShouldBe(2);
        Apply(new UserEvent { Kind = EventKind.UserDelete, Type = "user_delete", User = "ann", TimeMs = T0 + 1 });
        Report().Arms[1].Users.ShouldBe(1);
    }

    [Fact]
    public void A_stopped_arms_comparison_stands_as_it_was()
    {
        for (var u = 0; u < 200; u++) See($"u{u}", u % 2 == 0 ? "learned~x:control" : "learned~x:b", T0 + u, items: 10);
        for (var u = 0; u < 200; u += 3) Do($"u{u}", u % 2 == 0 ? "learned~x:control" : "learned~x:b", EventKind.Click, T0 + 1000 + u);
        var before = Report().Metrics.Where(r => r.Primary).ToList();
        _ledger.Track([Two with { Shares = [500, 0], Stopped = ["b"] }]);
        for (var u = 0; u < 200; u++) Do($"u{u}", null, EventKind.Click, T0 + Minute);
        Report().Metrics.Where(r => r.Primary).ShouldBe(before);
        Report().Arms[1].Stopped.ShouldBeTrue();
        _ledger.Track([Two]);
        Report().Arms[1].Stopped.ShouldBeFalse();
        Report().Metrics.Single(r => r.Primary).Value.ShouldBeGreaterThan(before[0].Value, "let go on, it is compared with all that came meanwhile");
    }

    [Fact]
    public void Shares_that_change_do_not_pass_for_an_effect()
    {
        // First 9 : 1, later 1 : 9. Those who came early have been in for long and clicked twice, in both arms alike.
        _ledger.Track([Two with { Shares = [900, 100] }]);
        for (var u = 0; u < 1000; u++) Enter($"early{u}", u % 10 == 0 ? "b" : "control", clicks: 2);
        _ledger.Track([Two with { Shares = [100, 900] }]);
        for (var u = 0; u < 1000; u++) Enter($"late{u}", u % 10 == 0 ? "control" : "b", clicks: u % 2);
        var report = Report();
        report.SampleRatio.IsMismatch.ShouldBeFalse("in each stretch of time the split was as planned");
        report.SampleRatio.PValue.ShouldBeGreaterThan(0.9);
        var row = report.Metrics.Single(r => r.Primary);
        // Half of the users came early: late ones of control are 0, 10, ..., even, and clicked nothing; of the 900 of b 500 are odd.
        row.Control.ShouldBe(0.1, 1e-9);
        row.Value.ShouldBe((0.2 + 0.1 * 500 / 900) / 2, 1e-9);

        void Enter(string user, string arm, int clicks)
        {
            See(user, $"learned~x:{arm}", T0, items: 10);
            for (var c = 0; c < clicks; c++) Do(user, $"learned~x:{arm}", EventKind.Click, T0 + 1 + c);
        }
    }

    [Fact]
    public void Many_users_are_sampled_without_bias()
    {
        var ledger = New(new LedgerLimits { UsersMax = 500 });
        for (var u = 0; u < 8_000; u++)
        {
            ledger.Apply(Event($"u{u}", u % 2 == 0 ? "learned~x:control" : "learned~x:b", EventKind.Impression, T0) with { Item = null, Items = Shown(10) }, T0);
            if (u % 5 == 0) ledger.Apply(Event($"u{u}", u % 2 == 0 ? "learned~x:control" : "learned~x:b", EventKind.Click, T0 + 1), T0);
        }
        var report = ReportBuilder.Build(ledger, "x", new ReportPlan())!;
        report.SampledShare.ShouldBe(1.0 / 16);
        report.Arms.Sum(a => a.Users).ShouldBeInRange(350, 500);
        report.SampleRatio.IsMismatch.ShouldBeFalse();
        // One click in 50 impressions; the standard error of some 450 users is 0.002.
        report.Metrics[0].Value.ShouldBeInRange(0.012, 0.028);
        report.Meaning.ShouldContain(s => s.Contains("random 6.25 %"));
    }

    [Fact]
    public void The_past_that_is_bounded_forgets_who_has_been_away_longest()
    {
        var ledger = New(new LedgerLimits { HistoryUsersMax = 100 });
        for (var u = 0; u < 250; u++) ledger.Apply(Event($"u{u}", null, EventKind.Click, T0 + u), T0 + u);
        foreach (var user in (string[])["u0", "u249"])
            ledger.Apply(Event(user, "learned~x:b", EventKind.Impression, T0 + 1000) with { Item = null, Items = Shown(1) }, T0 + 1000);
        var users = ledger.Find("x")!.Users.MomentsOf(Metric.Ctr, 1, [1]);
        users.Count.ShouldBe(2);
        users.Sum(4).ShouldBe(1, "one of the two is known from before");
    }

    [Fact]
    public void What_is_saved_goes_on_as_if_it_had_never_stopped()
    {
        var (whole, first) = (New(), New());
        var events = Traffic(seed: 5, 3_000);
        foreach (var e in events) whole.Apply(e, e.TimeMs);
        foreach (var e in events.Take(1_500)) first.Apply(e, e.TimeMs);
        var second = New();
        second.Load(new MemoryStream(Saved(first))).ShouldBe([7, 9]);
        second.Track([Two]);
        foreach (var e in events.Skip(1_500)) second.Apply(e, e.TimeMs);
        Saved(second).ShouldBe(Saved(whole));
    }

    [Fact]
    public void Damage_is_refused_and_leaves_the_ledger_as_it_was()
    {
        foreach (var e in Traffic(seed: 6, 200)) Apply(e);
        var saved = Saved(_ledger);
        for (var at = 0; at < saved.Length; at += 97)
        {
            var damaged = (byte[])saved.Clone();
            damaged[at] ^= 0x40;
            Should.Throw<InvalidDataException>(() => _ledger.Load(new MemoryStream(damaged)));
        }
        Should.Throw<InvalidDataException>(() => _ledger.Load(new MemoryStream(saved[..^5])));
        Saved(_ledger).ShouldBe(saved);
    }

    [Fact]
    public void Golden()
    {
        // Two users of an arm each, one known from before; deflated. It only grows.
        Do("ann", null, EventKind.Click, T0 - 1);
        See("ann", "learned~x:b", T0, items: 2);
        Do("ann", "learned~x:b", EventKind.Click, T0 + 1);
        _ledger.Track([Two with { Shares = [500, 250], StartMs = 1, EndMs = 2_000_000_000_000 }]);
        See("bob", "learned~x:control", T0 + 2, items: 3);
        var saved = Saved(_ledger);
        var read = New();
        read.Load(new MemoryStream(Inflated(GoldenForm)));
        Saved(read).ShouldBe(saved, "what an earlier build has written is read");
        saved.ShouldBe(Inflated(GoldenForm), $"now {Deflated(saved)}");
    }

    private const string GoldenForm =
        "Y2RiYGBgZ4AATijNwoAKmO4olExnBNJA9rt9ziL9EzeuaP/5N3zbfr2ljFC5/7chNIyPoReNRgIOUIwEGuwRYg5ocnB5OAC5V+PondkrrrtoKs97r5GQ8327rLeJu5zMrOsCLYnWbTUTb4OsBOEKBrjlCl4rL4I4uF0G8QE0hJLz80qK8nNAKpKYoOIQB9Y7wGhMsXwHZHMwQg/oKEbkcACCD/YMeAFMHl0dhwMDUQCX+Q32mPwGe2JMfDV/uQoA";

    private static byte[] Inflated(string text)
    {
        using var inflate = new System.IO.Compression.DeflateStream(new MemoryStream(Convert.FromBase64String(text)), System.IO.Compression.CompressionMode.Decompress);
        using var into = new MemoryStream();
        inflate.CopyTo(into);
        return into.ToArray();
    }

    private static string Deflated(byte[] bytes)
    {
        using var into = new MemoryStream();
        using (var deflate = new System.IO.Compression.DeflateStream(into, System.IO.Compression.CompressionLevel.SmallestSize, leaveOpen: true)) deflate.Write(bytes);
        return Convert.ToBase64String(into.ToArray());
    }

    private static ExperimentLedger New(LedgerLimits? limits = null)
    {
        var ledger = new ExperimentLedger(limits ?? new LedgerLimits());
        ledger.Track([Two]);
        return ledger;
    }

    private static byte[] Saved(ExperimentLedger ledger)
    {
        using var stream = new MemoryStream();
        ledger.Save(stream, [7, 9]);
        return stream.ToArray();
    }

    private static List<UserEvent> Traffic(int seed, int count)
    {
        var draws = new Random(seed);
        List<UserEvent> events = [];
        for (var i = 0; i < count; i++)
        {
            var user = draws.Next(60);
            var arm = draws.Next(8) == 0 ? null : user % 2 == 0 ? "learned~x:control" : "learned~x:b";
            var kind = (EventKind)(1 + draws.Next(9));
            events.Add(new UserEvent
            {
                Kind = kind, Type = EventKinds.Name(kind), User = $"u{user}", TimeMs = T0 + i * 20_000L, EventId = $"e{draws.Next(count)}", Item = "i",
                RequestId = arm is null ? null : Id(arm), Value = draws.NextDouble() * 50, SessionId = draws.Next(5) == 0 ? $"s{draws.Next(9)}" : null,
            });
        }
        return events;
    }

    private ExperimentReport Report() => ReportBuilder.Build(_ledger, "x", new ReportPlan())!;

    private Dictionary<string, double> Values(string arm) => Metric.All.ToDictionary(m => m.Name, m =>
    {
        var found = _ledger.Find("x")!;
        var moments = found.AllOf(m, found.IndexOf(arm));
        return moments.Sum(0) / moments.Sum(1);
    });

    private (double Clicks, double Impressions) Past(string user)
    {
        _ = user;
        var moments = _ledger.Find("x")!.AllOf(Metric.Ctr, 1);
        return (moments.Sum(2), moments.Sum(3));
    }

    private void See(string user, string arm, long timeMs, int items) => Apply(Event(user, arm, EventKind.Impression, timeMs) with { Item = null, Items = Shown(items) });

    private void Do(string user, string? arm, EventKind kind, long timeMs, double value = double.NaN) => Apply(Event(user, arm, kind, timeMs) with { Value = value });

    private void Apply(UserEvent e) => _ledger.Apply(e with { EventId = e.EventId ?? $"e{_sent++}" }, e.TimeMs);

    private UserEvent Event(string user, string? arm, EventKind kind, long timeMs) => new()
    {
        Kind = kind, Type = EventKinds.Name(kind), User = user, TimeMs = timeMs, Item = "i", RequestId = arm is null ? null : Id(arm), EventId = $"x{_sent++}",
    };

    private static ShownItem[] Shown(int items) => [.. Enumerable.Range(0, items).Select(i => new ShownItem($"i{i}", i))];

    private static string Id(string arm) => RequestId.Format(arm, 1, 7);
}
