using System.Text;
using Streaming.Core.Feeds;
using Streaming.Core.Log;
using Streaming.Core.Settings;
using Streaming.Evaluation;
using Streaming.Node;
using Streaming.Simulation.Checks;
using Streaming.Storage;

namespace Streaming.Simulation.Tests;

/// <summary>
/// The same checks on the real embedded log, store and cache: each life ends with its folder copied, as a killed process would leave it,
/// in the middle of an append, a round or a checkpoint; the next goes on from the copy.
/// </summary>
public sealed class EmbeddedCrashTests : IDisposable
{
    private const int Lives = 4;
    private static readonly HybridStoreSettings SmallStore = new() { MemoryMb = 4, IndexMb = 1, PageKb = 64, SegmentMb = 1 };

    private readonly string _folder = Directory.CreateTempSubdirectory("streaming-crash-").FullName;
    private readonly Dictionary<long, Lineage?> _lineages = [];
    private readonly List<(LogPosition Position, byte[] Value)> _acknowledged = [];
    private Lineage? _lineage;
    private int _events;

    private sealed record Lineage(Lineage? Before, RoundInput Input);

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(1UL)]
    [InlineData(2UL)]
    [InlineData(3UL)]
    public async Task A_folder_as_a_crash_leaves_it_goes_on_without_loss(ulong seed)
    {
        var draws = new Draws(seed);
        var settings = SettingsOf(seed);
        settings.Validate().ShouldBeEmpty();
        var restores = 0;
        for (var life = 0; life < Lives; life++)
        {
            await using var rig = await Rig.OpenAsync(Path.Combine(_folder, $"{life}"), settings, this);
            Resume(rig.Node);
            if (rig.Node.Restored is not null) restores++;
            for (var step = 0; step < 30; step++)
            {
                await SendAsync(rig.Node, draws.Next());
                if (draws.Chance(.5)) await rig.Node.RoundAsync(null, rig.Node.NowMs(), 0, default);
                if (draws.Chance(.15)) await rig.Node.CheckpointAsync(null, default);
            }
            Task underWay = draws.Below(3) switch
            {
                0 => rig.Node.CheckpointAsync(null, default),
                1 => rig.Node.RoundAsync(null, rig.Node.NowMs(), 0, default),
                _ => SendAsync(rig.Node, draws.Next(), isHeard: false),
            };
            SpinWait.SpinUntil(() => underWay.IsCompleted, draws.Below(4));
            Copy(rig.Folder, Path.Combine(_folder, $"{life + 1}"));
            await underWay;
        }
        restores.ShouldBeGreaterThan(0);
        await using var last = await Rig.OpenAsync(Path.Combine(_folder, $"{Lives}"), settings, this);
        Resume(last.Node);
        while (await last.Node.RoundAsync(null, last.Node.NowMs(), 0, default) > 0)
        {
            // Until it has caught up.
        }
        await CheckAsync(last, settings, seed);
    }

    private async Task CheckAsync(Rig rig, StreamingSettings settings, ulong seed)
    {
        var inputs = new LogDisk(settings.Log.Partitions, sparse: true, retains: false);
        var join = new OfflineJoin(settings.Users, settings.Log.Partitions, settings.Node.Seed);
        var batch = new LogBatch();
        for (var p = 0; p < settings.Log.Partitions; p++)
        {
            var partition = inputs.Of(Topics.Events)[p];
            using var reader = rig.Node.Log.OpenReader(Topics.Events, p, 0);
            while (reader.Read(batch, 1000) > 0)
                for (var i = 0; i < batch.Count; i++)
                {
                    var next = i + 1 < batch.Count ? batch.Offset(i + 1) : batch.NextOffset;
                    partition.Records.Add(new Stored(batch.Offset(i), next, batch.TimeMs(i), batch.Key(i).ToArray(), batch.Value(i).ToArray()));
                    join.Take(p, partition.Records[^1]);
                }
            partition.End = reader.Offset;
            // The log of a partition starts behind its header.
            inputs.Of(Topics.Items)[p].End = (await rig.Node.Log.RangeAsync(Topics.Items, p)).End;
        }
        foreach (var (position, value) in _acknowledged)
        {
            var partition = inputs.Of(Topics.Events)[position.Partition];
            partition.Records[partition.IndexOf(position.Offset)].Value.ShouldBe(value);
        }
        _acknowledged.Count.ShouldBeGreaterThan(100);
        var counts = rig.Node.Status().Users;
        new Tally(counts.Applied, counts.Repeats, counts.Forgotten, counts.DeadLetters, counts.Ticks).ShouldBe(join.Tally);
        rig.Node.Models.Trainer.Examples.ShouldBe(join.Released.Count(r => r.IsExample));
        List<RoundInput> rounds = [];
        for (var lineage = _lineage; lineage is not null; lineage = lineage.Before) rounds.Add(lineage.Input);
        rounds.Reverse();
        new Reference(settings, inputs, seed).Run(rounds).ShouldBe(await rig.Node.DigestAsync());
    }

    private void Resume(StreamingNode node) => _lineage = node.Restored is { } restored ? _lineages[restored.Id] : null;

    private async Task SendAsync(StreamingNode node, ulong more, bool isHeard = true)
    {
        var draws = new Draws(more);
        var events = new ReadOnlyMemory<byte>[1 + draws.Below(5)];
        for (var i = 0; i < events.Length; i++)
        {
            var (user, item) = ($"u{draws.Below(40)}", $"i{draws.Below(20)}");
            var what = draws.Below(10) switch
            {
                < 4 => $"\"type\":\"impression\",\"items\":[\"{item}\",\"i{draws.Below(20)}\"]",
                < 8 => $"\"type\":\"click\",\"item\":\"{item}\"",
                8 => $"\"type\":\"dislike\",\"item\":\"{item}\"",
                _ => "\"type\":\"user_delete\"",
            };
            events[i] = Encoding.UTF8.GetBytes($"{{\"user\":\"{user}\",\"event_id\":\"e{_events++}\",{what}}}");
        }
        var outcomes = await node.Ingest.EventsAsync(events);
        if (isHeard)
            for (var i = 0; i < events.Length; i++) _acknowledged.Add((outcomes[i].Position, events[i].ToArray()));
    }

    /// <summary>Checkpoints first: what is copied later may be newer, as it may be on a disk, and never older.</summary>
    private static void Copy(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (var file in Directory.EnumerateFiles(from).Where(f => Path.GetFileName(f) != "in-use").Order(StringComparer.Ordinal))
        {
            try
            {
                using var source = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
                using var target = File.Create(Path.Combine(to, Path.GetFileName(file)));
                source.CopyTo(target);
            }
            catch (IOException)
            {
                // Renamed or removed meanwhile, or being written: a crash leaves no such file, or no whole one.
            }
        }
        foreach (var folder in Directory.EnumerateDirectories(from).Order(StringComparer.Ordinal).Where(Directory.Exists)) Copy(folder, Path.Combine(to, Path.GetFileName(folder)));
    }

    private static StreamingSettings SettingsOf(ulong seed)
    {
        var settings = Simulation.SettingsFor(seed);
        return settings with
        {
            Log = new LogSettings { Partitions = 2, RetentionHours = 0, RetentionMbPerPartition = 0, RecordBytesMax = 1 << 18 },
            Node = new NodeSettings(),
            Storage = new StorageSettings { LogPageKb = 64, LogMemoryMbPerPartition = 1, LogSegmentMb = 1, LogSync = true, State = SmallStore, Cache = SmallStore },
        };
    }

    private sealed class Rig : IAsyncDisposable
    {
        private readonly FasterEventLog _log;
        private readonly FasterStateStore _users;
        private readonly FasterFeedCache _feeds;

        private Rig(string folder, StreamingSettings settings)
        {
            Folder = folder;
            _log = new FasterEventLog(Path.Combine(folder, "log"), settings.Log, settings.Storage, TimeProvider.System);
            _users = new FasterStateStore(Path.Combine(folder, "users"), settings.Storage.State);
            _feeds = new FasterFeedCache(Path.Combine(folder, "feeds"), settings.Storage, FeedListCodec.Write);
        }

        public string Folder { get; }
        public StreamingNode Node { get; private set; } = null!;

        public static async Task<Rig> OpenAsync(string folder, StreamingSettings settings, EmbeddedCrashTests test)
        {
            var rig = new Rig(folder, settings);
            rig.Node = await StreamingNode.OpenAsync(new NodeParts
            {
                Settings = settings, Log = rig._log, Users = rig._users, Feeds = rig._feeds, CheckpointDir = Path.Combine(folder, "checkpoints"),
                Witness = new Witness(test),
            });
            return rig;
        }

        public async ValueTask DisposeAsync()
        {
            await Node.DisposeAsync();
            _feeds.Dispose();
            _users.Dispose();
            await _log.DisposeAsync();
        }
    }

    private sealed class Witness(EmbeddedCrashTests test) : INodeWitness
    {
        public void Round(RoundInput input) => test._lineage = new Lineage(test._lineage, input);

        public void Checkpoint(long id) => test._lineages[id] = test._lineage;
    }
}
