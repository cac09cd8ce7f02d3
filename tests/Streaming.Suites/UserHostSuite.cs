using System.Text;
using Streaming.Actors;
using Streaming.Core.Events;
using Streaming.Core.Settings;
using Streaming.Suites.Fakes;
using static Streaming.Suites.Fakes.ShardBench;

namespace Streaming.Suites;

/// <summary>What every <see cref="IUserHost"/> promises, in this process or across a cluster.</summary>
public abstract class UserHostSuite
{
    private const long T0 = 1_700_000_000_000;

    /// <summary>A host over these shards, ready to be told.</summary>
    protected abstract Task<IUserHost> CreateAsync(IReadOnlyList<UserShard> shards, int mailboxRecordsMax);

    private Task<IUserHost> CreateAsync(ShardBench bench, int mailboxRecordsMax = 4096) => CreateAsync(bench.Shards(), mailboxRecordsMax);

    [Fact]
    public async Task Events_reach_their_users_in_order()
    {
        var bench = new ShardBench(4);
        for (var i = 0; i < 2_000; i++) bench.Append(Click($"u{i % 50}", $"i{i}", T0 + i));
        await using var host = await CreateAsync(bench);
        await bench.FeedAsync(host);
        host.Counts.Applied.ShouldBe(2_000);
        for (var u = 0; u < 50; u++)
        {
            var times = await host.AskAsync($"u{u}", s => s!.History.Select(a => a.TimeMs).ToArray());
            times.ShouldBe(Enumerable.Range(0, 40).Select(k => T0 + u + 50L * k));
        }
    }

    [Fact]
    public async Task An_unknown_user_has_no_state()
    {
        await using var host = await CreateAsync(new ShardBench(2));
        (await host.AskAsync("nobody", s => s is null)).ShouldBeTrue();
    }

    [Fact]
    public async Task Records_told_twice_are_applied_once()
    {
        var bench = new ShardBench(2);
        for (var i = 0; i < 300; i++) bench.Append(Click($"u{i % 7}", $"i{i}", T0 + i));
        await using var host = await CreateAsync(bench);
        await bench.FeedAsync(host);
        var before = await BytesAsync(host, "u3");
        await bench.FeedAsync(host);
        (await BytesAsync(host, "u3")).ShouldBe(before);
        host.Counts.Applied.ShouldBe(300);
        host.Counts.Repeats.ShouldBe(300);
    }

    [Fact]
    public async Task A_full_mailbox_holds_the_teller_back()
    {
        var bench = new ShardBench(1);
        for (var i = 0; i < 4_000; i++) bench.Append(Click("u", $"i{i}", T0 + i));
        bench.Sinks[0].Gate.Reset();
        await using var host = await CreateAsync(bench, mailboxRecordsMax: 256);
        var feeding = bench.FeedAsync(host);
        // The shard is stuck in its first effect; whatever does not fit the mailbox must wait outside it.
        (await Task.WhenAny(feeding, Task.Run(() => SpinWait.SpinUntil(() => feeding.IsCompleted, 300)))).ShouldNotBe(feeding);
        bench.Sinks[0].Gate.Set();
        await feeding;
        host.Counts.Applied.ShouldBe(4_000);
    }

    [Fact]
    public async Task A_burst_of_clicks_makes_one_list()
    {
        var bench = new ShardBench(2);
        for (var i = 0; i < 10; i++) bench.Append(Click("burst", $"i{i}", T0 + i));
        await using var host = await CreateAsync(bench);
        await bench.FeedAsync(host);
        (await host.RefreshAsync(T0 + 100, 100)).ShouldBe(0);
        var list = bench.Sinks[bench.PartitionOf("burst")].Lists.ShouldHaveSingleItem();
        list.User.ShouldBe("burst");
        list.LastApplied.Offset.ShouldBe(9);
    }

    [Fact]
    public async Task Lists_beyond_the_bound_wait_for_the_next_call()
    {
        var bench = new ShardBench(1);
        for (var i = 0; i < 10; i++) bench.Append(Click($"u{i}", "x", T0 + i));
        await using var host = await CreateAsync(bench);
        await bench.FeedAsync(host);
        (await host.RefreshAsync(T0 + 100, 4)).ShouldBe(6);
        bench.Sinks[0].Lists.Select(l => l.User).ShouldBe(["u0", "u1", "u2", "u3"]);
        (await host.RefreshAsync(T0 + 100, 100)).ShouldBe(0);
        bench.Sinks[0].Lists.Count.ShouldBe(10);
    }

