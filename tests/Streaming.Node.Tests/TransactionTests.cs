using System.Text;
using Streaming.Actors;
using Streaming.Core.Examples;
using Streaming.Core.Ids;
using Streaming.Core.Log;
using Streaming.Core.Settings;
using Streaming.Core.Wire;
using Streaming.Suites.Fakes;
using Streaming.Users;

namespace Streaming.Node.Tests;

/// <summary>
/// A node on a log with transactions (Kafka's are tested in Streaming.Kafka.Tests; here a log in memory that isolates them wholly): outputs once, whatever
/// is killed when, and users' states that the log alone can give back.
/// </summary>
public sealed class TransactionTests : IDisposable
{
    internal const int Users = 12;

    private readonly TempFolder _folder = new();
    private readonly MemoryEventLog _log = new(NodeRig.Settings.Log);

    public void Dispose() => _folder.Dispose();

    private sealed class Killed() : Exception("killed");

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Killed_before_in_and_after_commits_every_output_stands_once(int seed)
    {
        var expected = await RunAsync(new MemoryEventLog(NodeRig.Settings.Log), _folder.Sub("calm"), seed, kills: false);
        var actual = await RunAsync(_log, _folder.Sub("killed"), seed, kills: true);
        actual.Kills.ShouldBeGreaterThan(3);
        actual.Examples.ShouldBe(expected.Examples, "each by its name, none twice");
        actual.DeadLetters.ShouldBe(expected.DeadLetters);
        actual.Examples.Count.ShouldBeGreaterThan(200);
        actual.DeadLetters.Count.ShouldBeGreaterThan(5);
        actual.Applied.ShouldBe(expected.Applied);
    }

    private sealed record Outputs(List<string> Examples, List<string> DeadLetters, long Applied, int Kills);

    /// <summary>The same events in the same portions; with kills, at drawn moments: between rounds, before a commit, after it.</summary>
    private async Task<Outputs> RunAsync(MemoryEventLog log, string folder, int seed, bool kills)
    {
        var killed = 0;
        var rig = await NodeRig.OpenAsync(folder, log: log.NewWriter());
        try
        {
            await AppendItemsAsync(log);
            for (var step = 0; step < 60; step++)
            {
                await AppendEventsAsync(log, seed, step);
                var draw = StableHash.Combine((ulong)seed, (ulong)step) % 8;
                log.Committing = kills && draw < 2 ? before => { if (before == (draw == 0)) throw new Killed(); } : null;
                try
                {
                    while (await rig.Node.RoundAsync(null, TimeOf(step), 0, default) > 0)
                    {
                        // Until all is taken.
                    }
                    if (draw == 2) await rig.Node.CheckpointAsync(null, default);
                    if (!kills || draw != 3) continue;
                }
                catch (Killed)
                {
                    // Goes on below.
                }
                killed++;
                log.Committing = null;
                await rig.DisposeAsync();
                rig = await NodeRig.OpenAsync(folder, log: log.NewWriter());
            }
            log.Committing = null;
            while (await rig.Node.RoundAsync(null, TimeOf(60), 0, default) > 0)
            {
                // Until all is taken.
            }
            await ChangelogIsTheStateAsync(log, rig.Node);
            var users = rig.Node.Status().Users;
            return new Outputs(Names(log), Letters(log), users.Applied, killed);
        }
        finally
        {
            await rig.DisposeAsync();
        }
    }

