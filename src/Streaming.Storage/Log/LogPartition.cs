using System.Numerics;
using FASTER.core;
using Streaming.Core.Log;
using Streaming.Core.Settings;

namespace Streaming.Storage.Log;

/// <summary>One partition: a FasterLog, group commit over it, and its retention.</summary>
internal sealed partial class LogPartition : IDisposable
{
    private readonly string _folder;
    private readonly LogManifest _manifest;
    private readonly FileDevice _device;
    private readonly CommitFile _commits;
    private readonly FasterLog _log;
    private readonly Lock _gate = new();
    private readonly Dictionary<long, long> _newestMs = [];
    private readonly long _firstOwnSegment;
    private readonly long _memoryBytes;
    private Task _commit = Task.CompletedTask;
    private TaskCompletionSource _grown = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile bool _disposed;

    /// <exception cref="EventLogException">The folder cannot be written, or what it holds is damaged.</exception>
    public LogPartition(string folder, int number, LogManifest manifest, StorageSettings settings)
    {
        _folder = folder;
        Number = number;
        _manifest = manifest;
        ReadBytesMax = (long)settings.LogReadMbMax << 20;
        _memoryBytes = Math.Max(2L * manifest.PageBytes, (long)settings.LogMemoryMbPerPartition << 20);
        try
        {
            Directory.CreateDirectory(folder);
            _commits = new CommitFile(Path.Combine(folder, "commits"), settings.LogSync);
            _device = new FileDevice(Path.Combine(folder, "segment"), settings.LogSync, forStore: false);
            _device.RemoveLeftovers();
            _log = new FasterLog(new FasterLogSettings
            {
                LogDevice = _device,
                LogCommitManager = _commits,
                PageSize = manifest.PageBytes,
                MemorySize = _memoryBytes,
                SegmentSize = manifest.SegmentBytes,
            });
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _commits?.Dispose();
            throw FasterEventLog.CannotUse(folder, e);
        }
        catch (InvalidDataException e)
        {
            throw new EventLogException($"The event log in '{folder}' is damaged: {e.Message}. Restore it, or remove the folder to start this partition over.", e);
        }
        // FasterLog swallows whatever goes wrong in its recovery and starts empty, which would write over what is there.
        if ((_commits.Until ?? _log.TailAddress) != _log.CommittedUntilAddress)
        {
            Dispose();
            throw new EventLogException(
                $"The event log in '{folder}' is damaged: {_commits.Until} bytes are committed and cannot be read back. Restore it, or remove the folder to start this partition over.");
        }
        _firstOwnSegment = Segment(_log.TailAddress) + 1;
    }

    public int Number { get; }

    /// <summary>Bound on the bytes of one read.</summary>
    public long ReadBytesMax { get; }

    public long Earliest => _log.BeginAddress;

    /// <summary>Every record below is durable.</summary>
    public long Committed => _log.CommittedUntilAddress;

    public bool Disposed => _disposed;

    /// <summary>Completes at the next commit. Take it before looking at <see cref="Committed"/>.</summary>
    public Task Grown => Volatile.Read(ref _grown).Task;

    /// <summary>Start of the page of an address: a record always starts there.</summary>
    public long PageStart(long address) => Math.Max(Earliest, address & -_manifest.PageBytes);

    public FasterLogScanIterator Scan(long from) => _log.Scan(from, long.MaxValue, recover: false, scanBufferingMode: ScanBufferingMode.SinglePageBuffering);

    /// <summary>Puts a record into the write buffer; false when the buffer is full and has to be written out first.</summary>
    public bool TryEnqueue(LogEntry entry, out long offset)
    {
        try
        {
            return _log.TryEnqueue(new LogRecord(entry), out offset);
        }
        catch (Exception e) when (e is FasterException or CommitFailureException)
        {
            throw Failed(e);
        }
    }

    /// <summary>As <see cref="TryEnqueue"/>, waiting for room.</summary>
    public async ValueTask<long> EnqueueAsync(LogEntry entry, CancellationToken cancel)
    {
        try
        {
            return await _log.EnqueueAsync(new LogRecord(entry), cancel).ConfigureAwait(false);
        }
        catch (Exception e) when (e is FasterException or CommitFailureException)
        {
            throw Failed(e);
        }
    }

