using Streaming.Core.Settings;
using Streaming.Host.Cli;
using Streaming.Host.Cli.Chaos;
using Streaming.Host.Tests.Fixtures;

namespace Streaming.Host.Tests.Faults;

/// <summary>Disks that are full, fill up, or may not be written.</summary>
public sealed class DiskTests
{
    private const int Megabytes = 96;

    /// <summary>What makes a node small enough for such a disk.</summary>
    private static readonly string[] Small =
    [
        "--set", "Log:Partitions=2", "--set", "Log:RecordBytesMax=65536", "--set", "Storage:LogPageKb=128", "--set", "Storage:LogMemoryMbPerPartition=1", "--set", "Storage:LogSegmentMb=1",
        "--set", "Storage:State:MemoryMb=8", "--set", "Storage:State:IndexMb=1", "--set", "Storage:Cache:MemoryMb=8", "--set", "Storage:Cache:IndexMb=1",
        "--set", "Learning:FtrlBits=14", "--set", "Users:MarksMax=100000", "--set", "Node:CheckpointIntervalMs=500",
    ];

    [SmallDiskFact]
    public async Task A_disk_that_runs_low_stops_events_and_nothing_else_until_there_is_room()
    {
        using var disk = new SmallDisk(Megabytes);
        var small = LiveNode.SmallSettings;
        await using var live = await LiveNode.StartAsync(small with { Storage = small.Storage with { FreeMbMin = 24 } }, Path.Combine(disk.Path, "data"));
        await live.PostLinesAsync("/v1/items", Enumerable.Range(0, 30).Select(i => $$"""{"id":"i-{{i}}","tags":["t-{{i % 3}}"]}"""));
        await live.FeedAfterAsync("ann", """{"type":"click","user":"ann","item":"i-1"}""");

        disk.Fill(leave: 20 << 20);
        var refused = await live.UntilAsync(() => live.PostAsync("/v1/events", """{"type":"impression","user":"bob","item":"i-2"}"""), a => a.Status != 200);
        refused.ShouldBeProblem(503, "disk-low").ShouldContain("Storage:FreeMbMin");
        refused.RetryAfter.ShouldBe("5");
        (await live.GetAsync("/v1/feed/ann")).Json.GetProperty("source").GetString().ShouldBe("own");
        (await live.GetAsync("/v1/status")).Json.GetProperty("admission").GetString().ShouldBe("DiskLow");

        disk.Free();
        await live.UntilAsync(() => live.PostAsync("/v1/events", """{"type":"like","user":"ann","item":"i-3"}"""), a => a.Status == 200);
        (await live.FeedAfterAsync("ann", """{"type":"click","user":"ann","item":"i-4"}""")).GetProperty("source").GetString().ShouldBe("own");
        (await live.GetAsync("/v1/users/ann")).Json.GetProperty("positives").GetInt64().ShouldBe(3);
    }

