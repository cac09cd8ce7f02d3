using System.Text;
using Streaming.Core.Events;
using Streaming.Core.Feeds;
using Streaming.Core.Settings;
using Streaming.Suites.Fakes;
using Streaming.Users;
using static Streaming.Suites.Fakes.ShardBench;

namespace Streaming.Actors.Tests;

/// <summary>The shell around users: time-outs, restarts, passivation and its own state, where they could contradict each other.</summary>
public sealed class UserShardTests
{
    private const long T0 = 1_700_000_000_000;

    private static InProcessUserHost Host(ShardBench bench) => new(bench.Shards(), 4096);

    private static byte[] ShownJson(string user, string item, long timeMs) =>
        Encoding.UTF8.GetBytes($"{{\"type\":\"impression\",\"user\":\"{user}\",\"item\":\"{item}\",\"time\":{timeMs}}}");

    [Theory]
    [InlineData(10_000)]
    [InlineData(1)]
    public async Task A_window_ends_also_for_a_user_whose_events_ran_ahead_of_the_log(int hotUsersMax)
    {
        var bench = new ShardBench(1, new UsersSettings { AttributionWindowMs = 10_000 }, hotUsersMax: hotUsersMax);
        bench.Append(Shown("ahead", "x", T0));
        bench.AppendRaw("ahead", ShownJson("ahead", "y", T0 + 50_000), T0 + 1);
        bench.Append(Click("other", "a", T0 + 10_000));
        bench.Append(Click("other", "b", T0 + 70_000));
        await using var host = Host(bench);
        await bench.FeedAsync(host);
        bench.Sinks[0].Examples.Count(e => e.User == "ahead").ShouldBe(2);
    }

    [Fact]
    public async Task A_restart_has_all_of_the_log_also_where_it_has_to_be_fetched_first()
    {
        var bench = new ShardBench(1) { Fetches = true };
        for (var i = 0; i < 5; i++) bench.Append(Click("u", $"i{i}", T0 + i));
        bench.Append(Click("u", "poison", T0 + 5));
        bench.Append(Click("u", "z", T0 + 6));
        await using var host = Host(bench);
        await bench.FeedAsync(host);
        host.Counts.Restarts.ShouldBe(1);
        (await host.AskAsync("u", state => state!.Positives)).ShouldBe(6);
    }

    [Fact]
    public async Task A_restart_does_not_release_again_what_a_time_out_has_released()
    {
        var bench = new ShardBench(1, new UsersSettings { AttributionWindowMs = 10_000 });
        bench.Append(Shown("u", "x", T0));
        await using var host = Host(bench);
        await bench.FeedAsync(host);
        await host.FlushAsync();
        bench.Append(Click("other", "a", T0 + 20_000));
        bench.Append(Click("u", "poison", T0 + 20_001));
        bench.Append(Click("u", "z", T0 + 20_002));
        await bench.FeedAsync(host, [1]);
        host.Counts.Restarts.ShouldBe(1);
        bench.Sinks[0].Examples.Count(e => e.User == "u" && e.Label == 0).ShouldBe(1);
    }

    [Fact]
    public async Task A_restart_leaves_the_window_ended_that_the_poisonous_record_itself_has_ended()
    {
        var bench = new ShardBench(1, new UsersSettings { AttributionWindowMs = 10_000 });
        bench.Append(Shown("u", "x", T0));
        bench.Append(Click("u", "poison", T0 + 20_000));
        bench.Append(Click("u", "z", T0 + 20_001));
        await using var host = Host(bench);
        await bench.FeedAsync(host);
        bench.Sinks[0].Examples.Count(e => e.User == "u" && e.Label == 0).ShouldBe(1);
    }

    [Fact]
    public async Task A_restart_does_not_take_list_versions_back()
    {
        var bench = new ShardBench(1);
        await using var host = Host(bench);
        for (var i = 0; i < 3; i++)
        {
            bench.Append(Click("u", $"i{i}", T0 + i));
            await bench.FeedAsync(host, [i]);
            await host.RefreshAsync(T0 + i, 10);
        }
        bench.Append(Click("u", "poison", T0 + 3));
        bench.Append(Click("u", "i4", T0 + 4));
        await bench.FeedAsync(host, [3]);
        await host.RefreshAsync(T0 + 5, 10);
        bench.Sinks[0].Lists.Select(l => l.Version).ShouldBe([1, 2, 3, 4]);
    }

