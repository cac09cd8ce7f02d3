using System.Collections.Concurrent;
using System.Diagnostics;
using Streaming.Actors;
using Streaming.Core.Events;
using Streaming.Core.Log;
using Streaming.Core.Metrics;
using Streaming.Core.Threads;
using Streaming.Core.Wire;
using Streaming.Experiments.Splitting;
using Streaming.Learning.Deep;
using Streaming.Node.Deep;
using Streaming.Node.Deletion;
using Streaming.Node.Sharing;
using Streaming.Node.Splitting;
using Streaming.Node.Statistics;
using Streaming.Users;

namespace Streaming.Node;

/// <summary>
/// One node with all roles: log -> user actors -> learning -> lists -> cache, in rounds (<see cref="Rounds"/>). Runs live
/// (<see cref="RunAsync"/>) or driven round by round by a replay.
/// </summary>
public sealed partial class StreamingNode : IAsyncDisposable
{
    private const string Group = "node";

    /// <summary>Lists that look-ups may want of one round.</summary>
    private const int WantedMax = 1_000;

    private readonly NodeParts _parts;
    private readonly Checkpoints _checkpoints;
    private readonly AsyncSignal _signal;
    private readonly LatencyHistogram _clickToList = new();
    private readonly FreshLists _fresh = new(waitersMax: 10_000);
    private readonly WantedLists _wanted;
    private readonly ConcurrentQueue<Action<ModelSet?>> _questions = new();
    private readonly DriverThread _driver;
    private readonly Deletions _deletions;
    private ModelSet _models = null!;
    private readonly ITransactionalLog? _transactions;
    private IUserHost _host = null!;
    private UserShard[] _shards = null!;
    private Rounds _rounds = null!;
    private RoundOutputs _outputs = null!;
    private NodeMeters _meters = null!;
    private SplitSnapshot? _followed;
    private volatile ExperimentStatistics? _statistics;
    private long _nextCheckpointId = 1;
    private long _clockMs;
    private long[] _applied = [];
    private TaskCompletionSource _roundEnd = NewRoundEnd();
    private volatile bool _closed;
    private volatile bool _stopped;

    private StreamingNode(NodeParts parts)
    {
        _parts = parts = parts with { Settings = parts.Settings.Resolved() };
        _signal = new AsyncSignal(parts.Time);
        _driver = new DriverThread(parts.Threads);
        _checkpoints = new Checkpoints(parts.CheckpointDir, parts.Settings.Node.CheckpointsKept, parts.Notice, parts.Files);
        _deletions = new Deletions(parts);
        _transactions = parts.Settings.Kafka.Transactions ? parts.Log as ITransactionalLog : null;
        _shared = parts.Settings.Kafka.IsShared ? parts.Log as ISharedLog : null;
        Splitter = new TrafficSplitter(parts.Settings.Experiments);
        _admission = new Admission(parts.Settings.Node, (long)parts.Settings.Storage.FreeMbMin << 20, parts.FreeBytes, parts.Time);
        Ingest = new Ingest(parts.Log, parts.Time, _signal, _admission, parts.Settings.Log.RecordBytesMax);
        _wanted = new WantedLists(WantedMax, _signal);
        Lookup = new FeedLookup(parts.Feeds, _fresh, _wanted, Splitter, parts.Settings, _signal, parts.Time, user => ThrowIfElsewhere(PartitionOf(user)));
        Gate = new ListGate(() => _models.Catalog, knowsAll: _shared is null);
        Operations = new Operations(parts.Log, parts.Time, parts.Notice);
        DeadLetters = new DeadLetters(parts.Log, Ingest, Operations, parts.Time);
        Served = new ServedLog(parts.Log, parts.Time, queuedMax: 4096, parts.Notice, () => _admission.IsDiskLow);
    }

    public IEventLog Log => _parts.Log;

    private IThreads Threads => _parts.Threads;

    /// <summary>Partitions of <c>events</c>: shards of users.</summary>
    public int Partitions => _shards.Length;

    public TrafficSplitter Splitter { get; }

    /// <summary>Changes and audit of the experiments.</summary>
    public ExperimentControl Experiments { get; private set; } = null!;

    public Ingest Ingest { get; }
    public FeedLookup Lookup { get; }

    /// <summary>What of a cached list leaves the node.</summary>
    public ListGate Gate { get; }

    /// <summary>The figures of experiments; null where they are off, and before the node runs.</summary>
    public ExperimentStatistics? Statistics => _statistics;

    public ServedLog Served { get; }

    /// <summary>What operators did beside the experiments.</summary>
    public Operations Operations { get; }

    /// <summary>What could not be used, to look at and to send again.</summary>
    public DeadLetters DeadLetters { get; }

    /// <summary>The checkpoint this node went on from; null after a fresh start.</summary>
    public CheckpointManifest? Restored { get; private set; }

    /// <summary>Whether the log held events before this start.</summary>
    public bool HasHistory { get; private set; }

