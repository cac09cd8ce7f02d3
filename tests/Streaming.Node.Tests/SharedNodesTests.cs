using System.Globalization;
using System.Text;
using Streaming.Actors;
using Streaming.Core.Feeds;
using Streaming.Core.Ids;
using Streaming.Core.Log;
using Streaming.Core.Settings;
using Streaming.Core.Wire;
using Streaming.Suites.Fakes;
using Streaming.Users;
using static Streaming.Node.Tests.TransactionTests;

namespace Streaming.Node.Tests;

/// <summary>
/// Several nodes that share the users of one log (in memory, with a group; Kafka's own is tested in Streaming.Kafka.Tests and by <c>cluster-check</c>):
/// what they derive together is what one node derives, whoever comes, goes or hangs.
/// </summary>
public sealed class SharedNodesTests : IDisposable
{
    private const int Partitions = 6;
    private const int Steps = 60;

    private static readonly StreamingSettings One = NodeRig.Settings with { Log = NodeRig.Settings.Log with { Partitions = Partitions } };
    private static readonly StreamingSettings Many = One with
    {
        Log = One.Log with { Kind = "kafka" }, Kafka = new KafkaSettings { Ownership = "group" }, Node = new NodeSettings { Advertise = "http://here:1" },
    };

    private readonly TempFolder _folder = new();
    private readonly MemoryEventLog _log = new(One.Log);

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(1, true)]
    [InlineData(2, true)]
    [InlineData(3, false)]
    public async Task Nodes_that_come_go_and_hang_derive_together_what_one_derives(int seed, bool standby)
    {
        var alone = new MemoryEventLog(One.Log);
        var calm = await AloneAsync(alone, seed);
        await using var cluster = new Cluster(_log, _folder, Many with { Kafka = Many.Kafka with { Standby = standby } });
        await AppendItemsAsync(_log);
        await cluster.AddAsync();
        for (var step = 0; step < Steps; step++)
        {
            await AppendEventsAsync(_log, seed, step);
            await cluster.DisturbAsync(StableHash.Finalise(StableHash.Combine((ulong)seed, (ulong)step)));
            await cluster.SettleAsync(TimeOf(step));
        }
        cluster.Came.ShouldBeGreaterThan(4);
        cluster.Went.ShouldBeGreaterThan(0);
        cluster.Hung.ShouldBeGreaterThan(1);
        Names(_log).ShouldBe(Names(alone), "each example by its name, none twice, none missing");
        Letters(_log).ShouldBe(Letters(alone));
        States(_log).ShouldBe(calm);
        cluster.Nodes.Sum(n => n.Node.Status().Users.Applied).ShouldBe(AppliedOf(alone), "counts move with the shards");
        cluster.Nodes.SelectMany(n => n.Node.Status().Shards!.Leading).Order().ShouldBe(Enumerable.Range(0, Partitions), "each shard has one leader");
    }

    [Fact]
    public async Task Every_node_has_every_list_and_says_who_leads_a_user_whose_actor_is_elsewhere()
    {
        await using var cluster = new Cluster(_log, _folder, Many);
        await AppendItemsAsync(_log);
        var (a, b) = (await cluster.AddAsync(), await cluster.AddAsync());
        for (var step = 0; step < 5; step++) await AppendEventsAsync(_log, 1, step);
        await cluster.SettleAsync(TimeOf(5));
        for (var u = 0; u < TransactionTests.Users; u++)
        {
            var user = $"u{u}";
            var (here, there) = a.Node.LeaderOf(a.Node.PartitionOf(user)).Public.Length == 0 ? (a, b) : (b, a);
            await NodeRig.Until(async () => (await there.FindAsync(user)).Outcome == FeedOutcome.Own);
            var (mine, theirs) = ((await here.FindAsync(user)).List, (await there.FindAsync(user)).List);
            theirs.WrittenSpan.SequenceEqual(mine.WrittenSpan).ShouldBeTrue(user);
            var partition = here.Node.PartitionOf(user);
            await NodeRig.Until(() => Task.FromResult(there.Node.LeaderOf(partition).Public == "http://here:1"));
            (await here.Node.AskUserAsync(user, state => state is not null)).ShouldBeTrue();
            (await Should.ThrowAsync<ShardElsewhereException>(() => there.Node.AskUserAsync(user, state => state is not null))).Partition.ShouldBe(partition);
            await Should.ThrowAsync<ShardElsewhereException>(() => there.FindAsync(user, new LogPosition(partition, 1_000_000), 10));
        }
        // A deletion takes the lists out everywhere.
        await _log.AppendAsync(Topics.Events, new[] { Event("u3", TimeOf(6), """{"type":"user_delete","user":"u3","time":TIME}""") });
        await cluster.SettleAsync(TimeOf(6));
        foreach (var rig in cluster.Nodes) await NodeRig.Until(async () => (await rig.FindAsync("u3")).Outcome != FeedOutcome.Own);
    }

    [Fact]
    public async Task A_node_that_only_serves_has_the_lists_and_leads_nothing()
    {
        await using var cluster = new Cluster(_log, _folder, Many);
        await AppendItemsAsync(_log);
        await cluster.AddAsync();
        var serving = await cluster.AddAsync(Many with { Node = Many.Node with { Roles = [NodeRoles.Serve] } });
        for (var step = 0; step < 5; step++) await AppendEventsAsync(_log, 1, step);
        await cluster.SettleAsync(TimeOf(5));
        for (var u = 0; u < TransactionTests.Users; u++) await NodeRig.Until(async () => (await serving.FindAsync($"u{u}")).Outcome == FeedOutcome.Own);
        serving.Node.Status().Shards!.Leading.ShouldBeEmpty();
        serving.Node.Status().Shards!.ListsTaken.ShouldBeGreaterThan(0);
        serving.Node.Status().Examples.ShouldBe(0, "what is learned is the users' nodes' matter");
    }

    [Fact]
    public async Task A_node_goes_on_from_its_checkpoint_and_reads_of_the_changelog_only_what_came_since()
    {
        await using var cluster = new Cluster(_log, _folder, Many);
        await AppendItemsAsync(_log);
        var first = await cluster.AddAsync();
        for (var step = 0; step < 10; step++) await AppendEventsAsync(_log, 1, step);
        await cluster.SettleAsync(TimeOf(10));
        await first.Node.CheckpointAsync(null, default);
        var digest = await first.Node.DigestAsync();
        await cluster.RemoveAsync(first);
        var again = await cluster.AddAsync(folder: first.Folder);
        again.Node.Restored!.Shared!.Changelog.Sum().ShouldBeGreaterThan(10);
        await cluster.SettleAsync(TimeOf(10));
        again.Node.Status().Shards!.Leading.Count.ShouldBe(Partitions);
        (await again.Node.DigestAsync()).ShouldBe(digest);
        // Alone, it would lack what the others led.
        await cluster.RemoveAsync(again);
        (await Should.ThrowAsync<InvalidDataException>(() => NodeRig.OpenAsync(first.Folder, One, _log.NewWriter()))).Message.ShouldContain("shared the users");
    }

    [Fact]
    public async Task What_was_written_and_never_committed_counts_for_nothing_on_a_log_that_shows_it()
    {
        await using var cluster = new Cluster(_log, _folder, Many);
        await AppendItemsAsync(_log);
        var first = await cluster.AddAsync();
        for (var step = 0; step < 5; step++) await AppendEventsAsync(_log, 1, step);
        await cluster.SettleAsync(TimeOf(5));
        var before = States(_log);
        await cluster.RemoveAsync(first, hung: true);
        // As a killed leader leaves it where readers see what is not committed: states without a seal.
        var torn = new List<LogEntry>();
        for (var u = 0; u < TransactionTests.Users; u++)
        {
            var key = Encoding.UTF8.GetBytes($"u{u}");
            var record = new ByteWriter();
            record.Byte(2);
            record.UInt64(StableHash.Of("dead"));
            record.Int64(1_000);
            record.Count(0);
            UserStateCodec.Write(new UserState($"u{u}", One.Learning.EmbeddingDim) { Events = 77 }, record);
            torn.Add(new LogEntry(key, record.WrittenSpan.ToArray(), TimeOf(5), Murmur2.PartitionOf(key, Partitions)));
        }
        await _log.AppendAsync(Topics.UserState, torn.ToArray());
        _log.ForgetGroups(); // as a log that keeps no positions of transactions
        var second = await cluster.AddAsync();
        await cluster.SettleAsync(TimeOf(6));
        for (var u = 0; u < TransactionTests.Users; u++) (await second.Node.AskUserAsync($"u{u}", Essence)).ShouldBe(before[$"u{u}"], $"u{u}");
    }

    /// <summary>The same events through one node; the states that it ends with.</summary>
    private async Task<SortedDictionary<string, string>> AloneAsync(MemoryEventLog log, int seed)
    {
        await using var rig = await NodeRig.OpenAsync(_folder.Sub("alone"), One, log.NewWriter());
        await AppendItemsAsync(log);
        for (var step = 0; step < Steps; step++)
        {
            await AppendEventsAsync(log, seed, step);
            while (await rig.Node.RoundAsync(null, TimeOf(step), 0, default) > 0)
            {
                // Until all is taken.
            }
        }
        return States(log);
    }

    private static long AppliedOf(MemoryEventLog log) => ReadAll(log, Topics.UserState).Where(r => r.Key[0] == 0 && Encoding.UTF8.GetString(r.Key).StartsWith("\0shard:", StringComparison.Ordinal))
        .GroupBy(r => Encoding.UTF8.GetString(r.Key)).Sum(g =>
        {
            var from = new ByteReader(g.Last().Value);
            _ = (from.Byte(), from.UInt64(), from.Int64(), from.Int64());
            return from.Int64();
        });

    /// <summary>Every user's last state in the changelog, without what depends on how rounds fell: embeddings and the count of lists.</summary>
    private static SortedDictionary<string, string> States(MemoryEventLog log)
    {
        var last = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var (key, value) in ReadAll(log, Topics.UserState))
        {
            if (key[0] == 0) continue;
            var user = Encoding.UTF8.GetString(key);
            last[user] = Essence(UserStateCodec.Read(UserShard.StateOf(value), One.Learning.EmbeddingDim, user))!;
        }
        return last;
    }

    private static string? Essence(UserState? s) => s is null ? null : string.Create(CultureInfo.InvariantCulture,
        $"{s.Events} {s.Impressions} {s.Positives} {s.LastEventMs} {s.LastApplied} {s.SessionsClosed} {s.WakeMs} "
        + $"[{string.Join(' ', s.History.Select(a => $"{a.ItemKey:x}@{a.TimeMs}"))}] [{string.Join(' ', s.Pending.Select(p => $"{p.ItemKey:x}"))}] "
        + $"[{string.Join(' ', s.Marks.OrderBy(m => m.Key).Select(m => $"{m.Key:x}:{m.Value.Seen},{m.Value.Clicked}"))}] [{string.Join(' ', s.Interests.OrderBy(i => i.Key).Select(i => $"{i.Key:x}:{i.Value.Weight}"))}]");

    /// <summary>Nodes on one log, driven round by round.</summary>
    private sealed class Cluster(MemoryEventLog log, TempFolder folder, StreamingSettings settings) : IAsyncDisposable
    {
        private readonly MemoryGroup _group = new(log);
        private readonly Dictionary<NodeRig, ISharedLog> _logs = [];

        public List<NodeRig> Nodes { get; } = [];
        public int Came { get; private set; }
        public int Went { get; private set; }
        public int Hung { get; private set; }

        public async Task<NodeRig> AddAsync(StreamingSettings? own = null, string? folder = null)
        {
            var member = _group.NewMember($"node-{++Came}");
            var rig = await NodeRig.OpenAsync(folder ?? Folder(Came), own ?? settings, member);
            _logs[rig] = member;
            Nodes.Add(rig);
            return rig;
        }

        private string Folder(int number) => folder.Sub($"n{number}");

        /// <summary>Ends a node: in order, or without a word, as one that is killed.</summary>
        public async Task RemoveAsync(NodeRig rig, bool hung = false)
        {
            if (hung) _group.GiveUp(_logs[rig]);
            Nodes.Remove(rig);
            await rig.DisposeAsync();
        }

        public async Task DisturbAsync(ulong draw)
        {
            var victim = Nodes[(int)(draw / 1_000 % (ulong)Nodes.Count)];
            switch (draw % 10)
            {
                case 0 or 1 when Nodes.Count < 4:
                    await AddAsync();
                    break;
                case 2 when Nodes.Count > 1:
                    Went++;
                    await victim.Node.RoundAsync(null, StartMs, 0, default);
                    await RemoveAsync(victim);
                    break;
                case 3 when Nodes.Count > 1:
                    // Killed in the middle of a commit.
                    Hung++;
                    log.Committing = before => { if (before) throw new EventLogException("gone"); };
                    await victim.Node.RoundAsync(null, StartMs, 0, default);
                    log.Committing = null;
                    await RemoveAsync(victim, hung: true);
                    break;
                case 4 or 5 when Nodes.Count > 1:
                    // Hangs with a round that is not committed, is given up meanwhile, and wakes.
                    Hung++;
                    log.Committing = before => { if (before) throw new EventLogException("slow"); };
                    await victim.Node.RoundAsync(null, StartMs, 0, default);
                    log.Committing = null;
                    _group.GiveUp(_logs[victim]);
                    foreach (var other in Nodes.Where(n => n != victim)) await other.Node.RoundAsync(null, StartMs, 0, default);
                    await victim.Node.RoundAsync(null, StartMs, 0, default);
                    victim.Node.Status().Shards!.Leading.ShouldBeEmpty();
                    await RemoveAsync(victim);
                    break;
                case 6:
                    await victim.Node.RoundAsync(null, StartMs, 0, default);
                    await victim.Node.CheckpointAsync(null, default);
                    break;
            }
            if (Nodes.Count == 0) await AddAsync();
        }

        /// <summary>Rounds of all in turn until none finds anything to do and every shard is led.</summary>
        public async Task SettleAsync(long nowMs)
        {
            for (var quiet = 0; quiet < 3;)
            {
                var work = 0;
                foreach (var rig in Nodes) work += await rig.Node.RoundAsync(null, nowMs, 0, default);
                quiet = work == 0 && Nodes.All(n => n.Node.Status().Shards!.Coming == 0) && Nodes.Sum(n => n.Node.Status().Shards!.Leading.Count) == Partitions ? quiet + 1 : 0;
            }
        }

        public async ValueTask DisposeAsync()
        {
            foreach (var rig in Nodes.ToList()) await RemoveAsync(rig);
        }
    }
}
