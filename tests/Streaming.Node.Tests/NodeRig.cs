using System.Diagnostics;
using System.Text;
using Streaming.Core.Feeds;
using Streaming.Core.Log;
using Streaming.Core.Settings;
using Streaming.Core.Wire;
using Streaming.Storage;

namespace Streaming.Node.Tests;

/// <summary>A node on the real embedded adapters in a folder; what the composition root does, with small stores.</summary>
public sealed class NodeRig : IAsyncDisposable
{
    private readonly IEventLog _log;
    private readonly bool _ownsLog;
    private readonly FasterStateStore _users;
    private readonly FasterFeedCache _feeds;

    private NodeRig(string folder, StreamingSettings settings, IEventLog? log)
    {
        Folder = folder;
        _ownsLog = log is null;
        _log = log ?? new FasterEventLog(Path.Combine(folder, "log"), settings.Log, settings.Storage, TimeProvider.System);
        _users = new FasterStateStore(Path.Combine(folder, "users"), settings.Storage.State);
        _feeds = new FasterFeedCache(Path.Combine(folder, "feeds"), settings.Storage, FeedListCodec.Write);
    }

    public string Folder { get; }
    public StreamingNode Node { get; private set; } = null!;
    public List<NodeNotice> Notices { get; } = [];
    public string CheckpointDir => Path.Combine(Folder, "checkpoints");

    private static readonly HybridStoreSettings SmallStore = new() { MemoryMb = 4, IndexMb = 1, PageKb = 64, SegmentMb = 1 };

    public static StreamingSettings Settings { get; } = new()
    {
        Log = new LogSettings { Partitions = 2, RetentionHours = 0, RetentionMbPerPartition = 0, RecordBytesMax = 1 << 18 },
        Storage = new StorageSettings
        {
            LogPageKb = 64, LogMemoryMbPerPartition = 1, LogSegmentMb = 1, State = SmallStore, Cache = SmallStore,
        },
        Users = new UsersSettings
        {
            AttributionWindowMs = 60_000, LateWindowMs = 120_000, RefreshAfterSeen = 5,
            ActionWeights = new UsersSettings().ActionWeights.Concat([new("my_type", 2.0)]).ToDictionary(),
        },
        Learning = new LearningSettings { FtrlBits = 12, EmbeddingDim = 8 },
    };

    /// <param name="folder">Of its log, unless it is given one, and of its state.</param>
    /// <param name="settings">Null for <see cref="Settings"/>.</param>
    /// <param name="log">A log that nodes share; it outlives this one.</param>
    /// <param name="learnsDeepInRounds">As in a replay.</param>
    /// <param name="time">Null for the system's.</param>
    public static async Task<NodeRig> OpenAsync(
        string folder, StreamingSettings? settings = null, IEventLog? log = null, bool learnsDeepInRounds = false, TimeProvider? time = null)
    {
        settings ??= Settings;
        settings.Validate().ShouldBeEmpty();
        var rig = new NodeRig(folder, settings, log);
        try
        {
            rig.Node = await StreamingNode.OpenAsync(new NodeParts
            {
                Settings = settings, Log = rig._log, Users = rig._users, Feeds = rig._feeds, CheckpointDir = rig.CheckpointDir,
                LearnsDeepInRounds = learnsDeepInRounds, Time = time ?? TimeProvider.System,
                // Workers have threads of their own.
                Notice = notice => { lock (rig.Notices) rig.Notices.Add(notice); },
            });
            return rig;
        }
        catch (Exception problem)
        {
            await rig.DisposeAsync();
            if (rig.Notices.Count > 0) throw new InvalidDataException($"{problem.Message} [{string.Join("; ", rig.Notices.Select(n => n.Message))}]", problem);
            throw;
        }
    }

    /// <summary>Opens a node, runs it while the test looks at it, and stops it cleanly; nothing may have gone wrong meanwhile.</summary>
    public static async Task LiveAsync(string folder, StreamingSettings settings, Func<NodeRig, Task> test)
    {
        await using var rig = await OpenAsync(folder, settings);
        using var stop = new CancellationTokenSource();
        var running = rig.Node.RunAsync(stop.Token);
        try
        {
            await test(rig);
        }
        finally
        {
            await stop.CancelAsync();
            await running;
        }
        lock (rig.Notices) rig.Notices.ShouldNotContain(n => n.Level == NoticeLevel.Error);
    }

