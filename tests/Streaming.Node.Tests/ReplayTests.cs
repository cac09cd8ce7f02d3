using Streaming.Core.Log;
using Streaming.Core.Settings;
using Streaming.Suites;
using static Streaming.Node.Tests.SyntheticSource;

namespace Streaming.Node.Tests;

/// <summary>A replay ends in the same state on every run, however the threads ran and however often it was killed.</summary>
public sealed class ReplayTests : IDisposable
{
    private static readonly List<ReplayRecord> Source = Create(seed: 5, events: 3_000);
    private static readonly Lazy<Task<Outcome>> Straight = new(async () =>
    {
        using var folder = new TempFolder();
        return await NodeRig.ReplayAsync(folder.Path, Source, checkpointMs: 0);
    });

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static Task RunAsync(NodeRig rig, Action<long>? progress = null, int checkpointMs = 1, string fingerprint = "source") =>
        new ReplayRunner(rig.Node, 32).RunAsync(Source, fingerprint, progress, checkpointMs, CancellationToken.None);

    [Fact]
    public async Task The_same_source_gives_the_same_state_and_nothing_is_lost()
    {
        var first = await Straight.Value;
        (await NodeRig.ReplayAsync(_folder.Path, Source, checkpointMs: 0)).ShouldBe(first);
        first.Lost.ShouldBe(0);
        first.Examples.ShouldBeGreaterThan(2_000);
        first.Lists.ShouldBeGreaterThan(500);
        first.Forgotten.ShouldBeGreaterThan(0);
        first.Repeats.ShouldBeGreaterThan(0);
        first.DeadLetters.ShouldBeGreaterThan(50);
        first.ItemDeadLetters.ShouldBeGreaterThan(0);
        first.Auc.ShouldBeInRange(0.01, 0.99);
    }

