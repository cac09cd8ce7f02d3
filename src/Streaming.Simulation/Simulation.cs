using Streaming.Core.Feeds;
using Streaming.Core.Ids;
using Streaming.Core.Items;
using Streaming.Core.Log;
using Streaming.Core.Settings;
using Streaming.Evaluation;
using Streaming.Node;
using Streaming.Simulation.Checks;

namespace Streaming.Simulation;

/// <summary>What one seed did, and what was wrong with it.</summary>
public sealed record SeedResult
{
    public required ulong Seed { get; init; }

    /// <summary>Empty when every invariant held.</summary>
    public required IReadOnlyList<string> Violations { get; init; }

    /// <summary>Equal for two runs of a seed.</summary>
    public required ulong Trace { get; init; }

    public required long Steps { get; init; }
    public required double VirtualSeconds { get; init; }
    public required int Crashes { get; init; }

    /// <summary>Crashes that were power cuts.</summary>
    public required int PowerCuts { get; init; }

    /// <summary>Restarts in good order.</summary>
    public required int Stops { get; init; }

    /// <summary>Starts that passed over a damaged checkpoint.</summary>
    public required int Fallbacks { get; init; }

    /// <summary>Ends by a disk that failed.</summary>
    public required int Failures { get; init; }

    public required int Acknowledged { get; init; }
    public required int Resent { get; init; }
    public required long Applied { get; init; }
    public required long Examples { get; init; }
    public required int Rounds { get; init; }
    public required int Lists { get; init; }
    public required int Lookups { get; init; }

    /// <summary>Changes of weights that are in the log for sure.</summary>
    public int Weighed { get; init; }

    public required string Digest { get; init; }
    public required Shape Shape { get; init; }
}

/// <summary>What a run may be told beyond its seed.</summary>
/// <param name="Planted">A fault of the machine that the checker has to find.</param>
/// <param name="CrashAt">The first life crashes at this point and no other does; 0 for as the seed says.</param>
/// <param name="Watch">Told of everything that happens.</param>
/// <param name="Weighs">Whether an operator changes what actions weigh while everything else goes on.</param>
public sealed record SimulationOptions(Plant Planted = Plant.None, long CrashAt = 0, Action<string>? Watch = null, bool Weighs = false);

/// <summary>
/// One seed: a node's own code on simulated ports, clients, faults, crashes and restarts, on virtual time and one thread; then everything
/// is left to settle, and the checker looks at what has come of it. The same seed does the same.
/// </summary>
public sealed partial class Simulation : IServing, INodeWitness
{
    internal const string CheckpointDir = "/checkpoints";

    private readonly ulong _seed;
    private readonly SimulationOptions _options;
    private readonly World _world;
    private readonly Faults _faults;
    private readonly Workload _workload;
    private readonly SnapshotDisk<byte[]> _users = new();
    private readonly SnapshotDisk<CachedList[]> _feeds = new();
    private readonly FileDisk _files = new();
    private readonly Dictionary<long, Lineage?> _lineages = [];
    private readonly HashSet<long> _damaged = [];
    private readonly List<string> _violations = [];
    private readonly List<BuiltList> _lists = [];
    private Lineage? _lineage;
    private Life? _life;
    private CancellationTokenSource? _stop;
    private TimeSpan _clock;
    private int _lives;
    private int _crashes;
    private int _powerCuts;
    private int _stops;
    private int _failures;
    private int _fallbacks;
    private bool _isLast;
    private bool _isStopped;

    /// <summary>Rounds whose effects are in the state, the newest first.</summary>
    internal sealed record Lineage(Lineage? Before, RoundInput Input);

    /// <summary>A list as it was put into the cache.</summary>
    internal sealed record BuiltList(string User, LogPosition LastApplied, string[] Items);