    [Fact]
    public async Task A_node_whose_data_folder_is_lost_gets_every_users_state_back_from_the_log()
    {
        var before = new Dictionary<string, byte[]>();
        long applied;
        string[] list;
        await using (var rig = await NodeRig.OpenAsync(_folder.Sub("a"), log: _log.NewWriter()))
        {
            await AppendItemsAsync(_log);
            for (var step = 0; step < 40; step++)
            {
                await AppendEventsAsync(_log, 7, step);
                await rig.Node.RoundAsync(null, TimeOf(step), 0, default);
            }
            await _log.AppendAsync(Topics.Events, new[] { Event("u3", TimeOf(40), """{"type":"user_delete","user":"u3","time":TIME}""") });
            while (await rig.Node.RoundAsync(null, TimeOf(40), 0, default) > 0)
            {
                // Until all is taken.
            }
            for (var u = 0; u < Users; u++)
                if (await StateAsync(rig.Node, $"u{u}") is { } state) before[$"u{u}"] = state;
            applied = rig.Node.Status().Users.Applied;
            list = await rig.Node.AskModelsAsync(m => m.Catalog.All.Select(i => i.Id).Order().ToArray()).WaitWithRounds(rig.Node);
        }
        before.Count.ShouldBe(Users - 1);
        await using (var rig = await NodeRig.OpenAsync(_folder.Sub("b"), log: _log.NewWriter()))
        {
            rig.Node.Restored.ShouldBeNull();
            for (var u = 0; u < Users; u++) (await StateAsync(rig.Node, $"u{u}")).ShouldBe(before.GetValueOrDefault($"u{u}"), $"u{u}");
            rig.Node.Status().Users.Applied.ShouldBe(applied);
            rig.Node.Status().Examples.ShouldBeGreaterThan(100, "learned from what is kept");
            (await rig.Node.AskModelsAsync(m => m.Catalog.All.Select(i => i.Id).Order().ToArray()).WaitWithRounds(rig.Node)).ShouldBe(list);
            // Events of before the deletion stay without effect, and everybody goes on.
            await _log.AppendAsync(Topics.Events, new[] { Event("u3", TimeOf(39), """{"type":"click","user":"u3","item":"i1","time":TIME}""") });
            await AppendEventsAsync(_log, 7, 41);
            while (await rig.Node.RoundAsync(null, TimeOf(42), 0, default) > 0)
            {
                // Until all is taken.
            }
            rig.Node.Status().Users.Forgotten.ShouldBeGreaterThan(0);
            rig.Node.Status().Users.Repeats.ShouldBe(0);
            Names(_log).ShouldBeUnique();
            (await rig.FindAsync("u1")).Outcome.ShouldBe(FeedOutcome.Own);
        }
    }

    [Fact]
    public async Task A_second_node_on_the_same_log_ends_the_first()
    {
        await using var first = await NodeRig.OpenAsync(_folder.Sub("a"), log: _log.NewWriter());
        await AppendItemsAsync(_log);
        await first.Node.RoundAsync(null, TimeOf(0), 0, default);
        await using var second = await NodeRig.OpenAsync(_folder.Sub("b"), log: _log.NewWriter());
        await AppendEventsAsync(_log, 1, 0);
        await Should.ThrowAsync<LogFencedException>(() => first.Node.RunAsync(default));
        while (await second.Node.RoundAsync(null, TimeOf(1), 0, default) > 0)
        {
            // Until all is taken.
        }
        second.Node.Status().Users.Applied.ShouldBeGreaterThan(0);
    }

    [Fact]
    public async Task A_log_that_refuses_holds_rounds_up_and_loses_nothing()
    {
        var refusals = 3;
        await using var rig = await NodeRig.OpenAsync(_folder.Sub("a"), log: _log.NewWriter());
        await AppendItemsAsync(_log);
        for (var step = 0; step < 5; step++) await AppendEventsAsync(_log, 1, step);
        _log.Committing = before => { if (before && refusals-- > 0) throw new EventLogException("no space left"); };
        while (await rig.Node.RoundAsync(null, TimeOf(5), 0, default) > 0)
        {
            // Until all is taken.
        }
        refusals.ShouldBeLessThan(0);
        rig.Notices.Count(n => n.Message.Contains("no space left")).ShouldBe(1, "one of many alike");
        rig.Notices.ShouldContain(n => n.Level == NoticeLevel.Info && n.Message.Contains("nothing was lost"));
        await ChangelogIsTheStateAsync(_log, rig.Node);
        Names(_log).ShouldBeUnique();
    }

    internal const long StartMs = 1_767_225_600_000;

    internal static long TimeOf(int step) => StartMs + step * 10_000L;

    private static ulong Draw(int seed, int step, int i) => StableHash.Finalise(StableHash.Combine((ulong)seed << 32 | (uint)step, (ulong)i));

