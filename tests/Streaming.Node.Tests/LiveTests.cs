using System.Text;
using Streaming.Core.Events;
using Streaming.Core.Feeds;
using Streaming.Core.Log;
using Streaming.Core.Settings;
using Streaming.Core.Wire;

namespace Streaming.Node.Tests;

/// <summary>The running node: from an event to a changed list, and through a stop to the next start.</summary>
public sealed class LiveTests : IDisposable
{
    private static readonly StreamingSettings Settings = NodeRig.Settings with
    {
        Node = new NodeSettings { IdleWaitMs = 2, TickIntervalMs = 20, CheckpointIntervalMs = 3_600_000 },
        // A look-up that waits for a list waits for it however busy the machine is.
        Serving = new ServingSettings { FreshnessWaitMsMax = 30_000 },
    };

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>Opens a node with a small catalogue, runs it during the test, and stops it cleanly.</summary>
    private async Task LiveAsync(Func<NodeRig, Task> test, StreamingSettings? settings = null)
    {
        await using var rig = await NodeRig.OpenAsync(_folder.Path, settings ?? Settings);
        using var stop = new CancellationTokenSource();
        var running = rig.Node.RunAsync(stop.Token);
        try
        {
            if (rig.Node.Restored is null)
                await rig.Node.Ingest.ItemsAsync([.. Enumerable.Range(0, 30).Select(i => NodeRig.Json($"{{'id':'i{i}','tags':['t{i % 3}']}}"))]);
            await test(rig);
        }
        finally
        {
            await stop.CancelAsync();
            await running;
        }
    }

    private static async Task<LogPosition> SendAsync(NodeRig rig, string json)
    {
        var outcome = (await rig.Node.Ingest.EventsAsync([NodeRig.Json(json)]))[0];
        outcome.Problem.ShouldBeNull();
        return outcome.Position;
    }

    private static Task<LogPosition> ClickAsync(NodeRig rig, string user, string item) => SendAsync(rig, $"{{'type':'click','user':'{user}','item':'{item}'}}");

    [Fact]
    public Task A_click_changes_the_users_list_at_once() => LiveAsync(async rig =>
    {
        var first = await ClickAsync(rig, "ann", "i1");
        var (outcome, list) = await rig.FindAsync("ann", first, 30_000);
        outcome.ShouldBe(FeedOutcome.Own);
        var before = new FeedListView(list.WrittenSpan).Version;
        new FeedListView(list.WrittenSpan).LastApplied.ShouldBe(first);
        var second = await ClickAsync(rig, "ann", "i2");
        (outcome, list) = await rig.FindAsync("ann", second, 30_000);
        outcome.ShouldBe(FeedOutcome.Own);
        new FeedListView(list.WrittenSpan).LastApplied.ShouldBe(second);
        new FeedListView(list.WrittenSpan).Version.ShouldBeGreaterThan(before);
        rig.Node.Status().ClickToListMsP50.ShouldBeGreaterThanOrEqualTo(0);
    });

    [Fact]
    public Task An_impression_makes_no_list_stale_but_whoever_waits_for_it_gets_one() => LiveAsync(async rig =>
    {
        await rig.FindAsync("ann", await ClickAsync(rig, "ann", "i1"), 30_000);
        var shown = await SendAsync(rig, "{'type':'impression','user':'ann','items':['i5','i6']}");
        var (outcome, list) = await rig.FindAsync("ann", shown, 30_000);
        outcome.ShouldBe(FeedOutcome.Own);
        new FeedListView(list.WrittenSpan).LastApplied.ShouldBe(shown);
    });

    [Fact]
    public Task A_position_that_never_comes_is_answered_not_yet_and_harms_nobody() => LiveAsync(async rig =>
    {
        (await rig.FindAsync("ann", new LogPosition(0, long.MaxValue - 1), 30)).Outcome.ShouldBe(FeedOutcome.NotYet);
        (await rig.FindAsync("ann", new LogPosition(99, 5), 30)).Outcome.ShouldBe(FeedOutcome.NotYet);
        (await rig.Node.WaitAppliedAsync(new LogPosition(0, long.MaxValue - 1), TimeSpan.FromMilliseconds(30), default)).ShouldBeFalse();
        (await rig.Node.WaitAppliedAsync(new LogPosition(99, 5), TimeSpan.FromMilliseconds(30), default)).ShouldBeFalse();
        (await rig.FindAsync("ann", await ClickAsync(rig, "ann", "i1"), 30_000)).Outcome.ShouldBe(FeedOutcome.Own);
    });

