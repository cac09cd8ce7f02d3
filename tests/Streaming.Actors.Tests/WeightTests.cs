using System.Text;
using Streaming.Core.Events;
using Streaming.Core.Log;
using Streaming.Core.Wire;
using Streaming.Suites.Fakes;
using Streaming.Users;

namespace Streaming.Actors.Tests;

/// <summary>Weights of actions that ticks change: from a position of the log on, and the same one for whoever reads it again.</summary>
public sealed class WeightTests
{
    private const long T0 = 1_700_000_000_000;

    private readonly ShardBench _bench = new(1);
    private long _now = T0;

    private void Like(string user, string item) => _bench.Append(new UserEvent { Kind = EventKind.Like, Type = "like", User = user, Item = item, TimeMs = ++_now });

    private void Own(string user, string item) => _bench.Append(new UserEvent { Kind = EventKind.Custom, Type = "mine", User = user, Item = item, TimeMs = ++_now });

    private void Tick(long version, params KeyValuePair<string, double>[] weights) => _bench.Append(
        new UserEvent { Kind = EventKind.Tick, Type = "tick", User = "", TimeMs = ++_now, Context = new ChangedWeights(version, weights).ToContext() });

    /// <summary>0 like, 1 tick: like weighs 7, 2 like, 3 own type, 4 tick that says nothing, 5 like, 6 tick of before, 7 like, 8 tick: own type too, 9 own type, 10 tick: none, 11 like.</summary>
    private void Story()
    {
        Like("u", "a");
        Tick(5, new KeyValuePair<string, double>("like", 7));
        Like("u", "b");
        Own("u", "c");
        Tick(0);
        Like("u", "d");
        Tick(4);
        Like("u", "e");
        Tick(6, new("like", 7), new("mine", 3));
        Own("u", "f");
        Tick(7);
        Like("u", "g");
    }

    private static readonly float[] Told = [2, 7, 7, 7, 3, 2];

    [Fact]
    public void A_tick_changes_them_from_its_position_on_an_older_or_silent_one_does_not()
    {
        Story();
        var shard = _bench.Shards()[0];
        Run(shard, 0, 12);
        Weights(shard.Peek("u")).ShouldBe(Told);
        _bench.Sinks[0].DeadLetters.ShouldHaveSingleItem().Reason.ShouldContain("'mine' is not built in");
        _bench.Sinks[0].Interactions.Select(i => i.Weight).ShouldBe(Told);
        shard.Counts.Ticks.ShouldBe(5);
    }

    [Fact]
    public void They_are_part_of_what_is_stored_and_stored_forms_without_them_are_read()
    {
        Story();
        for (var cut = 0; cut <= 12; cut++)
        {
            var bench = new ShardBench(1, store: new MemoryStateStore());
            var first = Copy(bench).Shards()[0];
            Run(first, 0, cut, bench);
            first.Flush();
            var second = bench.Shards()[0];
            second.NextOffset.ShouldBe(cut);
            Run(second, cut, 12, bench);
            Weights(second.Peek("u")).ShouldBe(Told, $"started anew at {cut}");
        }
        // As the first version of the shard's own record was written, without them.
        var old = new ByteWriter();
        old.Byte(1);
        foreach (var number in (ReadOnlySpan<long>)[3, T0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]) old.Int64(number);
        var empty = new ByteWriter();
        new WakeQueue().Write(empty);
        new RefreshQueue().Write(empty);
        new ForgottenUsers(10).Write(empty);
        old.Raw(empty.WrittenSpan);
        var store = new MemoryStateStore();
        new LongRecord(store.OpenSession(), "\0shard:0").Write(old.WrittenSpan);
        var shard = Copy(new ShardBench(1, store: store)).Shards()[0];
        (shard.NextOffset, shard.Counts.Ticks).ShouldBe((3, 5));
    }

    [Fact]
    public void A_follower_has_them_from_the_seal_wherever_it_takes_over()
    {
        Story();
        for (var cut = 0; cut <= 12; cut++)
        {
            var (led, following) = (Copy(new ShardBench(1)), Copy(new ShardBench(1)));
            var leader = led.Shards("a")[0];
            for (var i = 0; i < cut; i++) Run(leader, i, i + 1, led);
            var follower = following.Shards("b")[0];
            follower.StartFollowing();
            var changes = new LogBatch();
            changes.Clear(0, 0);
            foreach (var (key, value) in led.Sinks[0].Changes) changes.Add(changes.Count, changes.Count + 1, T0, key, value);
            follower.Follow(changes, isCommitted: false);
            follower.Lead();
            Run(follower, cut, 12, following);
            Weights(follower.Peek("u")).ShouldBe(Told, $"taken over at {cut}");
        }
    }

    [Fact]
    public void An_actor_that_threw_goes_on_by_the_weights_that_each_of_its_events_had()
    {
        Story();
        var bench = Copy(new ShardBench(1));
        var shard = bench.Shards()[0];
        Run(shard, 0, 1, bench);
        shard.Flush();
        Run(shard, 1, 12, bench);
        bench.AppendRaw("u", Encoding.UTF8.GetBytes($$"""{"type":"like","user":"u","item":"poison","time":{{T0 + 200}}}"""), T0 + 200);
        Run(shard, 12, 13, bench);
        shard.Counts.Restarts.ShouldBe(1);
        Weights(shard.Peek("u")).ShouldBe(Told);
        bench.AppendRaw("u", Encoding.UTF8.GetBytes($$"""{"type":"like","user":"u","item":"after","time":{{T0 + 201}}}"""), T0 + 201);
        Run(shard, 13, 14, bench);
        Weights(shard.Peek("u")).ShouldBe([.. Told, 2]);
    }

    private static IEnumerable<float> Weights(UserState? state) => state!.History.Select(a => a.Weight);

    private ShardBench Copy(ShardBench into)
    {
        var batch = new LogBatch();
        using var reader = _bench.OpenReader(0, 0);
        reader.Read(batch, 100);
        for (var i = 0; i < batch.Count; i++) into.AppendRaw(Encoding.UTF8.GetString(batch.Key(i).Span), batch.Value(i).ToArray(), batch.TimeMs(i));
        return into;
    }

    private void Run(UserShard shard, int from, int to, ShardBench? bench = null)
    {
        if (from == to) return;
        using var reader = (bench ?? _bench).OpenReader(0, from);
        var batch = new LogBatch();
        reader.Read(batch, to - from);
        shard.Apply(batch);
        shard.Refresh(_now, 1000, quietToo: true);
    }
}