    private Simulation(ulong seed, SimulationOptions options)
    {
        _seed = seed;
        _options = options;
        Shape = ShapeOf(seed);
        if (options.CrashAt > 0) Shape = Shape with { Crashes = 1, DamageRate = 0, StopRate = 0 };
        Settings = SettingsOf(Shape, (long)(seed % 1000));
        _world = new World(StableHash.Combine(seed, StableHash.Of("order"))) { Watch = options.Watch };
        _faults = new Faults(Shape, StableHash.Combine(seed, StableHash.Of("faults")), options.Planted);
        Log = new LogDisk(Shape.Partitions, Shape.SparseOffsets, Shape.Retains);
        _workload = new Workload(_world, Shape, _faults, StableHash.Combine(seed, StableHash.Of("clients")), this) { Weighs = options.Weighs };
    }

    internal static StreamingSettings SettingsFor(ulong seed) => SettingsOf(ShapeOf(seed), (long)(seed % 1000));

    private static Shape ShapeOf(ulong seed)
    {
        var draws = new Draws(StableHash.Combine(seed, StableHash.Of("shape")));
        return Shape.Draw(ref draws);
    }

    internal Shape Shape { get; }
    internal StreamingSettings Settings { get; }
    internal LogDisk Log { get; }

    public (Life Life, StreamingNode Node)? Serving { get; private set; }

    public void Violate(string what)
    {
        if (_violations.Count < 20) _violations.Add(what);
    }

    /// <summary>Runs a seed to its end.</summary>
    public static SeedResult Run(ulong seed, SimulationOptions? options = null) => new Simulation(seed, options ?? new SimulationOptions()).Run();

    private SeedResult Run()
    {
        var before = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(null);
        var digest = "";
        NodeStatus? status = null;
        try
        {
            Start();
            PlanClockJumps();
            var clients = _workload.RunAsync();
            _world.Until(() => clients.IsCompleted, "the clients have done their work");
            clients.GetAwaiter().GetResult();
            (digest, status) = Settle();
        }
        catch (StuckException stuck)
        {
            Violate($"{stuck.Message}; {(Serving is var (_, node) ? $"{node.ListsWaiting} lists wait, read up to {string.Join(',', node.EventPositions)} of {string.Join(',', Log.Of(Topics.Events).Select(p => p.End))}" : "the node is down")}");
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(before);
        }
        return new SeedResult
        {
            Seed = _seed, Violations = _violations, Trace = _world.Trace, Steps = _world.Steps, VirtualSeconds = TimeSpan.FromTicks(_world.Now).TotalSeconds,
            Crashes = _crashes, PowerCuts = _powerCuts, Stops = _stops, Fallbacks = _fallbacks, Failures = _failures, Acknowledged = _workload.Acknowledged.Count, Resent = _workload.Resent,
            Applied = status?.Users.Applied ?? 0, Examples = status?.Examples ?? 0, Rounds = Rounds(_lineage).Count, Lists = _lists.Count,
            Lookups = _workload.Lookups, Weighed = _workload.Weighed, Digest = digest, Shape = Shape,
        };
    }

    /// <summary>Heals everything, lets the node catch up and end, and has it checked, as it is and once more after a restart.</summary>
    private (string Digest, NodeStatus Status) Settle()
    {
        _faults.AreOver = true;
        if (_life is { } life) life.CrashAt = 0;
        _world.Until(IsCaughtUp, "the node has caught up");
        var until = _world.Now + TimeSpan.FromSeconds(3).Ticks;
        _world.Until(() => _world.Now >= until && IsCaughtUp(), "the last ticks are applied");
        var (last, node) = Serving!.Value;
        _isLast = true;
        _world.After(TimeSpan.Zero, last, "last stop", _stop!.Cancel);
        _world.Until(() => _isStopped || Serving is null, "the node has stopped");
        if (!_isStopped) throw new StuckException("the node did not end in good order");
        var checker = new Checker(this, _world, last, node, _workload, _lists);
        var digest = checker.Run();
        var lineage = _lineage;
        var status = node.Status();
        Await(last.Call("dispose", async () =>
        {
            await node.DisposeAsync();
            return 0;
        }));
        last.Kill("over");
        (_isLast, _isStopped) = (false, false);
        var again = Open(Log, Settings);
        if (Await(again.Life.Call("digest", () => again.Node.DigestAsync())) is var restored && restored != digest)
            Violate($"the state restored from the last checkpoint is {restored}; it was {digest}");
        again.Life.Kill("over");
        var reference = new Reference(Settings, Log.Inputs(), _seed).Run(Rounds(lineage));
        if (reference != digest) Violate($"the final state is {digest}; that of an undisturbed run of the same log is {reference}");
        return (digest, status);
    }