    [Fact]
    public Task What_is_applied_is_in_the_actors_state() => LiveAsync(async rig =>
    {
        for (var i = 0; i < 100; i++)
        {
            var position = await ClickAsync(rig, "ann", $"i{i % 30}");
            (await rig.Node.WaitAppliedAsync(position, TimeSpan.FromSeconds(30), default)).ShouldBeTrue();
            (await rig.Node.AskUserAsync("ann", s => s!.LastApplied)).ShouldBe(position);
        }
    });

    [Fact]
    public Task Windows_end_without_traffic() => LiveAsync(
        async rig =>
        {
            await SendAsync(rig, "{'type':'impression','user':'ann','items':['i5','i6']}");
            await NodeRig.Until(() => rig.Node.AskModelsAsync(m => m.Examples >= 2));
            (await rig.Node.PendingImpressionsAsync()).ShouldBe(0);
        },
        Settings with { Users = Settings.Users with { AttributionWindowMs = 1_000 } });

    [Fact]
    public Task New_items_come_into_lists_and_deleted_ones_leave() => LiveAsync(async rig =>
    {
        await rig.Node.Ingest.ItemsAsync([NodeRig.Json("{'id':'brand-new','tags':['t1']}"), NodeRig.Json("{'id':'i3','deleted':true}"), NodeRig.Json("{")]);
        await NodeRig.Until(() => rig.Node.AskModelsAsync(m => m.Catalog.Count == 30));
        (await rig.Node.AskModelsAsync(m => m.Catalog.All.Any(i => i.Id == "brand-new"))).ShouldBeTrue();
        var items = new HashSet<string>();
        for (var i = 0; i < 20 && !items.Contains("brand-new"); i++)
        {
            var (outcome, list) = await rig.FindAsync($"u{i}", await ClickAsync(rig, $"u{i}", "i1"), 30_000);
            outcome.ShouldBe(FeedOutcome.Own);
            items.UnionWith(FeedListCodec.Read(list.WrittenSpan).Entries.Select(e => e.Item));
        }
        items.ShouldContain("brand-new");
        items.ShouldNotContain("i3");
        rig.Node.Status().IngestRejected.ShouldBe(1);
    });

    [Fact]
    public Task A_newcomer_gets_the_popular_list() => LiveAsync(async rig =>
    {
        for (var i = 0; i < 10; i++) await ClickAsync(rig, $"u{i}", "i7");
        await NodeRig.Until(async () => (await rig.FindAsync("nobody")).Outcome == FeedOutcome.Segment);
    });

    [Fact]
    public Task A_deleted_user_is_gone() => LiveAsync(async rig =>
    {
        await rig.FindAsync("ann", await ClickAsync(rig, "ann", "i1"), 30_000);
        var at = await rig.Node.Ingest.EventAsync(new UserEvent { Kind = EventKind.UserDelete, Type = "user_delete", User = "ann", TimeMs = rig.Node.NowMs() });
        (await rig.Node.WaitAppliedAsync(at, TimeSpan.FromSeconds(30), default)).ShouldBeTrue();
        (await rig.FindAsync("ann")).Outcome.ShouldNotBe(FeedOutcome.Own);
        (await rig.Node.AskUserAsync("ann", s => s is null)).ShouldBeTrue();
    });

    [Fact]
    public async Task A_stop_drains_and_saves_and_the_next_start_goes_on_from_there()
    {
        LogPosition last = default;
        await LiveAsync(async rig =>
        {
            for (var i = 0; i < 300; i++) last = await ClickAsync(rig, $"u{i % 20}", $"i{i % 30}");
        });
        string digest;
        await using (var rig = await NodeRig.OpenAsync(_folder.Path, Settings))
        {
            rig.Node.Restored.ShouldNotBeNull().Events[last.Partition].ShouldBeGreaterThan(last.Offset);
            (await rig.Node.AskUserAsync("u19", s => s!.LastApplied)).ShouldBe(last);
            (await rig.FindAsync("u19")).Outcome.ShouldBe(FeedOutcome.Own);
            rig.Node.Status().Users.Applied.ShouldBe(300);
            digest = await rig.Node.DigestAsync();
            digest.Length.ShouldBe(32);
            var committed = await rig.Node.Log.CommittedAsync("node", Topics.Events);
            committed.Count.ShouldBe(2);
        }
        await LiveAsync(async rig =>
        {
            var next = await ClickAsync(rig, "u19", "i4");
            (await rig.FindAsync("u19", next, 30_000)).Outcome.ShouldBe(FeedOutcome.Own);
            rig.Node.Status().Users.Applied.ShouldBe(301);
            rig.Node.Status().Users.Repeats.ShouldBe(0);
        });
    }

