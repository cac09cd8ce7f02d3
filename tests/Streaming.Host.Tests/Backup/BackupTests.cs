using System.Text;
using Streaming.Core.Settings;
using Streaming.Core.Wire;
using Streaming.Host.Backup;
using Streaming.Host.Settings;
using Streaming.Host.Tests.Cli;
using Streaming.Host.Tests.Fixtures;
using Streaming.Node;

namespace Streaming.Host.Tests.Backup;

/// <summary>Backups of a node that does not stand still, and what becomes of them.</summary>
public sealed class BackupTests
{
    private static readonly string[] Sampled = [.. Enumerable.Range(0, 20).Select(i => $"user-{i * 3}")];

    private static readonly StreamingSettings Small = LiveNode.SmallSettings with
    {
        // Small files, so that there are closed ones.
        Storage = LiveNode.SmallSettings.Storage with
        {
            LogSegmentMb = 4, LogPageKb = 64, State = new HybridStoreSettings { MemoryMb = 4, IndexMb = 1, PageKb = 64, SegmentMb = 1 },
            Cache = new HybridStoreSettings { MemoryMb = 4, IndexMb = 1, PageKb = 64, SegmentMb = 1 },
        },
    };

    /// <summary>
    /// The node is driven by hand, so that what it held at each checkpoint is known: then the copy, made while it went on, is opened and asked for
    /// the same before it reads anything more.
    /// </summary>
    [Fact]
    public async Task A_backup_of_a_running_node_holds_what_the_node_held_at_its_checkpoint()
    {
        using var folder = new TemporaryFolder();
        var (data, copy, restored) = (Path.Combine(folder.Path, "data"), Path.Combine(folder.Path, "copy"), Path.Combine(folder.Path, "restored"));
        var held = new Dictionary<long, (string Digest, string[] Lists)>();
        BackupManifest manifest;
        await using (var running = await RunningNode.OpenAsync(Small, data, _ => { }))
        {
            using var stop = new CancellationTokenSource();
            var first = new TaskCompletionSource();
            var load = Task.Run(() => LoadAsync(running.Node, held, first, stop.Token));
            await first.Task;
            manifest = BackupWriter.Run(Small, data, copy, mayLink: true, null, TimeProvider.System, default).Manifest;
            await stop.CancelAsync();
            await load;
        }
        BackupReader.Verify(copy, default).Checkpoint.ShouldBe(manifest.Checkpoint);
        BackupReader.Restore(copy, restored, default);

        await using var again = await RunningNode.OpenAsync(SettingsLoader.Load(Path.Combine(restored, "settings.json"), environment: new Dictionary<string, string>()), restored, _ => { });
        again.Node.Restored!.Id.ShouldBe(manifest.Checkpoint);
        var (digest, lists) = held[manifest.Checkpoint];
        ListsOf(again.Node).ShouldBe(lists);
        (await again.Node.DigestAsync()).ShouldBe(digest);
        // And it goes on: the log behind the checkpoint is there, and takes more.
        while (await again.Node.RoundAsync(null, 0, 0, default) > 0)
        {
            // Until it has caught up.
        }
        var position = (await again.Node.Ingest.EventsAsync([Encoding.UTF8.GetBytes("""{"type":"click","user":"user-0","item":"item-1"}""")]))[0].Position;
        await again.Node.RoundAsync(null, 0, 0, default);
        (await again.Node.AskUserAsync("user-0", state => state!.LastApplied)).ShouldBe(position);
    }

