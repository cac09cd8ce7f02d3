using Streaming.Core.Examples;
using Streaming.Core.Items;
using Streaming.Core.Log;
using Streaming.Core.Settings;
using Streaming.Learning.Metrics;
using Streaming.Models.Deep;

namespace Streaming.Learning.Deep;

/// <summary>What a worker runs on.</summary>
public sealed record DeepWorkerParts
{
    public required string Name { get; init; }
    public required DeepScores Scores { get; init; }

    /// <summary>Makes the model over a catalogue; every call gives an equal one.</summary>
    public required Func<IItemCatalog, IDeepModel> Create { get; init; }

    public required StreamingSettings Settings { get; init; }
    public required IEventLog Log { get; init; }

    /// <summary>Folder of its checkpoints, journals and ledger; one worker at a time.</summary>
    public required string Folder { get; init; }

    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>Receives what an operator should know.</summary>
    public Action<string> Notice { get; init; } = _ => { };

    /// <summary>Called at every point where a crash may fall, with its name; tests throw from it.</summary>
    internal Action<string>? At { get; init; }
}

/// <summary>
/// Learns one deep model from the <c>examples</c> topic and publishes its versions on <c>models</c>. It reads the catalogue from <c>items</c> itself,
/// so that it can be a process of its own. One thread drives it by <see cref="Pump"/>.
/// </summary>
/// <remarks>
/// How a batch is cut depends on what had arrived by when, so every cut is written to a journal (<see cref="StepJournal"/>) before it is learned: the
/// offsets where it ends, and what is due after it. Within a batch rows stand by partition, then by offset, however they were read. Killed at any
/// point, the worker loads its last checkpoint, does the journal's steps again, which gives the same bits wherever the model computes the same
/// (CPU), and goes on. What the steps had published is not published again: after every start comes one snapshot of the version that serves, which
/// copies that have it pass over. So replicas stay sound even on a device where learning again gives other bits.
/// </remarks>
public sealed partial class DeepWorker : IDisposable
{
    /// <summary>Records waiting for a batch at most, interactions included.</summary>
    private const int PendingRecordsMax = 16_384;

    private readonly DeepWorkerParts _parts;
    private readonly DeepSettings _settings;
    private readonly WorkerFolder _folder;
    private readonly ItemCatalog _catalog = new();
    private readonly LearningBatch _batch;
    private readonly LogBatch _read = new();
    private readonly List<ExampleRecord>[] _pending;
    private readonly ILogReader[] _examples;
    private readonly ILogReader[] _items;
    private readonly ModelPublisher _publisher;
    private readonly DeepLearner _learner;

    private RepeatFilter _repeats = new();
    private StepJournal _journal = null!;
    private long[] _examplesAt;
    private long[] _itemsAt;
    private long[] _committable = [];
    private int _pendingExamples;
    private int _pendingRecords;
    private long _waitingSinceMs;
    private long _state;
    private long _lastStateMs = long.MinValue;
    private bool _isReenacting;

    /// <summary>When each kind of version was last cut; none yet makes all due.</summary>
    private long _versionMs = long.MinValue, _denseMs = long.MinValue, _snapshotMs = long.MinValue, _keptMs = long.MinValue;

    private DeepWorker(DeepWorkerParts parts, WorkerFolder folder)
    {
        _parts = parts;
        _settings = parts.Settings.Deep;
        _folder = folder;
        _batch = new LearningBatch(parts.Settings.Users.ExampleHistoryMax);
        Ledger = new PromotionLedger(folder.Ledger, _settings.LedgerShownMax);
        var recordBytesMax = parts.Settings.Log.RecordBytesMax;
        _learner = new DeepLearner(
            () => parts.Create(_catalog), parts.Scores, _settings, parts.Settings.Learning, Math.Max(1, NowMs), recordBytesMax);
        _publisher = new ModelPublisher(parts.Log, parts.Name);
        _examplesAt = new long[parts.Log.PartitionCount(Topics.Examples)];
        _itemsAt = new long[parts.Log.PartitionCount(Topics.Items)];
        _pending = [.. _examplesAt.Select(_ => new List<ExampleRecord>())];
        _examples = new ILogReader[_examplesAt.Length];
        _items = new ILogReader[_itemsAt.Length];
    }