    /// <summary>Poison must leave exactly what a record that does not even parse leaves at its place: nothing.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    [InlineData(7)]
    [InlineData(8)]
    public async Task Restarts_are_exact_with_passivation_and_flushes_in_between(int seed)
    {
        var settings = new UsersSettings { AttributionWindowMs = 10_000, LateWindowMs = 20_000, SessionGapMs = 15_000 };
        var poisoned = new ShardBench(1, settings, hotUsersMax: 2);
        var clean = new ShardBench(1, settings, hotUsersMax: 10_000);
        await using var a = Host(poisoned);
        await using var b = Host(clean);
        var random = new Random(seed);
        var (timeMs, poisons) = (T0, 0);
        for (var i = 0; i < 400; i++)
        {
            timeMs += random.Next(4_000);
            var user = $"u{random.Next(6)}";
            if (random.Next(12) == 0)
            {
                poisons++;
                poisoned.Append(Click(user, "poison", timeMs));
                clean.AppendRaw(user, "{"u8.ToArray(), timeMs);
            }
            else
            {
                var e = random.Next(3) == 0 ? Click(user, $"i{random.Next(20)}", timeMs) : Shown(user, $"i{random.Next(20)}", timeMs);
                poisoned.Append(e);
                clean.Append(e);
            }
            if (random.Next(10) > 0) continue;
            await poisoned.FeedAsync(a);
            if (random.Next(3) == 0) await a.FlushAsync();
        }
        await poisoned.FeedAsync(a);
        await clean.FeedAsync(b);
        a.Counts.Restarts.ShouldBe(poisons);
        a.Counts.Passivated.ShouldBeGreaterThan(50);
        for (var u = 0; u < 6; u++) (await BytesAsync(a, $"u{u}")).ShouldBe(await BytesAsync(b, $"u{u}"));
        poisoned.Sinks[0].Examples.Select(e => (e.User, e.ItemKey, e.Label, e.Source, e.Ordinal))
            .ShouldBe(clean.Sinks[0].Examples.Select(e => (e.User, e.ItemKey, e.Label, e.Source, e.Ordinal)));
    }

    [Fact]
    public async Task A_user_of_whom_only_poison_is_known_stays_unknown()
    {
        var bench = new ShardBench(1);
        bench.Append(Click("u", "poison", T0));
        await using var host = Host(bench);
        await bench.FeedAsync(host);
        await host.FlushAsync();
        (await host.AskAsync("u", s => s is null)).ShouldBeTrue();
        bench.Store.Count.ShouldBe(0);
    }

    private sealed class FailingBuilder : IFeedBuilder
    {
        public FeedList? Build(UserState user, string surface, string arm, long nowMs) =>
            user.User == "bad" ? throw new InvalidOperationException("no list for you") : new FakeFeedBuilder().Build(user, surface, arm, nowMs);
    }

    [Fact]
    public async Task A_list_that_cannot_be_built_is_set_aside_and_the_others_are_built()
    {
        var bench = new ShardBench(1, builder: new FailingBuilder());
        foreach (var user in (string[])["a", "bad", "b"]) bench.Append(Click(user, "x", T0));
        await using var host = Host(bench);
        await bench.FeedAsync(host);
        var history = await BytesAsync(host, "bad");
        (await host.RefreshAsync(T0 + 1, 100)).ShouldBe(0);
        bench.Sinks[0].Lists.Select(l => l.User).ShouldBe(["a", "b"]);
        host.Counts.Restarts.ShouldBe(1);
        // No record is at fault: none may be counted as set aside, but the operator finds out.
        host.Counts.DeadLetters.ShouldBe(0);
        bench.Sinks[0].DeadLetters.ShouldHaveSingleItem().Reason.ShouldContain("no list for you");
        (await BytesAsync(host, "bad")).ShouldBe(history);
    }

    [Fact]
    public async Task A_shard_with_more_waiting_users_than_a_page_of_the_store_takes_is_saved_and_restored()
    {
        const int users = 5_000;
        var bench = new ShardBench(1, new UsersSettings { AttributionWindowMs = 10_000 }, new MemoryStateStore(recordBytesMax: 64 * 1024), hotUsersMax: 100);
        for (var i = 0; i < users; i++) bench.Append(Shown($"a-user-with-a-long-name-{i}", "x", T0 + i));
        for (var i = 0; i < users; i++) bench.Append(Click($"a-user-with-a-long-name-{i}", "x", T0 + users));
        await using (var first = Host(bench))
        {
            await bench.FeedAsync(first);
            await first.FlushAsync();
        }
        var shards = bench.Shards();
        shards[0].NextOffset.ShouldBe(2 * users);
        await using var second = new InProcessUserHost(shards, 4096);
        (await second.RefreshAsync(T0 + 2 * users, int.MaxValue)).ShouldBe(0);
        bench.Sinks[0].Lists.Count.ShouldBe(users);
    }