    [Fact]
    public async Task Damage_and_what_is_not_whole_are_refused()
    {
        using var folder = new TemporaryFolder();
        var (data, copy) = (Path.Combine(folder.Path, "data"), Path.Combine(folder.Path, "copy"));
        await MakeAsync(data);
        BackupWriter.Run(Small, data, copy, mayLink: false, null, TimeProvider.System, default);
        var target = Path.Combine(folder.Path, "new");
        void Refused(string said)
        {
            Should.Throw<InvalidDataException>(() => BackupReader.Verify(copy, default)).Message.ShouldContain(said);
            Should.Throw<InvalidDataException>(() => BackupReader.Restore(copy, target, default)).Message.ShouldContain(said);
            Directory.Exists(target).ShouldBeFalse();
        }

        foreach (var file in BackupManifest.Read(copy).Files.Where(f => f.Bytes > 0).Select(f => Path.Combine(copy, f.Path)).ToList())
        {
            var bytes = await File.ReadAllBytesAsync(file);
            bytes[bytes.Length / 2] ^= 1;
            await File.WriteAllBytesAsync(file, bytes);
            Refused("is not as it was written");
            bytes[bytes.Length / 2] ^= 1;
            await File.WriteAllBytesAsync(file, bytes);
        }
        var one = Directory.EnumerateFiles(Path.Combine(copy, "log"), "segment.0", SearchOption.AllDirectories).First();
        File.Move(one, one + "-away");
        Refused("is missing");
        File.Move(one + "-away", one);

        var manifest = Path.Combine(copy, BackupManifest.FileName);
        var text = await File.ReadAllTextAsync(manifest);
        await File.WriteAllTextAsync(manifest, text.Replace("\"format\": 1", "\"format\": 2"));
        Refused("format 2");
        await File.WriteAllTextAsync(manifest, text.Replace("\"checkpoint\": ", "\"checkpoint\": 1"));
        Refused("damaged");
        await File.WriteAllTextAsync(manifest, text[..(text.Length / 2)]);
        Refused("damaged");
        File.Delete(manifest);
        Refused("no whole backup");

        await File.WriteAllTextAsync(manifest, text);
        Directory.CreateDirectory(target);
        await File.WriteAllTextAsync(Path.Combine(target, "something"), "");
        Should.Throw<IOException>(() => BackupReader.Restore(copy, target, default)).Message.ShouldContain("not empty");
        Should.Throw<IOException>(() => BackupWriter.Run(Small, data, copy, mayLink: false, null, TimeProvider.System, default)).Message.ShouldContain("not empty");
        File.Delete(Path.Combine(target, "something"));
        BackupReader.Restore(copy, target, default);
        Directory.Exists(Path.Combine(target, "log")).ShouldBeTrue();
    }

    [Fact]
    public async Task A_second_backup_takes_little_room_and_the_first_stays_as_it_was()
    {
        using var folder = new TemporaryFolder();
        string At(string name) => Path.Combine(folder.Path, name);
        await MakeAsync(At("data"));
        var linked = BackupWriter.Run(Small, At("data"), At("linked"), mayLink: true, null, TimeProvider.System, default);
        linked.CopiedBytes.ShouldBeLessThan(linked.Bytes / 2);
        var copied = BackupWriter.Run(Small, At("data"), At("copied"), mayLink: false, null, TimeProvider.System, default);
        copied.CopiedBytes.ShouldBe(copied.Bytes);
        var next = BackupWriter.Run(Small, At("data"), At("next"), mayLink: false, At("copied"), TimeProvider.System, default);
        next.CopiedBytes.ShouldBeLessThan(next.Bytes / 2);
        // The node goes on, erases and compacts: what was linked does not change.
        await MakeAsync(At("data"));
        foreach (var name in new[] { "linked", "copied", "next" }) BackupReader.Verify(At(name), default);
        BackupReader.Restore(At("linked"), At("restored"), default);
    }