    /// <summary>Opens the node on what lies on the disk, in a life of its own, without running it.</summary>
    private (Life Life, StreamingNode Node) Open(LogDisk log, StreamingSettings settings)
    {
        var life = new Life(_world, ++_lives, 0, () => _clock, (_, _) => { });
        var parts = PartsOf(life, log, settings) with { Witness = null };
        return (life, Await(life.Call("open", () => StreamingNode.OpenAsync(parts))));
    }

    private T Await<T>(Task<T> task)
    {
        _world.Until(() => task.IsCompleted, "an answer");
        return task.GetAwaiter().GetResult();
    }

    private bool IsCaughtUp() => Serving is var (_, node) && node.ListsWaiting == 0
        && node.EventPositions.Select((offset, p) => offset >= Log.Of(Topics.Events)[p].End).All(x => x);

    internal static List<RoundInput> Rounds(Lineage? lineage)
    {
        List<RoundInput> rounds = [];
        for (; lineage is not null; lineage = lineage.Before) rounds.Add(lineage.Input);
        rounds.Reverse();
        return rounds;
    }

    void INodeWitness.Round(RoundInput input) => _lineage = new Lineage(_lineage, input);

    void INodeWitness.Checkpoint(long id)
    {
        _lineages[id] = _lineage;
        _damaged.Remove(id);
        var folders = _files.Folders.Count(f => Path.GetDirectoryName(f) == CheckpointDir);
        // A crash may have left one that was never finished, and one that was to be removed.
        if (folders > Shape.CheckpointsKept + 2) Violate($"{folders} checkpoints are on the disk; {Shape.CheckpointsKept} are kept");
        if (_users.Checkpoints.Count > Shape.CheckpointsKept + 2) Violate($"the store has {_users.Checkpoints.Count} checkpoints; {Shape.CheckpointsKept} are kept");
    }

    private void OnList(FeedList list)
    {
        _lists.Add(new BuiltList(list.User, list.LastApplied, [.. list.Entries.Select(e => e.Item)]));
        if (Serving is not var (_, node)) return;
        foreach (var entry in list.Entries)
            if (!node.Models.Catalog.TryGet(entry.ItemKey, out Item? _)) Violate($"a list of '{list.User}' holds '{entry.Item}', which is not in the catalogue");
    }

    private static StreamingSettings SettingsOf(Shape shape, long seed) => new()
    {
        Node = new NodeSettings
        {
            Seed = seed, RoundEventsMax = shape.RoundEventsMax, RoundListsMax = shape.RoundListsMax, IdleWaitMs = 100,
            CheckpointIntervalMs = shape.CheckpointMs, CheckpointsKept = shape.CheckpointsKept, TickIntervalMs = shape.TickMs,
        },
        Log = new LogSettings { Partitions = shape.Partitions, RecordBytesMax = 1 << 18 },
        Users = new UsersSettings
        {
            AttributionWindowMs = shape.WindowMs, LateWindowMs = shape.LateMs, PendingMax = shape.PendingMax, ClosedMax = shape.ClosedMax,
            RefreshAfterSeen = 3, HotUsersMax = 16, MailboxRecordsMax = shape.MailboxRecordsMax, NegativeSampleRate = shape.NegativeRate,
            ActionWeights = new UsersSettings().ActionWeights.Concat([new("my_type", 2.0)]).ToDictionary(),
        },
        Learning = new LearningSettings { FtrlBits = 10, EmbeddingDim = 4 },
        Feeds = new FeedsSettings { ListLength = 10, CandidatesMax = 20 },
        // The figures of experiments are a reader of their own, on a thread and files that are not simulated.
        Experiments = new ExperimentsSettings { HoldoutShare = .2, Statistics = new StatisticsSettings { Enabled = false } },
        Storage = new StorageSettings { FeedListsPerUserMax = 4 },
    };
}