    internal static LogEntry Event(string user, long timeMs, string json) =>
        new(Encoding.UTF8.GetBytes(user), Encoding.UTF8.GetBytes(json.Replace("TIME", $"{timeMs}")), timeMs);

    internal static async Task AppendItemsAsync(MemoryEventLog log) =>
        await log.AppendAsync(Topics.Items, Enumerable.Range(0, 30).Select(i => new LogEntry(
            Encoding.UTF8.GetBytes($"i{i}"), Encoding.UTF8.GetBytes(i == 29 ? "{" : $$"""{"id":"i{{i}}","tags":["t{{i % 3}}"]}"""), StartMs)).ToArray());

    /// <summary>Impressions, clicks on some of them, and now and then something that cannot be used.</summary>
    internal static async Task AppendEventsAsync(MemoryEventLog log, int seed, int step)
    {
        var entries = new List<LogEntry>();
        for (var i = 0; i < 20; i++)
        {
            var draw = Draw(seed, step, i);
            var (user, item, timeMs) = ($"u{draw % Users}", $"i{draw / 16 % 29}", TimeOf(step) + i * 100);
            entries.Add(Event(user, timeMs, $$"""{"type":"impression","user":"{{user}}","items":["{{item}}","i{{draw / 512 % 29}}"],"time":TIME}"""));
            if (draw % 3 == 0) entries.Add(Event(user, timeMs + 10, $$"""{"type":"click","user":"{{user}}","item":"{{item}}","time":TIME}"""));
            if (draw % 41 == 0) entries.Add(Event(user, timeMs + 20, """{"type":"click"}"""));
        }
        await log.AppendAsync(Topics.Events, entries.ToArray());
    }

    private static async Task<byte[]?> StateAsync(StreamingNode node, string user) => await node.AskUserAsync(user, state =>
    {
        if (state is null) return null;
        var into = new ByteWriter();
        UserStateCodec.Write(state, into);
        return into.WrittenSpan.ToArray();
    });

    /// <summary>The last record of each user in the changelog is the user's state.</summary>
    private static async Task ChangelogIsTheStateAsync(MemoryEventLog log, StreamingNode node)
    {
        var last = new Dictionary<string, byte[]>();
        foreach (var (key, value) in ReadAll(log, Topics.UserState))
            if (key[0] != 0) last[Encoding.UTF8.GetString(key)] = value;
        last.Count.ShouldBe(Users);
        foreach (var (user, value) in last) UserShard.StateOf(value).ToArray().ShouldBe(await StateAsync(node, user), user);
    }

    internal static List<string> Names(MemoryEventLog log) =>
        [.. ReadAll(log, Topics.Examples).Select(r => ExampleCodec.Read(r.Value)).Select(r => r.Example is { } e
            ? $"{e.User} {e.Source} {e.Ordinal} {e.Label} {e.IsCorrection}" : $"{r.Interaction!.User} {r.Interaction.Source} {r.Interaction.Ordinal} {r.Interaction.Action}").Order()];

    internal static List<string> Letters(MemoryEventLog log) => [.. ReadAll(log, Topics.DeadLetter).Select(r => Encoding.UTF8.GetString(r.Value)).Order()];

    internal static List<(byte[] Key, byte[] Value)> ReadAll(MemoryEventLog log, string topic)
    {
        var all = new List<(byte[], byte[])>();
        var batch = new LogBatch();
        for (var p = 0; p < log.PartitionCount(topic); p++)
        {
            using var reader = log.OpenReader(topic, p, 0);
            while (reader.Read(batch, 1000) > 0)
                for (var i = 0; i < batch.Count; i++) all.Add((batch.Key(i).ToArray(), batch.Value(i).ToArray()));
        }
        return all;
    }
}

internal static class Questions
{
    /// <summary>Models answer between rounds, so somebody has to run one.</summary>
    public static async Task<T> WaitWithRounds<T>(this Task<T> answer, StreamingNode node)
    {
        while (!answer.IsCompleted) await node.RoundAsync(null, node.ClockMs, 0, default);
        return await answer;
    }
}