    [Fact]
    public async Task A_backup_that_is_killed_leaves_nothing_that_verifies()
    {
        using var folder = new TemporaryFolder();
        var (data, copy) = (Path.Combine(folder.Path, "data"), Path.Combine(folder.Path, "copy"));
        await MakeAsync(data);
        var settings = folder.Write("settings.json", System.Text.Json.JsonSerializer.Serialize(Small, new System.Text.Json.JsonSerializerOptions { IgnoreReadOnlyProperties = true }));
        using (var process = StreamingProcess.Start("backup", copy, "--data-dir", data, "--settings", settings, "--copy"))
        {
            // Killed as soon as there is something of it.
            while (!Directory.Exists(copy) || !Directory.EnumerateFiles(copy, "*", SearchOption.AllDirectories).Any()) await Task.Yield();
            await process.KillAsync();
        }
        var whole = File.Exists(Path.Combine(copy, BackupManifest.FileName));
        var (code, verify) = await StreamingProcess.RunAsync("backup", copy, "--verify", "--json");
        using (verify) code.ShouldBe(whole ? 0 : 1, verify.Stderr);
        if (!whole) verify.Stderr.ShouldContain("no whole backup");
        var (again, second) = await StreamingProcess.RunAsync("backup", copy + "-2", "--data-dir", data, "--settings", settings, "--json");
        using (second) again.ShouldBe(0, second.Stderr);
        var (restored, third) = await StreamingProcess.RunAsync("restore", copy + "-2", "--data-dir", Path.Combine(folder.Path, "new"), "--json");
        using (third) restored.ShouldBe(0, third.Stderr);
        third.Json.GetProperty("checkpoint").GetInt64().ShouldBeGreaterThan(0);
    }

    /// <summary>Events, rounds and checkpoints, one after another, until stopped; notes what the node holds at each checkpoint.</summary>
    private static async Task LoadAsync(StreamingNode node, Dictionary<long, (string, string[])> held, TaskCompletionSource first, CancellationToken stop)
    {
        var items = Enumerable.Range(0, 50).Select(i => (ReadOnlyMemory<byte>)Encoding.UTF8.GetBytes($$"""{"id":"item-{{i}}","tags":["tag-{{i % 4}}"]}""")).ToList();
        await node.Ingest.ItemsAsync(items);
        for (var batch = 0; batch < 3 || !stop.IsCancellationRequested; batch++)
        {
            for (var part = 0; part < 3; part++)
            {
                var events = Enumerable.Range(0, 100).Select(i => (batch * 300) + (part * 100) + i).Select(i => (ReadOnlyMemory<byte>)Encoding.UTF8.GetBytes(
                    $$"""{"type":"click","user":"user-{{i * 7 % 60}}","item":"item-{{i * 13 % 50}}","session_id":"{{new string('x', 300)}}"}""")).ToList();
                await node.Ingest.EventsAsync(events);
                while (await node.RoundAsync(null, 1_800_000_000_000 + batch, 0, default) > 0)
                {
                    // Until all of it is applied.
                }
            }
            var digest = await node.DigestAsync();
            var lists = ListsOf(node);
            await node.CheckpointAsync(null, default);
            held[node.Status().CheckpointId] = (digest, lists);
            if (batch == 2) first.TrySetResult();
        }
    }

    private static string[] ListsOf(StreamingNode node) =>
    [
        .. Sampled.Select(user =>
        {
            var list = new ByteWriter();
            var outcome = node.Lookup.FindAsync(new FeedRequest(user, "", [], null, 0), list).AsTask().GetAwaiter().GetResult();
            outcome.ShouldBe(FeedOutcome.Own);
            return Convert.ToHexString(list.WrittenSpan);
        }),
    ];

    /// <summary>A data folder with files of every kind.</summary>
    private static async Task MakeAsync(string data)
    {
        await using var running = await RunningNode.OpenAsync(Small, data, _ => { });
        using var stop = new CancellationTokenSource();
        await stop.CancelAsync();
        await LoadAsync(running.Node, [], new TaskCompletionSource(), stop.Token);
        for (var part = 0; part < 12; part++)
        {
            var events = Enumerable.Range(0, 200).Select(i => (ReadOnlyMemory<byte>)Encoding.UTF8.GetBytes(
                $$"""{"type":"click","user":"user-{{i % 60}}","item":"item-{{i % 50}}","query":"{{new string('y', 4000)}}"}""")).ToList();
            await running.Node.Ingest.EventsAsync(events);
            while (await running.Node.RoundAsync(null, 1_800_000_000_000, 0, default) > 0)
            {
                // Until all of it is applied.
            }
        }
        await running.Node.CheckpointAsync(null, default);
    }
}