    [Fact]
    public async Task A_node_that_never_had_any_traffic_starts_again()
    {
        for (var i = 0; i < 3; i++)
        {
            await using var rig = await NodeRig.OpenAsync(_folder.Path, Settings);
            rig.Notices.ShouldBeEmpty();
            await rig.Node.CheckpointAsync(null, default);
        }
    }

    [Fact]
    public Task Checkpoints_move_the_position_that_retention_goes_by() => LiveAsync(
        async rig =>
        {
            var position = await ClickAsync(rig, "ann", "i1");
            await NodeRig.Until(async () =>
            {
                var committed = await rig.Node.Log.CommittedAsync("node", Topics.Events);
                return committed.Any(c => c.Partition == position.Partition && c.Offset > position.Offset);
            });
            await NodeRig.Until(() => Task.FromResult(rig.Node.Status().CheckpointId >= 5));
            Directory.GetDirectories(rig.CheckpointDir).Length.ShouldBeInRange(2, 3);
        },
        Settings with { Node = Settings.Node with { CheckpointIntervalMs = 100 } });

    [Fact]
    public async Task A_node_that_is_far_behind_says_so()
    {
        var settings = Settings with { Node = Settings.Node with { LagOffsetsMax = 1_000, RoundEventsMax = 2 } };
        await using var rig = await NodeRig.OpenAsync(_folder.Path, settings);
        rig.Node.Ingest.IsOverloaded.ShouldBeFalse();
        for (var i = 0; i < 100; i++) await ClickAsync(rig, $"u{i}", "i1");
        await rig.Node.RoundAsync(null, rig.Node.NowMs(), 0, default);
        rig.Node.Ingest.IsOverloaded.ShouldBeTrue();
        rig.Node.Status().LagOffsets.ShouldBeGreaterThan(1_000);
        while (await rig.Node.RoundAsync(null, rig.Node.NowMs(), 0, default) > 0)
        {
            // Until it has caught up.
        }
        rig.Node.Ingest.IsOverloaded.ShouldBeFalse();
    }

    [Fact]
    public async Task Nobody_waits_for_the_answer_of_a_node_that_has_stopped()
    {
        var rig = await NodeRig.OpenAsync(_folder.Path, Settings);
        var before = rig.Node.AskModelsAsync(m => m.Examples);
        await rig.DisposeAsync();
        await Should.ThrowAsync<ObjectDisposedException>(() => before.WaitAsync(TimeSpan.FromSeconds(30)));
        await Should.ThrowAsync<ObjectDisposedException>(() => rig.Node.AskModelsAsync(m => m.Examples).WaitAsync(TimeSpan.FromSeconds(30)));
    }

    [Fact]
    public Task A_failing_question_fails_alone() => LiveAsync(async rig =>
    {
        await Should.ThrowAsync<DivideByZeroException>(() => rig.Node.AskModelsAsync<int>(_ => throw new DivideByZeroException()));
        (await rig.Node.AskModelsAsync(_ => 7)).ShouldBe(7);
    });

    [Fact]
    public async Task A_served_page_is_logged_once_and_what_is_queued_at_the_end_too()
    {
        await using (var rig = await NodeRig.OpenAsync(_folder.Path, Settings))
        {
            var served = rig.Node.Served;
            served.IsNew(1, 5, 0, 20).ShouldBeTrue();
            served.IsNew(1, 5, 0, 20).ShouldBeFalse();
            served.IsNew(1, 5, 20, 20).ShouldBeTrue();
            served.IsNew(1, 6, 0, 20).ShouldBeTrue();
            served.IsNew(2, 5, 0, 20).ShouldBeTrue();
            for (var i = 0; i < 10_000; i++)
                served.Add(new UserEvent { Kind = EventKind.Served, Type = "served", User = $"u{i}", Item = "i1", TimeMs = rig.Node.NowMs() });
            await served.DisposeAsync();
            (served.Logged + served.Dropped).ShouldBe(10_000);
            served.Logged.ShouldBeGreaterThanOrEqualTo(4_096);
            rig.ReadAll(Topics.Events).Count.ShouldBe((int)served.Logged);
            served.Add(new UserEvent { Kind = EventKind.Served, Type = "served", User = "late", Item = "i1", TimeMs = rig.Node.NowMs() });
            (served.Logged + served.Dropped).ShouldBe(10_001);
        }
    }
}
