using Streaming.Core.Ids;
using Streaming.Core.Log;
using Streaming.Core.Wire;
using Streaming.Suites.Fakes;
using Streaming.Users;
using static Streaming.Suites.Fakes.ShardBench;

namespace Streaming.Actors.Tests;

/// <summary>A shard that follows another's changelog, and its records' stored forms.</summary>
public sealed class FollowTests
{
    private const long T0 = 1_700_000_000_000;

    private readonly ShardBench _bench = new(1);

    [Fact]
    public void A_follower_goes_on_as_the_leader_would_have_windows_and_waiting_lists_included()
    {
        var (straight, led, following) = (new ShardBench(1), _bench, new ShardBench(1));
        foreach (var bench in (ShardBench[])[straight, led, following])
            for (var i = 0; i < 300; i++) bench.Append(i % 3 == 0 ? Click($"u{i % 7}", $"i{i % 5}", T0 + i * 20_000) : Shown($"u{i % 7}", $"i{i % 11}", T0 + i * 20_000));
        var whole = straight.Shards("a")[0];
        Run(straight, whole, 0, 300, T0 + 300 * 20_000);
        var leader = led.Shards("a")[0];
        Run(led, leader, 0, 200, T0 + 200 * 20_000, listsMax: 3);
        var follower = following.Shards("b")[0];
        follower.StartFollowing();
        follower.Follow(BatchOf(led.Sinks[0].Changes), isCommitted: false);
        follower.Leader.ShouldBe("a");
        follower.NextOffset.ShouldBe(200);
        follower.StateFold.ShouldBe(Flushed(leader).StateFold);
        follower.Lead();
        Run(following, follower, 200, 300, T0 + 300 * 20_000);
        foreach (var user in Enumerable.Range(0, 7).Select(u => $"u{u}")) Essence(follower.Peek(user)).ShouldBe(Essence(whole.Peek(user)), user);
        follower.Counts.Applied.ShouldBe(300);
        led.Sinks[0].Examples.Count.ShouldBeGreaterThan(20);
        led.Sinks[0].Examples.Concat(following.Sinks[0].Examples).Select(e => (e.User, e.ItemKey, e.Source, e.Label))
            .ShouldBe(straight.Sinks[0].Examples.Select(e => (e.User, e.ItemKey, e.Source, e.Label)));
        following.Sinks[0].Lists.ShouldNotBeEmpty("what waited at the leader's is built here");
    }

    [Fact]
    public void What_was_told_and_never_committed_is_gone_with_the_leader_that_is_given_up()
    {
        for (var i = 0; i < 40; i++) _bench.Append(Click($"u{i / 20}", $"i{i}", T0 + i * 1_000));
        var shard = _bench.Shards("a")[0];
        Run(_bench, shard, 0, 20, T0 + 20_000);
        var committed = BatchOf(_bench.Sinks[0].Changes);
        shard.Flush();
        Run(_bench, shard, 20, 40, T0 + 40_000);
        shard.Abandon();
        shard.Peek("u1").ShouldBeNull("only the second part had this user");
        shard.Follow(committed, isCommitted: true);
        shard.NextOffset.ShouldBe(20);
        shard.Peek("u0")!.Events.ShouldBe(20);
        shard.Lead();
        Run(_bench, shard, 20, 40, T0 + 40_000);
        shard.Peek("u1")!.Events.ShouldBe(20);
        shard.Counts.Repeats.ShouldBe(0);
    }

    [Fact]
    public void A_leader_that_hands_over_leaves_no_name()
    {
        _bench.Append(Click("u", "i", T0));
        var shard = _bench.Shards("a")[0];
        Run(_bench, shard, 0, 1, T0);
        shard.TellHandOver();
        var follower = new ShardBench(1).Shards("b")[0];
        follower.StartFollowing();
        follower.Follow(BatchOf(_bench.Sinks[0].Changes), isCommitted: false);
        (follower.Leader, follower.NextOffset).ShouldBe(("", 1));
    }

    /// <summary>Records of the first version, which have neither writer nor seal, and of this one, byte for byte.</summary>
    [Fact]
    public void Records_are_read_as_they_were_ever_written()
    {
        _bench.Append(Click("u", "i", T0));
        var shard = _bench.Shards("a")[0];
        Run(_bench, shard, 0, 1, T0);
        var changes = _bench.Sinks[0].Changes;
        var state = new ByteWriter();
        UserStateCodec.Write(shard.Peek("u")!, state);
        var user = new ByteWriter();
        user.Byte(2);
        user.UInt64(StableHash.Of("a"));
        user.Int64(1);
        user.Count(0);
        user.Raw(state.WrittenSpan);
        changes[0].Value.ShouldBe(user.WrittenSpan.ToArray());
        Convert.ToHexStringLower(changes[1].Value).ShouldBe(
            "02" + Convert.ToHexStringLower(BitConverter.GetBytes(StableHash.Of("a"))) + "0100000000000000" + "0068e5cf8b010000"
            + "0100000000000000" + string.Concat(Enumerable.Repeat("0000000000000000", 5)) + "0100000000000000" + "0000000000000000" + "0000000000000000" + "0261");
        var (first, seal) = (new ByteWriter(), new ByteWriter());
        first.Byte(1);
        first.Raw(state.WrittenSpan);
        seal.Byte(1);
        seal.Int64(1);
        seal.Int64(T0);
        for (var i = 0; i < 9; i++) seal.Int64(i);
        var old = new ShardBench(1).Shards("b")[0];
        old.StartFollowing();
        old.Follow(BatchOf([(changes[0].Key, first.WrittenSpan.ToArray()), (changes[1].Key, seal.WrittenSpan.ToArray())]), isCommitted: false);
        (old.NextOffset, old.ClockMs, old.Counts.Repeats, old.Leader).ShouldBe((1, T0, 1, ""));
        var again = new ByteWriter();
        UserStateCodec.Write(old.Peek("u")!, again);
        again.WrittenSpan.ToArray().ShouldBe(state.WrittenSpan.ToArray());
        Should.Throw<FormatException>(() => old.Follow(BatchOf([(changes[0].Key, [3, 0])]), isCommitted: false)).Message.ShouldContain("newer build");
    }

    /// <summary>Some records, and the end of the round.</summary>
    private static void Run(ShardBench bench, UserShard shard, int from, int to, long nowMs, int listsMax = 1000)
    {
        using var reader = bench.OpenReader(0, from);
        var batch = new LogBatch();
        reader.Read(batch, to - from);
        shard.Apply(batch);
        shard.Refresh(nowMs, listsMax, quietToo: true);
    }

    private static UserShard Flushed(UserShard shard)
    {
        shard.Flush();
        return shard;
    }

    private static LogBatch BatchOf(IReadOnlyList<(byte[] Key, byte[] Value)> changes)
    {
        var batch = new LogBatch();
        batch.Clear(0, 0);
        for (var i = 0; i < changes.Count; i++) batch.Add(i, i + 1, T0, changes[i].Key, changes[i].Value);
        return batch;
    }

    /// <summary>Without the lists that were built, as these fell into other rounds.</summary>
    private static string Essence(UserState? s) =>
        $"{s!.Events} {s.Impressions} {s.Positives} {s.LastApplied} {s.WakeMs} {s.SessionsClosed} {string.Join(' ', s.History.Select(a => $"{a.ItemKey:x}@{a.TimeMs}"))} {string.Join(' ', s.Pending.Select(p => $"{p.ItemKey:x}:{p.Label}"))}";
}