    /// <summary>Remembers the newest record time of the segments that a batch touched: retention by time goes by it.</summary>
    public void Note(long firstOffset, long lastOffset, long newestMs)
    {
        lock (_gate)
            for (var segment = Segment(firstOffset); segment <= Segment(lastOffset); segment++)
                _newestMs[segment] = Math.Max(newestMs, _newestMs.GetValueOrDefault(segment, long.MinValue));
    }

    /// <summary>
    /// Completes when everything below <paramref name="until"/> is durable. One commit runs at a time; those who come meanwhile share
    /// the next one.
    /// </summary>
    public async Task CommitAsync(long until)
    {
        while (_log.CommittedUntilAddress < until)
        {
            Task commit;
            lock (_gate)
            {
                ObjectDisposedException.ThrowIf(_disposed, this);
                if (_commit.IsCompleted) _commit = CommitNowAsync();
                commit = _commit;
            }
            await commit.ConfigureAwait(false);
        }
        if (_commits.Failure is { } failure) throw Failed(failure);
    }

    /// <summary>
    /// Removes whole segments from the front: those beyond <paramref name="bytesKept"/> and those whose newest record is older than
    /// <paramref name="oldestMs"/>, but nothing at or above <paramref name="neededFrom"/>.
    /// </summary>
    /// <param name="bytesKept">0 keeps all.</param>
    /// <param name="oldestMs"><see cref="long.MinValue"/> keeps all.</param>
    /// <param name="neededFrom">What a consumer group still has to read.</param>
    public async Task RetainAsync(long bytesKept, long oldestMs, long neededFrom)
    {
        var end = Committed;
        var begin = Earliest;
        while (true)
        {
            var segment = Segment(begin);
            var next = (segment + 1) * _manifest.SegmentBytes;
            if (next > end || next > neededFrom) break;
            var tooMuch = bytesKept > 0 && end - next >= bytesKept;
            if (!tooMuch && (oldestMs == long.MinValue || NewestMs(segment, next) >= oldestMs)) break;
            begin = next;
        }
        if (begin == Earliest) return;
        _log.TruncateUntil(begin);
        await CommitNowAsync().ConfigureAwait(false);
        lock (_gate)
            foreach (var segment in _newestMs.Keys.Where(segment => segment < Segment(begin)).ToArray()) _newestMs.Remove(segment);
    }

    public void Dispose()
    {
        lock (_gate)
        {
            if (_disposed) return;
            _disposed = true;
        }
        _log.Dispose();
        _device.Dispose();
        _commits.Dispose();
        Volatile.Read(ref _grown).TrySetResult();
    }

    private async Task CommitNowAsync()
    {
        try
        {
            await _log.CommitAsync().ConfigureAwait(false);
        }
        catch (Exception e) when (e is FasterException or CommitFailureException or ObjectDisposedException)
        {
            throw Failed(e);
        }
        Interlocked.Exchange(ref _grown, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetResult();
    }

    private EventLogException Failed(Exception e) => new(
        $"The event log cannot write to '{_folder}': {(_device.Failure ?? _commits.Failure ?? e).Message}. "
        + "Free or grow the disk, check the folder's permissions, then restart: what was acknowledged is safe.", e) { NeedsRestart = true };

    /// <summary>Newest record time of a segment; one from before this start is read through, once.</summary>
    private long NewestMs(long segment, long until)
    {
        lock (_gate)
            if (segment >= _firstOwnSegment || _newestMs.ContainsKey(~segment))
                return _newestMs.GetValueOrDefault(segment, long.MinValue);
        var newest = long.MinValue;
        var batch = new LogBatch();
        using (var reader = new PartitionReader(this, Math.Max(Earliest, segment * _manifest.SegmentBytes), TimeProvider.System))
            while (reader.Read(batch, 1024, until) > 0)
                for (var i = 0; i < batch.Count; i++) newest = Math.Max(newest, batch.TimeMs(i));
        lock (_gate)
        {
            // The complement marks a segment as read through; real numbers are never negative.
            _newestMs[~segment] = 0;
            return _newestMs[segment] = Math.Max(newest, _newestMs.GetValueOrDefault(segment, long.MinValue));
        }
    }

    private long Segment(long address) => address >> BitOperations.Log2((uint)_manifest.SegmentBytes);
}
