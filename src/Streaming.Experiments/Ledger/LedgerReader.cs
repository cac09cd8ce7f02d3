using Streaming.Core.Events;
using Streaming.Core.Experiments;
using Streaming.Core.Log;
using Streaming.Experiments.Bandits;
using Streaming.Experiments.Reporting;

namespace Streaming.Experiments.Ledger;

/// <summary>What a <see cref="LedgerReader"/> runs on.</summary>
public sealed record LedgerReaderParts
{
    public required IEventLog Log { get; init; }

    /// <summary>Folder of its checkpoints; one reader at a time writes it.</summary>
    public required string Folder { get; init; }

    public LedgerLimits Limits { get; init; } = new();

    /// <summary>Experiments as they are defined now; asked before every batch.</summary>
    public required Func<IReadOnlyList<TrackedExperiment>> Experiments { get; init; }

    public int CheckpointIntervalMs { get; init; } = 30_000;
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>Receives what an operator should know.</summary>
    public Action<string> Notice { get; init; } = _ => { };
}

/// <summary>
/// Keeps the ledger up with the <c>events</c> topic, beside the node or over a log that nobody writes. A checkpoint holds the ledger and the
/// offsets that it stands for, and counts once it is renamed into place; a restart reads on from there, so every event is in the sums once. Until
/// both kept checkpoints are past them, records are held against the log's retention. <see cref="Pump"/> on one thread;
/// <see cref="Report"/> on any.
/// </summary>
public sealed class LedgerReader : IDisposable
{
    private const string Group = "experiments";
    private const int RecordsMax = 4096;
    private const int Kept = 2;
    private static readonly TimeSpan FetchWait = TimeSpan.FromMilliseconds(50);

    private readonly LedgerReaderParts _parts;
    private readonly Lock _gate = new();
    private readonly LogBatch _batch = new();
    private readonly ExperimentLedger _ledger;
    private ILogReader[] _readers = [];
    private IReadOnlyList<TrackedExperiment>? _tracked;
    private long[] _committable = [];
    private long _state;
    private long _lastCheckpoint;
    private long _appliedAtCheckpoint;

    private LedgerReader(LedgerReaderParts parts) => (_parts, _ledger) = (parts, new ExperimentLedger(parts.Limits));

    /// <summary>Records that are no event: parsed by the node, too, and set aside by it.</summary>
    public long Corrupt { get; private set; }

    /// <summary>Events in the sums.</summary>
    public long Applied => _ledger.Applied;

    /// <summary>Goes on from the newest whole checkpoint in the folder, or starts from the log's earliest record.</summary>
    /// <exception cref="InvalidDataException">There are checkpoints and none can be used, or the log has lost what they rest on.</exception>
    public static LedgerReader Open(LedgerReaderParts parts)
    {
        var reader = new LedgerReader(parts);
        try
        {
            reader.Restore();
            return reader;
        }
        catch
        {
            reader.Dispose();
            throw;
        }
    }

    /// <summary>Reads what is there, a bounded part of it at a time; false where nothing was.</summary>
    public bool Pump()
    {
        var read = 0;
        for (var p = 0; p < _readers.Length; p++)
        {
            if (_readers[p].Read(_batch, RecordsMax) == 0) continue;
            read += _batch.Count;
            lock (_gate)
            {
                Track();
                Apply();
            }
        }
        if (read == 0)
            lock (_gate) Track();
        return read > 0;
    }

    /// <summary>Reads until nothing is left of what the log holds now.</summary>
    /// <param name="cancel">Ends it between batches.</param>
    /// <param name="progress">Told the share that has been read, 0 to 1.</param>
    /// <exception cref="EventLogException">The log does not come up with it.</exception>
    public void CatchUp(CancellationToken cancel = default, Action<double>? progress = null)
    {
        long[] ends = [.. _readers.Select((_, p) => Wait(_parts.Log.RangeAsync(Topics.Events, p)).End)];
        var last = _parts.Time.GetTimestamp();
        var (from, to) = (Offsets.Sum(), ends.Sum());
        while (true)
        {
            cancel.ThrowIfCancellationRequested();
            if (Pump())
            {
                last = _parts.Time.GetTimestamp();
                if (to > from) progress?.Invoke(Math.Min(1, (double)(Offsets.Sum() - from) / (to - from)));
                continue;
            }
            var behind = Enumerable.Range(0, ends.Length).FirstOrDefault(p => _readers[p].Offset < ends[p], -1);
            if (behind < 0) return;
            // On Kafka a reader that was just opened has fetched nothing yet.
            if (_parts.Time.GetElapsedTime(last) > LogReading.Patience)
                throw new EventLogException($"'{Topics.Events}' {behind} does not come up to {ends[behind]}, where it ends, in {LogReading.Patience.TotalSeconds:0} s");
            Wait(_readers[behind].WaitAsync(FetchWait, cancel));
        }
    }

    /// <summary>How far it is behind the log: bytes on the embedded log, records on Kafka.</summary>
    public long LagOffsets()
    {
        long lag = 0;
        for (var p = 0; p < _readers.Length; p++) lag += Math.Max(0, Wait(_parts.Log.RangeAsync(Topics.Events, p)).End - _readers[p].Offset);
        return lag;
    }

    /// <summary>An experiment as it stands; null for one that is not known.</summary>
    public ExperimentReport? Report(string experiment, ReportPlan plan)
    {
        lock (_gate) return ReportBuilder.Build(_ledger, experiment, plan);
    }