    /// <summary>True once the state stands and rounds can run.</summary>
    public bool IsReady { get; private set; }

    /// <summary>Why this node should be sent no work now; null when it can take some.</summary>
    public string? NotReady => !IsReady ? "restoring" : (_host as IShardHost)?.Unwell;

    /// <summary>Event time: the largest record time in the state, Unix ms.</summary>
    public long ClockMs => _clockMs;

    /// <summary>Next offset of <c>events</c> to read, per partition.</summary>
    public long[] EventPositions => _rounds.EventPositions;
    internal long[] ItemPositions => _rounds.ItemPositions;

    /// <summary>Restores the newest whole checkpoint, or starts fresh, and opens the log behind it.</summary>
    /// <exception cref="InvalidDataException">There are checkpoints, and none can be used.</exception>
    public static async Task<StreamingNode> OpenAsync(NodeParts parts, CancellationToken cancel = default)
    {
        var node = new StreamingNode(parts);
        try
        {
            await node.RestoreAsync(cancel);
            return node;
        }
        catch
        {
            await node.DisposeAsync();
            throw;
        }
    }

    /// <summary>Runs until cancelled; then takes what is left, writes a checkpoint and returns.</summary>
    public async Task RunAsync(CancellationToken cancel)
    {
        var settings = _parts.Settings.Node;
        _outputs.Stopping = cancel;
        StartDeep();
        _statistics = ExperimentStatistics.Start(_parts, () => Splitter.Now.Version, new ArmStopper(Experiments), new BanditMover(Experiments, NowMs));
        // Beside the rounds: one that is starved of its core must not keep its own measure from being taken.
        await using var measuring = _parts.Time.CreateTimer(_ => { if (IsLagDue) Measure(); }, null, LagInterval, LagInterval);
        // Pauses go by a clock that nobody sets: one put back by an hour would end ticks and checkpoints for as long.
        var lastCheckpoint = _parts.Time.GetTimestamp();
        long? lastTick = null;
        while (!cancel.IsCancellationRequested)
        {
            if (lastTick is null || MsSince(lastTick.Value) >= settings.TickIntervalMs)
            {
                await ExpectAsync("event time cannot be moved on", () => TickAsync(NowMs()));
                _models.RefreshSegments(PutSegment, NowMs());
                _meters.Models(_models);
                lastTick = _parts.Time.GetTimestamp();
            }
            var work = await RoundAsync(null, NowMs(), 0, CancellationToken.None);
            // Behind outputs that are not durable yet nobody may go on after a crash.
            if (MsSince(lastCheckpoint) >= settings.CheckpointIntervalMs && _outputs.IsSettled && _admission.MayCheckpoint && _sharing?.IsOpening != true)
            {
                await CheckpointAsync(null, CancellationToken.None);
                lastCheckpoint = _parts.Time.GetTimestamp();
            }
            if (work > 0) continue;
            try
            {
                await _signal.WaitAsync(TimeSpan.FromMilliseconds(settings.IdleWaitMs), cancel);
            }
            catch (OperationCanceledException)
            {
                break;
            }
        }
        while (await RoundAsync(null, NowMs(), 0, CancellationToken.None) > 0)
        {
            // Drain: what was acknowledged before the stop is in the checkpoint.
        }
        if (_sharing is not null) await _driver.RunAsync(() => { Threads.Block(_sharing.LeaveAsync()); return 0; });
        await CheckpointAsync(null, CancellationToken.None);
        await StopWorkersAsync();
        // No round will come to answer what is asked from here on; look-ups still being served must not wait for one.
        _stopped = true;
        await AnswerAsync();
    }

    /// <summary>Asks the models something between rounds, when nobody writes them.</summary>
    /// <exception cref="ObjectDisposedException">The node has stopped, before or after the question.</exception>
    public Task<T> AskModelsAsync<T>(Func<ModelSet, T> question)
    {
        var done = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        _questions.Enqueue(models =>
        {
            try
            {
                ObjectDisposedException.ThrowIf(models is null, this);
                done.TrySetResult(question(models));
            }
            catch (Exception problem)
            {
                done.TrySetException(problem);
            }
        });
        _signal.Set();
        if (_closed) AnswerQuestions(null);
        else if (_stopped)
        {
            try
            {
                _ = AnswerAsync();
            }
            catch (ObjectDisposedException)
            {
                AnswerQuestions(null);
            }
        }
        return done.Task;
    }

    /// <summary>Asks one user's actor something, read-only; the state is null for an unknown user.</summary>
    public Task<T> AskUserAsync<T>(string user, Func<UserState?, T> question, CancellationToken cancel = default) =>
        _host.AskAsync(user, question, cancel);

    /// <summary>How far a user's deletion has come; null when there is none on record.</summary>
    /// <exception cref="ShardElsewhereException">Another node has it.</exception>
    public DeletionReceipt? DeletionOf(string user)
    {
        ThrowIfElsewhere(PartitionOf(user));
        return _deletions.Find(user);
    }