    public string Name => _parts.Name;
    public PromotionLedger Ledger { get; }

    /// <summary>The learner, to look at; only from the thread that pumps.</summary>
    public DeepLearner Learner => _learner;

    /// <summary>Records dropped as repeats, and such as could not be read.</summary>
    public long Repeats { get; private set; }

    public long Corrupt { get; private set; }

    /// <summary>Bytes published.</summary>
    public long PublishedBytes => _publisher.Bytes;

    /// <summary>Steps done again from the journal at this start.</summary>
    public int Reenacted { get; private set; }

    /// <summary>How far the worker is behind the log, in offsets: bytes on the embedded log, records on Kafka.</summary>
    public long LagOffsets()
    {
        var lag = 0L;
        for (var p = 0; p < _examplesAt.Length; p++)
            lag += Math.Max(0, Wait(_parts.Log.RangeAsync(Topics.Examples, p)).End - _examplesAt[p]);
        return lag;
    }

    /// <summary>
    /// Reads what is there and does at most one step. Returns whether there was anything to do; where not, <see cref="WaitForMore"/>.
    /// </summary>
    /// <exception cref="EventLogException">The log refuses; the worker is of no further use: open a new one.</exception>
    public bool Pump()
    {
        var read = Read();
        var now = NowMs;
        if (_pendingRecords == 0) return false;
        var due = _pendingExamples >= _settings.BatchSizeMax || _pendingRecords >= PendingRecordsMax
            || (_pendingExamples > 0 && now - _waitingSinceMs >= _settings.BatchWaitMs);
        if (!due) return read > 0;
        Step(now);
        if (now - _lastStateMs >= _settings.CheckpointIntervalMs) Checkpoint();
        return true;
    }

    /// <summary>Waits until there may be something to read, or a batch has waited long enough.</summary>
    public void WaitForMore(CancellationToken cancel)
    {
        var ms = _pendingExamples > 0 ? Math.Clamp(_waitingSinceMs + _settings.BatchWaitMs - NowMs, 1, 50) : 50;
        if (cancel.WaitHandle.WaitOne((int)ms)) cancel.ThrowIfCancellationRequested();
    }

    public void Dispose()
    {
        foreach (var reader in _examples) reader?.Dispose();
        foreach (var reader in _items) reader?.Dispose();
        _journal?.Dispose();
        _learner.Dispose();
    }

    private long NowMs => _parts.Time.GetUtcNow().ToUnixTimeMilliseconds();

    /// <summary>Reads from all partitions in turn, so that a full one does not keep the others waiting.</summary>
    private int Read()
    {
        var total = 0;
        for (var more = true; more;) // until a batch is full or nothing is left
        {
            more = false;
            var room = Math.Min(_settings.BatchSizeMax - _pendingExamples, PendingRecordsMax - _pendingRecords);
            for (var p = 0; p < _examples.Length && room > 0; p++)
            {
                var read = _examples[p].Read(_read, Math.Clamp(room / _examples.Length, 1, room));
                TakeRead(p);
                total += read;
                more |= read > 0;
                room = Math.Min(_settings.BatchSizeMax - _pendingExamples, PendingRecordsMax - _pendingRecords);
            }
        }
        return total;
    }

    /// <summary>Puts what was just read of a partition aside for the next batch.</summary>
    private void TakeRead(int partition)
    {
        for (var i = 0; i < _read.Count; i++)
        {
            _pendingRecords++;
            try
            {
                var record = ExampleCodec.Read(_read.Value(i).Span);
                _pending[partition].Add(record);
                if (record.Example is not null && _pendingExamples++ == 0) _waitingSinceMs = NowMs;
            }
            catch (FormatException)
            {
                Corrupt++;
            }
        }
    }

    private void Step(long nowMs)
    {
        var changes = ReadItems(ends: null);
        var rows = FillBatch();
        var entry = new JournalEntry(
            nowMs, DueAt(nowMs), rows, [.. _examples.Select(r => r.Offset)], [.. _items.Select(r => r.Offset)]);
        _parts.At?.Invoke("before the journal");
        _journal.Append(entry);
        _parts.At?.Invoke("after the journal");
        Learn(entry, changes);
    }