    /// <summary>What a bandit weighs the arms of an experiment by, by arm; empty for an experiment that there are no figures of.</summary>
    public IReadOnlyDictionary<string, ArmSums> SumsOf(string experiment)
    {
        lock (_gate)
        {
            if (_ledger.Find(experiment) is not { } found) return new Dictionary<string, ArmSums>();
            return found.Arms.Select((arm, i) => ArmSums.Of(arm, found.AllOf(Metric.Ctr, i))).ToDictionary(s => s.Arm);
        }
    }

    /// <summary>Names of the experiments that there are figures of.</summary>
    public IReadOnlyList<string> Experiments
    {
        get
        {
            lock (_gate) return [.. _ledger.Experiments.Select(e => e.Id)];
        }
    }

    /// <summary>Saves a checkpoint where one is due and something has changed.</summary>
    public void CheckpointIfDue()
    {
        if (_parts.Time.GetElapsedTime(_lastCheckpoint).TotalMilliseconds >= _parts.CheckpointIntervalMs && Applied != _appliedAtCheckpoint) Checkpoint();
    }

    /// <summary>Saves a checkpoint.</summary>
    /// <exception cref="IOException">The disk is full or not writable; the one before stays valid.</exception>
    public void Checkpoint()
    {
        Directory.CreateDirectory(_parts.Folder);
        var path = PathOf(_state + 1);
        using (var stream = new FileStream(path + ".next", FileMode.Create, FileAccess.Write, FileShare.None, 1 << 16))
        {
            // Only the pumping thread moves offsets and sums, and it is this one: nothing of a batch is half applied.
            lock (_gate) _ledger.Save(stream, Offsets);
            stream.Flush(flushToDisk: true);
        }
        File.Move(path + ".next", path, overwrite: true);
        _state++;
        (_lastCheckpoint, _appliedAtCheckpoint) = (_parts.Time.GetTimestamp(), Applied);
        foreach (var old in States().Skip(Kept)) File.Delete(PathOf(old));
        // Retention may drop only what the older one of the two that are kept does not need.
        if (_committable.Length > 0) Wait(_parts.Log.CommitAsync(Group, Topics.Events, [.. _committable.Select((o, p) => new LogPosition(p, o))]));
        _committable = Offsets;
    }

    public void Dispose()
    {
        foreach (var reader in _readers) reader.Dispose();
    }

    private long[] Offsets => [.. _readers.Select(r => r.Offset)];

    private void Track()
    {
        var now = _parts.Experiments();
        if (ReferenceEquals(now, _tracked)) return;
        _ledger.Track(now);
        _tracked = now;
    }

    private void Apply()
    {
        for (var i = 0; i < _batch.Count; i++)
        {
            if (EventParser.TryParse(_batch.Value(i).Span, _batch.TimeMs(i), out var e, out _)) _ledger.Apply(e, _batch.TimeMs(i));
            else Corrupt++;
        }
    }

    private void Restore()
    {
        var states = States();
        long[] offsets = [];
        foreach (var state in states)
        {
            try
            {
                using var stream = new FileStream(PathOf(state), FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 16);
                offsets = _ledger.Load(stream);
                _state = states[0];
                break;
            }
            catch (InvalidDataException problem)
            {
                _parts.Notice($"checkpoint {state} of the experiments' figures cannot be used ({problem.Message}); trying the one before");
            }
        }
        if (states.Count > 0 && offsets.Length == 0)
            throw new InvalidDataException($"none of the checkpoints in {_parts.Folder} can be used; restore a backup, or remove the folder to add the figures up again from what the log holds");
        var partitions = _parts.Log.PartitionCount(Topics.Events);
        if (offsets.Length > 0 && offsets.Length != partitions)
            throw new InvalidDataException($"the experiments' figures are of {offsets.Length} partitions, the log has {partitions}; Log:Partitions cannot change once data exists");
        _readers = new ILogReader[partitions];
        for (var p = 0; p < partitions; p++) _readers[p] = OpenAt(p, offsets.Length > 0 ? offsets[p] : 0);
        _committable = offsets;
        (_lastCheckpoint, _appliedAtCheckpoint) = (_parts.Time.GetTimestamp(), Applied);
    }

    private ILogReader OpenAt(int partition, long offset)
    {
        var range = Wait(_parts.Log.RangeAsync(Topics.Events, partition));
        if (offset > range.End)
            throw new InvalidDataException(
                $"the experiments' figures have read '{Topics.Events}' {partition} up to {offset}, but the log ends at {range.End}: part of it is gone; "
                    + $"restore it, or remove {_parts.Folder} to add them up again from what is left");
        if (offset > 0 && offset < range.Earliest)
            _parts.Notice($"'{Topics.Events}' {partition} starts at {range.Earliest}: what lay between {offset} and that was removed before it was counted in experiments");
        return _parts.Log.OpenReader(Topics.Events, partition, offset);
    }

    /// <summary>Ids of the checkpoints in place, newest first.</summary>
    private List<long> States() => !Directory.Exists(_parts.Folder) ? [] :
    [
        .. Directory.EnumerateFiles(_parts.Folder, "ledger-*.bin").Select(f => Path.GetFileNameWithoutExtension(f)["ledger-".Length..])
            .Where(n => long.TryParse(n, out _)).Select(long.Parse).OrderDescending(),
    ];

    private string PathOf(long state) => Path.Combine(_parts.Folder, $"ledger-{state:D12}.bin");

    private static T Wait<T>(ValueTask<T> task) => task.IsCompletedSuccessfully ? task.Result : task.AsTask().GetAwaiter().GetResult();

    private static void Wait(ValueTask task) => task.AsTask().GetAwaiter().GetResult();
}
