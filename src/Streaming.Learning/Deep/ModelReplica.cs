using System.Collections.Concurrent;
using System.Diagnostics;
using Streaming.Core.Log;
using Streaming.Models.Deep;

namespace Streaming.Learning.Deep;

/// <summary>
/// A copy of a model to serve from, kept up to date from the <c>models</c> topic. Reading and checking (<see cref="Poll"/>) may go on on a thread of
/// its own; taken over are versions by <see cref="Apply"/> only, between rounds, whole and in order. A delta that does not build on the version here
/// means that something was lost: the copy then stays as it is until the next snapshot.
/// </summary>
public sealed class ModelReplica : IDisposable
{
    private const int RecordsPerRead = 64;

    private readonly IDeepModel _model;
    private readonly IEventLog? _log;
    private readonly long _queueBytesMax;
    private readonly long _versionMax;
    private readonly ConcurrentQueue<ModelUpdate> _ready = new();
    private readonly LogBatch _batch = new();
    private readonly Lock _predicting = new();
    private readonly List<byte[]> _chunks = [];
    private UpdateHead _open;
    private ILogReader? _reader;
    private long _queuedBytes;
    private long _corrupt;
    private bool _isPast;

    /// <param name="model">Whose weights this copy owns from here on.</param>
    /// <param name="log">Where versions come from; null where they come by <see cref="Take"/>.</param>
    /// <param name="queueBytesMax">Versions read ahead of <see cref="Apply"/>, bytes; one is always taken.</param>
    /// <param name="versionMax">
    /// The newest version that it takes over: it then starts from the oldest one that the topic holds, and reads no further once a newer one has come.
    /// </param>
    public ModelReplica(IDeepModel model, IEventLog? log, long queueBytesMax, long versionMax = long.MaxValue) =>
        (_model, _log, _queueBytesMax, _versionMax) = (model, log, queueBytesMax, versionMax);

    public string Name => _model.Name;

    /// <summary>The version in force: mini-batches learned; 0 before the first.</summary>
    public long Version { get; private set; }

    /// <inheritdoc cref="UpdateHead.Epoch"/>
    public long Epoch { get; private set; }

    /// <summary>Event time of the newest example in the weights, Unix ms.</summary>
    public long NewestMs { get; private set; }

    /// <summary>Versions taken over.</summary>
    public long Applied { get; private set; }

    /// <summary>Bytes of the versions taken over.</summary>
    public long AppliedBytes { get; private set; }

    /// <summary>Deltas passed over because the version that they build on is not here.</summary>
    public long Gaps { get; private set; }

    /// <summary>Records that could not be read, and versions that do not fit the model.</summary>
    public long Corrupt => Interlocked.Read(ref _corrupt);

    /// <summary>Whether it waits for a snapshot.</summary>
    public bool IsBroken { get; private set; }

    /// <summary>The weights in force, to build an index from; only between rounds.</summary>
    public IDeepModel Model => _model;

    /// <summary>Told of every version taken over, on the thread that applies.</summary>
    public Action<ModelUpdate>? TakenOver { get; set; }

    /// <summary>Predicts with the weights in force; any thread, while nobody applies. One at a time: the others wait.</summary>
    /// <inheritdoc cref="IDeepModel.Predict"/>
    public void Predict(ExampleBatch batch, Span<float> into)
    {
        lock (_predicting) _model.Predict(batch, into);
    }

    /// <summary>Reads what the topic holds and checks it, up to the bound on what waits. Returns the records read. One thread at a time.</summary>
    /// <exception cref="EventLogException">The log refuses; polling again goes on where it was.</exception>
    public int Poll()
    {
        if (_isPast) return 0;
        _reader ??= Open();
        var total = 0;
        while (!_isPast && (_ready.IsEmpty || Interlocked.Read(ref _queuedBytes) < _queueBytesMax))
        {
            var read = _reader.Read(_batch, RecordsPerRead);
            if (read == 0) break;
            total += read;
            for (var i = 0; i < read && !_isPast; i++) Read(_batch.Value(i).Span);
        }
        return total;
    }

    /// <summary>
    /// Takes over what has been read, oldest first, until the time is up; at least one version, and none in part. Nobody may predict meanwhile.
    /// Returns how many versions were taken over.
    /// </summary>
    public int Apply(TimeSpan budget)
    {
        var (started, taken) = (Stopwatch.GetTimestamp(), 0);
        while (_ready.TryDequeue(out var update))
        {
            Interlocked.Add(ref _queuedBytes, -update.Bytes);
            if (Take(update)) taken++;
            if (Stopwatch.GetElapsedTime(started) >= budget) break;
        }
        return taken;
    }

    /// <summary>Takes over one version if it is the next; returns whether it did. Nobody may predict meanwhile.</summary>
    public bool Take(ModelUpdate update)
    {
        var head = update.Head;
        if (head.Epoch < Epoch || (head.Epoch == Epoch && head.Version <= Version)) return false;
        if (head.Kind == UpdateKind.Delta && (head.Epoch != Epoch || head.Base != Version))
        {
            Gaps++;
            IsBroken = true;
            return false;
        }
        WeightsCodec.Apply(_model.Weights, head.Kind, update.Chunks);
        (Epoch, Version, NewestMs, IsBroken) = (head.Epoch, head.Version, head.TimeMs, false);
        Applied++;
        AppliedBytes += update.Bytes;
        TakenOver?.Invoke(update);
        return true;
    }

    public void Dispose()
    {
        _reader?.Dispose();
        _model.Dispose();
    }

    /// <summary>From the newest snapshot on; from the start where none was noted, or an older version is wanted.</summary>
    private ILogReader Open()
    {
        if (_log is null) throw new InvalidOperationException("this replica reads no log");
        var partition = ModelPublisher.PartitionOf(Name, _log.PartitionCount(Topics.Models));
        if (_versionMax < long.MaxValue) return _log.OpenReader(Topics.Models, partition, 0);
        var positions = _log.CommittedAsync(ModelPublisher.GroupOf(Name), Topics.Models).AsTask().GetAwaiter().GetResult();
        var start = positions.Where(p => p.Partition == partition).Select(p => p.Offset).FirstOrDefault();
        return _log.OpenReader(Topics.Models, partition, start);
    }

    private void Read(ReadOnlySpan<byte> record)
    {
        try
        {
            var head = ModelRecordCodec.Read(record, out var payload);
            if (head.Model != Name) return;
            if (head.Version > _versionMax)
            {
                _isPast = true;
                return;
            }
            // A first piece begins a version, whatever became of the one before: its writer may have been killed.
            if (head.Chunk == 0) _chunks.Clear();
            else if (_chunks.Count == 0) return; // the rest of a version that is broken or older than this reader
            else if (head != _open with { Chunk = _chunks.Count }) throw new FormatException($"piece {head.Chunk} of version {head.Version} does not follow");
            _open = head;
            _chunks.Add(payload.ToArray());
            if (_chunks.Count < head.Chunks) return;
            var update = new ModelUpdate(head with { Chunk = 0, Chunks = 0 }, [.. _chunks]);
            _chunks.Clear();
            if (!WeightsCodec.Check(_model.Weights, update.Chunks)) throw new FormatException($"version {head.Version} is not finite");
            Interlocked.Add(ref _queuedBytes, update.Bytes);
            _ready.Enqueue(update);
        }
        catch (FormatException)
        {
            // What builds on it is not taken over either: the next snapshot mends it.
            _chunks.Clear();
            Interlocked.Increment(ref _corrupt);
        }
    }
}