    public async Task<Outcome> OutcomeAsync(ReplayRunner runner)
    {
        var status = Node.Status();
        var users = status.Users;
        var figures = Node.Models.Figures()[0];
        var accounted = users.Applied + users.Repeats + users.Forgotten + users.DeadLetters + runner.ItemRecords;
        return new Outcome(
            await Node.DigestAsync(), figures.Auc, figures.LogLoss, status.Examples, users.Applied, users.Repeats, users.Forgotten,
            users.DeadLetters, users.Lists, status.Items, status.ItemDeadLetters, runner.Done - accounted);
    }

    /// <summary>Replays to the end and says how it ended.</summary>
    public static async Task<Outcome> ReplayAsync(
        string folder, IReadOnlyList<ReplayRecord> source, StreamingSettings? settings = null, int round = 32, int checkpointMs = 1)
    {
        await using var rig = await OpenAsync(folder, settings, learnsDeepInRounds: true);
        var runner = new ReplayRunner(rig.Node, round);
        await runner.RunAsync(source, "source", null, checkpointMs, CancellationToken.None);
        return await rig.OutcomeAsync(runner);
    }

    /// <summary>Every record of a topic, partition by partition.</summary>
    public List<(byte[] Key, byte[] Value)> ReadAll(string topic)
    {
        var all = new List<(byte[], byte[])>();
        var batch = new LogBatch();
        for (var p = 0; p < _log.PartitionCount(topic); p++)
        {
            using var reader = _log.OpenReader(topic, p, 0);
            while (reader.Read(batch, 1000) > 0)
                for (var i = 0; i < batch.Count; i++) all.Add((batch.Key(i).ToArray(), batch.Value(i).ToArray()));
        }
        return all;
    }

    public async Task<(FeedOutcome Outcome, ByteWriter List)> FindAsync(string user, LogPosition? after = null, int waitMs = 0, string surface = "")
    {
        var into = new ByteWriter();
        return (await Node.Lookup.FindAsync(new FeedRequest(user, surface, [], after, waitMs), into), into);
    }

    /// <summary>The user's own list that has seen an event, however long the node takes for it.</summary>
    public async Task<FeedList> ListAsync(string user, LogPosition after)
    {
        FeedList? list = null;
        await Until(async () =>
        {
            var (outcome, bytes) = await FindAsync(user, after, 1_000);
            if (outcome == FeedOutcome.Own) list = FeedListCodec.Read(bytes.WrittenSpan);
            return list is not null;
        });
        return list!;
    }

    public async ValueTask DisposeAsync()
    {
        if (Node is not null) await Node.DisposeAsync();
        _feeds.Dispose();
        _users.Dispose();
        if (_ownsLog) await _log.DisposeAsync();
    }

    public static ReadOnlyMemory<byte> Json(string text) => Encoding.UTF8.GetBytes(text.Replace('\'', '"'));

    /// <summary>Waits until the condition holds; fails after three minutes.</summary>
    public static async Task Until(Func<Task<bool>> holds)
    {
        var clock = Stopwatch.StartNew();
        while (!await holds())
        {
            clock.Elapsed.TotalSeconds.ShouldBeLessThan(180, "the condition did not come");
            await Task.Yield();
        }
    }
}

/// <summary>How a replay ended; two that are equal did the same.</summary>
public sealed record Outcome(
    string Digest, double Auc, double LogLoss, long Examples, long Applied, long Repeats, long Forgotten, long DeadLetters, long Lists, long Items,
    long ItemDeadLetters, long Lost);

/// <summary>A folder that goes with the test.</summary>
public sealed class TempFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("streaming-node-").FullName;

    public string Sub(string name) => System.IO.Path.Combine(Path, name);

    /// <summary>Copies what a crash would leave; a lock goes with its process.</summary>
    public static void Copy(string from, string to)
    {
        Directory.CreateDirectory(to);
        // The node goes on meanwhile. Of a log's partition the commits come first: a crash leaves none of what is not in the segments.
        foreach (var file in Directory.EnumerateFiles(from).Where(f => System.IO.Path.GetFileName(f) != "in-use").OrderBy(f => System.IO.Path.GetFileName(f) != "commits"))
        {
            using var source = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            using var target = File.Create(System.IO.Path.Combine(to, System.IO.Path.GetFileName(file)));
            source.CopyTo(target);
        }
        foreach (var folder in Directory.EnumerateDirectories(from)) Copy(folder, System.IO.Path.Combine(to, System.IO.Path.GetFileName(folder)));
    }

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