    [Fact]
    public async Task A_list_can_be_asked_for()
    {
        var bench = new ShardBench(1);
        bench.Append(Shown("u", "x", T0));
        await using var host = await CreateAsync(bench);
        await bench.FeedAsync(host);
        await host.RefreshAsync(T0, 100);
        bench.Sinks[0].Lists.ShouldBeEmpty();
        await host.RequestListAsync("u", "home");
        await host.RefreshAsync(T0, 100);
        bench.Sinks[0].Lists.ShouldHaveSingleItem().Surface.ShouldBe("home");
    }

    [Fact]
    public async Task A_flushed_host_goes_on_where_it_was()
    {
        var straight = new ShardBench(3);
        var stopped = new ShardBench(3);
        for (var i = 0; i < 1_000; i++)
        {
            var e = i % 3 == 0 ? Click($"u{i % 40}", $"i{i % 97}", T0 + i * 1_000) : Shown($"u{i % 40}", $"i{i % 97}", T0 + i * 1_000);
            straight.Append(e);
            if (i < 600) stopped.Append(e);
        }
        await using var one = await CreateAsync(straight);
        await straight.FeedAsync(one);

        long[] at;
        await using (var first = await CreateAsync(stopped))
        {
            await stopped.FeedAsync(first);
            await first.FlushAsync();
            at = new long[3];
        }
        for (var i = 600; i < 1_000; i++)
            stopped.Append(i % 3 == 0 ? Click($"u{i % 40}", $"i{i % 97}", T0 + i * 1_000) : Shown($"u{i % 40}", $"i{i % 97}", T0 + i * 1_000));
        var shards = stopped.Shards();
        for (var p = 0; p < 3; p++) at[p] = shards[p].NextOffset;
        await using var second = await CreateAsync(shards, 4096);
        await stopped.FeedAsync(second, at);

        for (var u = 0; u < 40; u++) (await BytesAsync(second, $"u{u}")).ShouldBe(await BytesAsync(one, $"u{u}"));
        (second.Counts with { Loaded = 0, Resident = 0 }).ShouldBe(one.Counts with { Loaded = 0, Resident = 0 });
        for (var p = 0; p < 3; p++)
            stopped.Sinks[p].Examples.Select(e => (e.User, e.ItemKey, e.Label, e.Source, e.Ordinal))
                .ShouldBe(straight.Sinks[p].Examples.Select(e => (e.User, e.ItemKey, e.Label, e.Source, e.Ordinal)));
    }

    [Fact]
    public async Task Passivation_makes_no_difference()
    {
        var roomy = new ShardBench(2);
        var tight = new ShardBench(2, hotUsersMax: 16);
        for (var i = 0; i < 3_000; i++)
        {
            var user = $"u{i * 7919 % 200}";
            var e = i % 4 == 0 ? Click(user, $"i{i % 61}", T0 + i * 500) : Shown(user, $"i{i % 61}", T0 + i * 500);
            roomy.Append(e);
            tight.Append(e);
        }
        await using var a = await CreateAsync(roomy);
        await using var b = await CreateAsync(tight);
        await roomy.FeedAsync(a);
        await tight.FeedAsync(b);
        b.Counts.Passivated.ShouldBeGreaterThan(500);
        b.Counts.Resident.ShouldBeLessThanOrEqualTo(32);
        for (var u = 0; u < 200; u++) (await BytesAsync(b, $"u{u}")).ShouldBe(await BytesAsync(a, $"u{u}"));
    }