    /// <summary>Learns the batch that stands ready, as an entry says; the only place where state moves, in life and in doing it again.</summary>
    private void Learn(JournalEntry entry, List<ItemChange> changes)
    {
        foreach (var change in changes) _catalog.Apply(change);
        (_examplesAt, _itemsAt) = (entry.Examples, entry.Items);
        if (_batch.Count == 0) return;
        var outcome = _learner.Step(_batch, entry.Due, entry.NowMs);
        _parts.At?.Invoke("after learning");
        if (outcome.Cut)
        {
            _versionMs = entry.NowMs;
            if ((entry.Due & Due.Dense) != 0) _denseMs = entry.NowMs;
            if ((entry.Due & Due.Snapshot) != 0) _snapshotMs = entry.NowMs;
            if ((entry.Due & Due.State) != 0) _keptMs = entry.NowMs;
        }
        if (outcome.Verdict is { } verdict)
        {
            if (verdict.Verdict == LedgerEntry.RolledBack && !_isReenacting)
                _parts.Notice($"version {verdict.Version} of '{Name}' is not served: {verdict.Reason}; learning goes on from version {verdict.Base}");
            Ledger.Add(verdict);
            _parts.At?.Invoke("after the ledger");
        }
        if (_isReenacting || outcome.Publish.Count == 0) return;
        _journal.Sync();
        // Copies may hold what an earlier life has published, or nothing: the first version is a whole one.
        if (!_publisher.HasPublished) _publisher.Publish([_learner.Snapshot()], entry.NowMs);
        else _publisher.Publish(outcome.Publish, entry.NowMs);
        _parts.At?.Invoke("after publishing");
    }

    /// <summary>Puts the waiting records into the batch, by partition and offset, repeats left out; returns its rows.</summary>
    private int FillBatch()
    {
        _batch.Clear();
        foreach (var records in _pending)
        {
            foreach (var record in records)
            {
                var (user, source, ordinal) = record.Example is { } e
                    ? (e.User, e.Source, e.Ordinal) : (record.Interaction!.User, record.Interaction.Source, record.Interaction.Ordinal);
                if (_repeats.IsRepeat(user, source, ordinal))
                {
                    Repeats++;
                    continue;
                }
                var (id, timeMs) = record.Example is { } x ? (x.ItemId, x.ShownMs) : (record.Interaction!.ItemId, record.Interaction.TimeMs);
                if (id is not null) _catalog.AddStub(id, timeMs);
                if (record.Example is { } example && _learner.Model.Learns(example)) _batch.Add(example);
            }
            records.Clear();
        }
        (_pendingExamples, _pendingRecords) = (0, 0);
        return _batch.Count;
    }

    /// <summary>Reads changes of the catalogue: partition by partition, so that their order does not depend on when they came.</summary>
    /// <param name="ends">Where to stop, per partition: all up to there is waited for; null takes what is there.</param>
    private List<ItemChange> ReadItems(long[]? ends)
    {
        var changes = new List<ItemChange>();
        for (var p = 0; p < _items.Length; p++)
        {
            while (ends is null ? _items[p].Read(_read, 1024) > 0 : ReadUpTo(_items[p], ends[p], Topics.Items))
                for (var i = 0; i < _read.Count; i++)
                    if (ItemParser.TryParse(_read.Value(i).Span, _read.TimeMs(i), out var change, out _)) changes.Add(change);
        }
        return changes;
    }

    private Due DueAt(long nowMs)
    {
        if (!Passed(_versionMs, _settings.PublishIntervalMs)) return Due.Nothing;
        return Due.Version
            | (Passed(_denseMs, _settings.DenseIntervalMs) ? Due.Dense : 0)
            | (Passed(_snapshotMs, _settings.SnapshotIntervalMs) ? Due.Snapshot : 0)
            | (Passed(_keptMs, _settings.CheckpointIntervalMs) ? Due.State : 0);

        bool Passed(long since, long interval) => since == long.MinValue || nowMs - since >= interval;
    }

    private static T Wait<T>(ValueTask<T> task) => task.IsCompletedSuccessfully ? task.Result : task.AsTask().GetAwaiter().GetResult();

    private static void Wait(ValueTask task) => task.AsTask().GetAwaiter().GetResult();
}