    [Fact]
    public async Task Passivation_small_mailboxes_and_checkpoints_make_no_difference()
    {
        var tight = NodeRig.Settings with { Users = NodeRig.Settings.Users with { HotUsersMax = 32, MailboxRecordsMax = 256 } };
        (await NodeRig.ReplayAsync(_folder.Path, Source, tight, checkpointMs: 1)).ShouldBe(await Straight.Value);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task A_run_stopped_many_times_without_a_checkpoint_ends_as_one_that_was_not(int seed)
    {
        var random = new Random(seed);
        var stops = 0;
        while (true)
        {
            await using var rig = await NodeRig.OpenAsync(_folder.Path);
            var runner = new ReplayRunner(rig.Node, 32);
            var rounds = random.Next(1, 45);
            try
            {
                // A checkpoint after nearly every round, or only the first one: both what was saved and what was not are gone over again.
                await runner.RunAsync(Source, "source", _ => { if (--rounds < 0) throw new StopException(); }, random.Next(2) == 0 ? 1 : 60_000, CancellationToken.None);
            }
            catch (StopException)
            {
                stops++;
                if (stops > 60) random = new Random(1_000 + stops);
                continue;
            }
            (await rig.OutcomeAsync(runner)).ShouldBe(await Straight.Value);
            stops.ShouldBeGreaterThan(1);
            return;
        }
    }

    private sealed class StopException : Exception;

    [Fact]
    public async Task What_a_crash_leaves_at_any_round_leads_to_the_same_end()
    {
        var copies = new List<string>();
        await using (var rig = await NodeRig.OpenAsync(_folder.Sub("run")))
        {
            var round = 0;
            await RunAsync(rig, _ =>
            {
                if (round++ % 24 != 5) return;
                copies.Add(_folder.Sub($"crash-{round}"));
                TempFolder.Copy(rig.Folder, copies[^1]);
            }, checkpointMs: 20);
        }
        copies.Count.ShouldBeGreaterThan(3);
        foreach (var copy in copies) (await NodeRig.ReplayAsync(copy, Source, checkpointMs: 60_000)).ShouldBe(await Straight.Value);
    }

    [Fact]
    public async Task A_run_killed_after_its_last_record_still_ends_the_last_windows()
    {
        await using (var rig = await NodeRig.OpenAsync(_folder.Path))
        {
            await Should.ThrowAsync<StopException>(() => RunAsync(rig, done => { if (done == Source.Count) throw new StopException(); }, checkpointMs: 0));
            await rig.Node.CheckpointAsync(new ReplayProgress("source", Source.Count), default);
        }
        (await NodeRig.ReplayAsync(_folder.Path, Source)).ShouldBe(await Straight.Value);
    }

    [Fact]
    public async Task A_run_killed_before_its_first_checkpoint_in_time_goes_on()
    {
        await using (var rig = await NodeRig.OpenAsync(_folder.Path))
            await Should.ThrowAsync<StopException>(() => RunAsync(rig, _ => throw new StopException(), checkpointMs: 3_600_000));
        (await NodeRig.ReplayAsync(_folder.Path, Source, checkpointMs: 60_000)).ShouldBe(await Straight.Value);
    }

    [Fact]
    public async Task A_finished_replay_stays_as_it_is()
    {
        await NodeRig.ReplayAsync(_folder.Path, Source);
        await using var rig = await NodeRig.OpenAsync(_folder.Path);
        var runner = new ReplayRunner(rig.Node, 32);
        await runner.RunAsync(Source, "source", null, 1, CancellationToken.None);
        runner.ResumedAt.ShouldBe(Source.Count);
        (await rig.OutcomeAsync(runner)).ShouldBe(await Straight.Value);
    }

    [Fact]
    public async Task Another_source_is_refused()
    {
        await using (var rig = await NodeRig.OpenAsync(_folder.Path)) await RunAsync(rig);
        await using var again = await NodeRig.OpenAsync(_folder.Path);
        (await Should.ThrowAsync<InvalidDataException>(() => RunAsync(again, fingerprint: "other"))).Message.ShouldContain("--data-dir");
    }

    [Fact]
    public async Task A_log_with_other_records_behind_the_checkpoint_is_refused()
    {
        await using (var rig = await NodeRig.OpenAsync(_folder.Path))
        {
            await Should.ThrowAsync<StopException>(() => RunAsync(rig, _ => throw new StopException(), checkpointMs: 3_600_000));
            await rig.Node.Ingest.EventsAsync([NodeRig.Json("{'type':'click','user':'stranger','item':'x'}")]);
        }
        await using var again = await NodeRig.OpenAsync(_folder.Path);
        (await Should.ThrowAsync<InvalidDataException>(() => RunAsync(again))).Message.ShouldContain("not of this replay");
    }

    [Fact]
    public async Task Ten_thousand_malformed_records_are_all_set_aside_byte_for_byte()
    {
        var settings = NodeRig.Settings with { Log = NodeRig.Settings.Log with { RecordBytesMax = 2 << 20 } };
        var source = new List<ReplayRecord>();
        var bad = MalformedEvents.Generate(seed: 3, count: 10_000).Select(m => m.Bytes).ToList();
        for (var i = 0; i < bad.Count; i++)
        {
            source.Add(new ReplayRecord(default, bad[i], T0 + i));
            if (i % 10 == 0) source.Add(Record($"u{i % 77}", T0 + i, $"{{'type':'click','user':'u{i % 77}','item':'i{i % 50}','time':{T0 + i}}}"));
        }
        await using var rig = await NodeRig.OpenAsync(_folder.Path, settings);
        var runner = new ReplayRunner(rig.Node, 512);
        await runner.RunAsync(source, "malformed", null, 0, CancellationToken.None);
        var outcome = await rig.OutcomeAsync(runner);
        outcome.Applied.ShouldBe(1_000);
        outcome.DeadLetters.ShouldBe(10_000);
        outcome.Lost.ShouldBe(0);
        var letters = rig.ReadAll(Topics.DeadLetter).Select(r => DeadLetter.Read(r.Value)).ToList();
        letters.ShouldAllBe(l => l.Reason.Length > 0);
        letters.Select(l => Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(l.Payload.Span))).Order()
            .ShouldBe(bad.Select(b => Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(b))).Order());
    }

    [Fact]
    public async Task A_record_that_is_too_large_as_a_dead_letter_is_cut_and_says_so()
    {
        var settings = NodeRig.Settings with { Log = NodeRig.Settings.Log with { RecordBytesMax = 1 << 16 } };
        var giant = new byte[(1 << 16) - 100];
        giant.AsSpan().Fill(0xfe);
        await using var rig = await NodeRig.OpenAsync(_folder.Path, settings);
        await new ReplayRunner(rig.Node, 8).RunAsync([new ReplayRecord(default, giant, T0)], "giant", null, 0, CancellationToken.None);
        (await rig.Node.Ingest.EventsAsync([giant]))[0].Problem.ShouldNotBeNull();
        (await rig.Node.Ingest.ItemsAsync([giant]))[0].Problem.ShouldNotBeNull();
        var letters = rig.ReadAll(Topics.DeadLetter).Select(r => DeadLetter.Read(r.Value)).ToList();
        letters.Count.ShouldBe(3);
        foreach (var letter in letters)
        {
            letter.Reason.ShouldContain($"of its {giant.Length} bytes");
            giant.AsSpan().StartsWith(letter.Payload.Span).ShouldBeTrue();
            letter.Payload.Length.ShouldBeGreaterThan(30_000);
        }
        letters.Select(l => l.Source).Skip(1).ShouldAllBe(s => s == new LogPosition(-1, -1));
        rig.Node.Status().IngestRejected.ShouldBe(2);
    }
}