    /// <summary>Waits until the record at <paramref name="position"/> is in the state; false when the time is up.</summary>
    public async Task<bool> WaitAppliedAsync(LogPosition position, TimeSpan timeout, CancellationToken cancel)
    {
        if (position.Partition >= Partitions) return false;
        ThrowIfElsewhere(position.Partition);
        var started = _parts.Time.GetTimestamp();
        while (true)
        {
            // Taken before the look, so that a round which ends in between is not missed.
            var roundEnd = Volatile.Read(ref _roundEnd).Task;
            if (Volatile.Read(ref _applied)[position.Partition] > position.Offset) return true;
            var left = timeout - _parts.Time.GetElapsedTime(started);
            if (left <= TimeSpan.Zero) return false;
            try
            {
                await roundEnd.WaitAsync(left, _parts.Time, cancel);
            }
            catch (TimeoutException)
            {
                return false;
            }
        }
    }

    public NodeStatus Status() => new()
    {
        Records = _rounds.Records,
        Shards = ShardsStatus(),
        LagOffsets = _admission.LagOffsets,
        LagMs = _admission.LagMs,
        ListsWaiting = ListsWaiting,
        Admission = _admission.State.ToString(),
        Rounds = _rounds.Count,
        Users = _host.Counts,
        Items = _models.Catalog.Count,
        ItemDeadLetters = _models.ItemDeadLetters,
        IngestRejected = Ingest.Rejected,
        Examples = _models.Examples,
        Models = _models.Versions,
        VersionSkew = _models.Skew.Counts,
        Deep = DeepStatus(),
        Isolation = _meters.LastIsolation,
        ClickToListMsP50 = _clickToList.Percentile(.50) / 1000,
        ClickToListMsP99 = _clickToList.Percentile(.99) / 1000,
        ClockMs = _clockMs,
        CheckpointId = _nextCheckpointId - 1,
        ServedDropped = Served.Dropped,
        DeletionsPending = _deletions.Count,
        PhaseSeconds = [.. _rounds.PhaseTicks.Select(t => (double)t / Stopwatch.Frequency)],
    };

    /// <summary>The models, for figures after a run; only while no round runs.</summary>
    public ModelSet Models => _models;

    public async ValueTask DisposeAsync()
    {
        _closed = true;
        AnswerQuestions(null);
        await DisposeDeepAsync();
        if (_statistics is not null) await Task.Run(_statistics.Dispose);
        await Served.DisposeAsync();
        DeadLetters.Dispose();
        Operations.Dispose();
        await _deletions.DisposeAsync();
        await _driver.DisposeAsync();
        _feedsTail?.Dispose();
        if (_sharing is not null) await Task.Run(_sharing.Dispose);
        Experiments?.Dispose();
        if (_host is not null) await _host.DisposeAsync();
        _rounds?.Dispose();
        _models?.Dispose();
    }

    /// <summary>Lists that the last round left for the next.</summary>
    public int ListsWaiting => _rounds.ListsWaiting;

    /// <summary>Impressions of users in memory that wait for their click or the end of their window.</summary>
    public Task<long> PendingImpressionsAsync(CancellationToken cancel = default) => _driver.RunAsync(() =>
    {
        cancel.ThrowIfCancellationRequested();
        // Between rounds, when no shard is at work.
        return _shards.Sum(shard => shard.Sum(state => state.Pending.CountOf(ImpressionLabel.Waiting)));
    });

    /// <summary>
    /// SHA-256 over everything learned and every user's state: equal digests mean equal nodes. Call it while no round runs.
    /// </summary>
    public async Task<string> DigestAsync(CancellationToken cancel = default)
    {
        using var hash = System.Security.Cryptography.IncrementalHash.CreateHash(System.Security.Cryptography.HashAlgorithmName.SHA256);
        foreach (var part in _models.Parts)
        {
            using var bytes = new MemoryStream();
            if (part is RoundLearner deep) deep.SaveContent(bytes);
            else part.Save(bytes);
            hash.AppendData(bytes.GetBuffer().AsSpan(0, (int)bytes.Length));
        }
        await _host.FlushAsync(cancel);
        foreach (var shard in _shards) hash.AppendData(BitConverter.GetBytes(shard.StateFold));
        return Convert.ToHexStringLower(hash.GetHashAndReset())[..32];
    }

    private double MsSince(long timestamp) => _parts.Time.GetElapsedTime(timestamp).TotalMilliseconds;

    internal long NowMs() => _parts.Time.GetUtcNow().ToUnixTimeMilliseconds();

    private Task AnswerAsync() => _driver.RunAsync(() => AnswerQuestions(_models));

    private int AnswerQuestions(ModelSet? models)
    {
        var answered = 0;
        for (; _questions.TryDequeue(out var question); answered++) question(models);
        return answered;
    }

    private static TaskCompletionSource NewRoundEnd() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