    /// <summary>Nothing is kept free, and something else takes all there is: the node ends and says why; with room again, all that it had acknowledged is there, once.</summary>
    [SmallDiskFact]
    public async Task A_full_disk_ends_the_node_and_nothing_acknowledged_is_lost()
    {
        using var disk = new SmallDisk(Megabytes);
        var folder = Path.Combine(disk.Path, "data");
        string[] arguments = ["--data-dir", folder, "--set", "Storage:FreeMbMin=0", .. Small];
        var port = NodeProcess.FreePort();
        var ledger = new ChaosLedger(sender: 0, users: 5);
        using var sender = new ChaosSender(ledger, new Uri($"http://127.0.0.1:{port}"), seed: 1);
        using var patience = new CancellationTokenSource(TimeSpan.FromMinutes(5));
        var said = new List<string>();
        using (var node = NodeProcess.Start(port, arguments, line => { lock (said) said.Add(line); }))
        {
            await node.WaitReadyAsync(patience.Token);
            await sender.SendAsync([.. Enumerable.Range(0, 40).Select(_ => ledger.Add(ChaosKind.Click))], patience.Token);
            disk.Fill();
            using var ended = CancellationTokenSource.CreateLinkedTokenSource(patience.Token);
            var sending = SendAsync(sender, ledger, ended.Token);
            while (!node.HasExited)
            {
                disk.Fill();
                await Task.Delay(20, patience.Token);
            }
            await ended.CancelAsync();
            await sending;
            await node.WaitForExitAsync(patience.Token);
            node.ExitCode.ShouldBe(1);
        }
        string.Join('\n', said).ShouldMatch("(?i)no space left|disk");

        // Started before there is room, it says the same or runs; with room it runs.
        using (var full = NodeProcess.Start(port, arguments, _ => { }))
            while (!full.HasExited && full.StartedAt + System.Diagnostics.Stopwatch.Frequency * 2 > System.Diagnostics.Stopwatch.GetTimestamp()) await Task.Delay(20, patience.Token);
        disk.Free();
        using (var node = NodeProcess.Start(port, arguments, _ => { }))
        {
            await node.WaitReadyAsync(patience.Token);
            (await sender.SendAsync([ledger.Add(ChaosKind.Click)], patience.Token)).ShouldNotBeNull();
            await node.KillAsync();
        }
        var settings = new StreamingSettings
        {
            Log = new LogSettings { Partitions = 2, RecordBytesMax = 65536 },
            Storage = new StorageSettings
            {
                LogPageKb = 128, LogMemoryMbPerPartition = 1, LogSegmentMb = 1,
                State = new HybridStoreSettings { MemoryMb = 8, IndexMb = 1 }, Cache = new HybridStoreSettings { MemoryMb = 8, IndexMb = 1 },
            },
            Learning = new LearningSettings { FtrlBits = 14 }, Users = new UsersSettings { MarksMax = 100_000 },
        };
        var outcome = await ChaosRun.CheckAsync(settings, folder, [ledger], _ => { }, patience.Token);
        outcome.Findings.ShouldBeEmpty();
        outcome.Accepted.ShouldBeGreaterThan(40);
        (outcome.Lost, outcome.Doubled).ShouldBe((0L, 0L));
    }

    [SmallDiskFact]
    public async Task A_disk_that_may_only_be_read_is_named_at_the_start()
    {
        using var disk = new SmallDisk(8);
        disk.MakeReadOnly();
        await FailsAsync("node", "--data-dir", Path.Combine(disk.Path, "data"), "--listen", "127.0.0.1:0");
    }

    [Fact]
    [System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
    public async Task A_folder_without_permission_is_named_at_the_start()
    {
        using var folder = new Cli.TemporaryFolder();
        // Nobody may write into another process's folder there, root neither.
        if (Environment.UserName == "root")
        {
            await FailsAsync("node", "--data-dir", "/proc/1/streaming", "--listen", "127.0.0.1:0");
            return;
        }
        File.SetUnixFileMode(folder.Path, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        try
        {
            await FailsAsync("node", "--data-dir", Path.Combine(folder.Path, "data"), "--listen", "127.0.0.1:0");
        }
        finally
        {
            File.SetUnixFileMode(folder.Path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }
    }

    /// <summary>Events, one at a time, until nobody takes them any more.</summary>
    private static async Task SendAsync(ChaosSender sender, ChaosLedger ledger, CancellationToken cancel)
    {
        try
        {
            while (true) await sender.SendAsync([ledger.Add(ChaosKind.Click), ledger.Add(ChaosKind.Impression)], cancel);
        }
        catch (OperationCanceledException)
        {
            // The node has ended.
        }
    }

    private static async Task FailsAsync(params string[] arguments)
    {
        var (code, process) = await StreamingProcess.RunAsync(arguments);
        using var _ = process;
        code.ShouldBe(1, process.Stderr);
        process.Stderr.ShouldContain("cannot be used:");
        process.Stderr.ShouldContain("Make it writable, or give another --data-dir");
        process.Stderr.ShouldNotContain("   at ");
    }
}