    [Fact]
    public async Task A_shard_that_shrank_is_restored_as_it_is()
    {
        var bench = new ShardBench(1, store: new MemoryStateStore(recordBytesMax: 64 * 1024));
        for (var i = 0; i < 5_000; i++) bench.Append(Click($"a-user-with-a-long-name-{i}", "x", T0 + i));
        await using (var first = Host(bench))
        {
            await bench.FeedAsync(first);
            await first.FlushAsync();
            await first.RefreshAsync(T0, int.MaxValue);
            await first.FlushAsync();
        }
        await using var second = Host(bench);
        (await second.RefreshAsync(T0, int.MaxValue)).ShouldBe(0);
        bench.Sinks[0].Lists.Count.ShouldBe(5_000);
        second.Counts.Lists.ShouldBe(5_000);
    }

    [Fact]
    public async Task Forgotten_users_are_remembered_up_to_the_bound_those_forgotten_last_for_longest()
    {
        var bench = new ShardBench(1, new UsersSettings { ForgottenUsersMax = 100 });
        for (var i = 0; i < 1_000; i++)
            bench.Append(new UserEvent { Kind = EventKind.UserDelete, Type = "user_delete", User = $"u{i}", TimeMs = T0 + i });
        bench.AppendRaw("u999", Encoding.UTF8.GetBytes($"{{\"type\":\"click\",\"user\":\"u999\",\"item\":\"x\",\"time\":{T0}}}"), T0 + 2_000);
        bench.AppendRaw("u0", Encoding.UTF8.GetBytes($"{{\"type\":\"click\",\"user\":\"u0\",\"item\":\"x\",\"time\":{T0 - 1}}}"), T0 + 2_000);
        await using var host = Host(bench);
        await bench.FeedAsync(host);
        (await host.AskAsync("u999", s => s is null)).ShouldBeTrue();
        (await host.AskAsync("u0", s => s is null)).ShouldBeFalse();
        host.Counts.Forgotten.ShouldBe(1);
    }

    [Fact]
    public async Task A_hot_set_of_one_makes_no_difference()
    {
        var settings = new UsersSettings { AttributionWindowMs = 10_000 };
        var one = new ShardBench(1, settings, hotUsersMax: 1);
        var all = new ShardBench(1, settings);
        for (var i = 0; i < 600; i++)
        {
            var e = i % 3 == 0 ? Click($"u{i % 7}", $"i{i % 13}", T0 + i * 700) : Shown($"u{i % 7}", $"i{i % 13}", T0 + i * 700);
            one.Append(e);
            all.Append(e);
        }
        var (oneShards, allShards) = (one.Shards(), all.Shards());
        await using var a = new InProcessUserHost(oneShards, 4096);
        await using var b = new InProcessUserHost(allShards, 4096);
        foreach (var (bench, host) in new[] { (one, a), (all, b) })
        {
            await bench.FeedAsync(host);
            await host.RefreshAsync(T0 + 600 * 700, 1000);
            await host.FlushAsync();
        }
        a.Counts.Resident.ShouldBe(1);
        oneShards[0].StateFold.ShouldBe(allShards[0].StateFold);
        one.Sinks[0].Examples.Select(e => (e.User, e.ItemKey, e.Label, e.Source, e.Ordinal))
            .ShouldBe(all.Sinks[0].Examples.Select(e => (e.User, e.ItemKey, e.Label, e.Source, e.Ordinal)));
    }

    [Fact]
    public async Task The_state_fold_does_not_depend_on_when_states_were_written()
    {
        var often = new ShardBench(1, hotUsersMax: 3);
        var once = new ShardBench(1);
        var (oftenShards, onceShards) = (often.Shards(), once.Shards());
        await using var a = new InProcessUserHost(oftenShards, 4096);
        await using var b = new InProcessUserHost(onceShards, 4096);
        for (var i = 0; i < 200; i++)
        {
            var e = i % 50 == 49
                ? new UserEvent { Kind = EventKind.UserDelete, Type = "user_delete", User = $"u{i % 11}", TimeMs = T0 + i }
                : Click($"u{i % 11}", $"i{i % 17}", T0 + i);
            often.Append(e);
            once.Append(e);
            if (i % 20 != 0) continue;
            await often.FeedAsync(a);
            await a.FlushAsync();
        }
        await often.FeedAsync(a);
        await once.FeedAsync(b);
        await a.FlushAsync();
        await b.FlushAsync();
        oftenShards[0].StateFold.ShouldBe(onceShards[0].StateFold);
        oftenShards[0].StateFold.ShouldNotBe(0ul);
    }
}