    [Fact]
    public async Task A_poisonous_message_is_set_aside_and_leaves_no_trace()
    {
        var clean = new ShardBench(1);
        var poisoned = new ShardBench(1);
        for (var i = 0; i < 50; i++)
        {
            clean.Append(Click("u", $"i{i}", T0 + i * 100));
            clean.Append(Click("other", $"i{i}", T0 + i * 100));
            poisoned.Append(Click("u", i == 25 ? "poison" : $"i{i}", T0 + i * 100));
            poisoned.Append(Click("other", $"i{i}", T0 + i * 100));
        }
        await using var a = await CreateAsync(clean);
        await using var b = await CreateAsync(poisoned);
        await clean.FeedAsync(a);
        await poisoned.FeedAsync(b);

        b.Counts.Restarts.ShouldBe(1);
        var letter = poisoned.Sinks[0].DeadLetters.ShouldHaveSingleItem();
        letter.Reason.ShouldContain("the poison works");
        letter.Source.Offset.ShouldBe(50);
        (await BytesAsync(b, "other")).ShouldBe(await BytesAsync(a, "other"));
        (await b.AskAsync("u", s => s!.History.Count)).ShouldBe(49);
        poisoned.Sinks[0].Interactions.Count.ShouldBe(99);
    }

    [Fact]
    public async Task Malformed_records_are_set_aside_with_a_reason()
    {
        var bench = new ShardBench(2);
        bench.AppendRaw("u", Encoding.UTF8.GetBytes("{\"type\":\"click\",\"user\":\"u\""), T0);
        bench.AppendRaw("u", [0xff, 0xfe], T0);
        bench.Append(Click("u", "x", T0 + 1));
        await using var host = await CreateAsync(bench);
        await bench.FeedAsync(host);
        host.Counts.DeadLetters.ShouldBe(2);
        host.Counts.Applied.ShouldBe(1);
        var letters = bench.Sinks[bench.PartitionOf("u")].DeadLetters;
        letters.ShouldAllBe(l => l.Reason.Length > 0);
        letters[1].Payload.ShouldBe(new byte[] { 0xff, 0xfe });
    }

    [Fact]
    public async Task An_event_from_the_far_future_is_set_aside()
    {
        var bench = new ShardBench(1, new UsersSettings { FutureSkewMsMax = 60_000 });
        var late = Encoding.UTF8.GetBytes($"{{\"type\":\"click\",\"user\":\"u\",\"item\":\"x\",\"time\":{T0 + 60_001}}}");
        bench.AppendRaw("u", late, T0);
        await using var host = await CreateAsync(bench);
        await bench.FeedAsync(host);
        bench.Sinks[0].DeadLetters.ShouldHaveSingleItem().Reason.ShouldContain("60000 ms");
    }

    [Fact]
    public async Task A_window_ends_by_the_partitions_clock()
    {
        var bench = new ShardBench(1, new UsersSettings { AttributionWindowMs = 10_000 });
        bench.Append(Shown("quiet", "x", T0));
        bench.Append(Click("busy", "y", T0 + 5_000));
        await using var host = await CreateAsync(bench);
        await bench.FeedAsync(host);
        bench.Sinks[0].Examples.ShouldNotContain(e => e.User == "quiet");
        bench.Append(Click("busy", "z", T0 + 20_000));
        await bench.FeedAsync(host, [2]);
        bench.Sinks[0].Examples.Single(e => e.User == "quiet").Label.ShouldBe(0);
    }

    [Fact]
    public async Task A_forgotten_user_is_gone_and_older_events_do_not_bring_them_back()
    {
        var bench = new ShardBench(1);
        bench.Append(Click("gone", "x", T0));
        bench.Append(Click("stays", "x", T0));
        await using var host = await CreateAsync(bench);
        await bench.FeedAsync(host);
        await host.FlushAsync();
        bench.Store.Count.ShouldBe(2);
        bench.Append(new UserEvent { Kind = EventKind.UserDelete, Type = "user_delete", User = "gone", TimeMs = T0 + 10 });
        bench.Append(Click("gone", "y", T0 + 5));
        await bench.FeedAsync(host, [2]);
        bench.Sinks[0].Forgotten.ShouldBe(["gone"]);
        (await host.AskAsync("gone", s => s is null)).ShouldBeTrue();
        bench.Store.Count.ShouldBe(1);
        host.Counts.Forgotten.ShouldBe(1);
        bench.Append(Click("gone", "z", T0 + 20));
        await bench.FeedAsync(host, [4]);
        (await host.AskAsync("gone", s => s!.History.Count)).ShouldBe(1);
    }
}
