using FASTER.core;
using Streaming.Core.Settings;

namespace Streaming.Storage.State;

/// <summary>
/// FasterKV from bytes to bytes with checkpoints that say when they are damaged, pruning, and a log that stays bounded. What the
/// state store and the cache of lists have in common.
/// </summary>
/// <remarks>
/// A checkpoint folds over: it flushes what changed since the last one and leaves it in the log, so it costs what changed. The hash
/// table is written only when the log has grown enough; recovery replays the rest of the log into it.
/// </remarks>
internal sealed partial class HybridStore : IDisposable
{
    /// <summary>Room that FASTER's record header, lengths and alignment take of a page.</summary>
    private const int RecordOverheadBytes = 192;

    private readonly HybridStoreSettings _settings;
    private readonly string _checkpoints;
    private readonly SemaphoreSlim _checkpointing = new(1);
    private readonly Lock _gate = new();
    private FileDevice _device = null!;
    private CheckpointFiles _files = null!;
    private DeviceLogCommitCheckpointManager _manager = null!;
    private FasterKV<SpanByte, SpanByte> _kv = null!;
    private bool _recovered;
    private bool _opened;
    private bool _disposed;
    private Exception? _failure;
    private long _lastToken;
    private Guid _index;
    private long _indexTail;
    private long _compactAt;
    private long _compactTarget;
    private long _compactLive;
    private long _checkpointTail;

    /// <exception cref="IOException">The folder cannot be written.</exception>
    public HybridStore(string folder, HybridStoreSettings settings)
    {
        Folder = Path.GetFullPath(folder);
        _settings = settings;
        _checkpoints = Path.Combine(Folder, "checkpoints");
        RecordBytesMax = (settings.PageKb << 10) - RecordOverheadBytes;
        _compactAt = (long)settings.CompactAtMb << 20;
        Directory.CreateDirectory(_checkpoints);
        Create();
    }

    public string Folder { get; }

    /// <summary>Largest key and value together, bytes.</summary>
    public int RecordBytesMax { get; }

    /// <summary>Bytes of log, live and dead, in memory and on disk.</summary>
    public long LogBytes => _kv.Log.TailAddress - _kv.Log.BeginAddress;

    public HybridSession OpenSession()
    {
        Open();
        return new HybridSession(this, _kv);
    }

    /// <exception cref="IOException">A write failed, now or before: what is in memory no longer reaches the disk.</exception>
    public void ThrowIfFailed()
    {
        if ((_failure ?? _device.Failure) is { } e)
            throw new IOException($"The store in '{Folder}' cannot be written: {e.Message} Free or grow the disk and restart: the last checkpoint is safe.", e);
    }

    public async Task<string> CheckpointAsync(CancellationToken cancel)
    {
        await _checkpointing.WaitAsync(cancel).ConfigureAwait(false);
        try
        {
            Open();
            ThrowIfFailed();
            PadIfWanted();
            var compacted = Compact();
            if (compacted || _index == Guid.Empty || _kv.Log.TailAddress - _indexTail > (long)_settings.IndexCheckpointMb << 20)
            {
                // From here on it cannot be cancelled: FASTER would be left in the middle of its state machine.
                _index = Started(await _kv.TakeIndexCheckpointAsync(CancellationToken.None).ConfigureAwait(false));
                _indexTail = _kv.Log.TailAddress;
            }
            var log = Started(await _kv.TakeHybridLogCheckpointAsync(CheckpointType.FoldOver, cancellationToken: CancellationToken.None).ConfigureAwait(false));
            _failure ??= _files.TakeFailure();
            ThrowIfFailed();
            _checkpointTail = _kv.Log.TailAddress;
            return WriteManifest(log);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new IOException(e.Message, e);
        }
        finally
        {
            _checkpointing.Release();
        }
    }

    public Task RecoverAsync(string token, CancellationToken cancel) => Task.Run(() => Recover(token, cancel), CancellationToken.None);

    private void Recover(string token, CancellationToken cancel)
    {
        lock (_gate)
            if (_opened) throw new InvalidOperationException("Recover before a session is opened: what is in memory would be lost.");
        var manifest = CheckpointManifest.ReadAndVerify(_checkpoints, token);
        VerifySegments(token, manifest);
        cancel.ThrowIfCancellationRequested();
        Recreate();
        // The log beyond this checkpoint will be written over, so the checkpoints after it are no longer what they were.
        var newer = CheckpointManifest.Tokens(_checkpoints).Where(other => other != token && NumberOf(other) >= NumberOf(token)).ToArray();
        if (newer.Length > 0) _device.Detach(manifest.Tail);
        try
        {
            // Not RecoverAsync: its count-down of overflow pages never ends when it starts at none. No page beyond what the index needs is read: to fill the
            // memory again is what makes a start long, and values come from the disk until they are written anew.
            _kv.Recover(manifest.Index, manifest.Log, numPagesToPreload: 0);
        }
        catch (Exception e)
        {
            Recreate();
            throw new InvalidDataException($"Checkpoint '{token}' in '{Folder}' cannot be used: {e.Message}", e);
        }
        _recovered = true;
        _index = manifest.Index;
        _indexTail = _checkpointTail = manifest.Tail;
        _lastToken = NumberOf(token);
        foreach (var other in newer) File.Delete(CheckpointManifest.PathOf(_checkpoints, other));
    }

    public void Prune(IReadOnlyCollection<string> keep)
    {
        var needed = new HashSet<Guid>();
        var begin = _kv.Log.BeginAddress;
        foreach (var token in CheckpointManifest.Tokens(_checkpoints).ToArray())
        {
            var path = CheckpointManifest.PathOf(_checkpoints, token);
            if (!keep.Contains(token))
            {
                File.Delete(path);
                continue;
            }
            var manifest = CheckpointManifest.Parse(File.ReadAllBytes(path));
            needed.Add(manifest.Index);
            needed.Add(manifest.Log);
            begin = Math.Min(begin, manifest.Begin);
        }
        // The index may be named by the next checkpoint too.
        needed.Add(_index);
        foreach (var kind in Directory.EnumerateDirectories(_checkpoints))
            foreach (var folder in Directory.EnumerateDirectories(kind))
                if (Guid.TryParse(Path.GetFileName(folder.AsSpan()), out var id) && !needed.Contains(id)) Directory.Delete(folder, recursive: true);
        _device.RemoveBelow(begin);
    }

    public void Dispose()
    {
        if (_disposed) return;
        _disposed = true;
        Close();
    }

    /// <summary>Tokens of earlier builds are the number alone.</summary>
    private static long NumberOf(string token) => long.TryParse(token.AsSpan(0, Math.Min(10, token.Length)), out var number) ? number : 0;

    private static Guid Started((bool Success, Guid Token) taken) =>
        taken.Success ? taken.Token : throw new InvalidOperationException("another checkpoint is under way");

    private void Create()
    {
        _device = new FileDevice(Path.Combine(Folder, "log"), sync: false, forStore: true);
        _device.RemoveLeftovers();
        _files = new CheckpointFiles(_checkpoints);
        _manager = new DeviceLogCommitCheckpointManager(_files, new DefaultCheckpointNamingScheme(_checkpoints), removeOutdated: false);
        _kv = new FasterKV<SpanByte, SpanByte>(new FasterKVSettings<SpanByte, SpanByte>
        {
            LogDevice = _device,
            CheckpointManager = _manager,
            RemoveOutdatedCheckpoints = false,
            IndexSize = (long)_settings.IndexMb << 20,
            MemorySize = (long)_settings.MemoryMb << 20,
            PageSize = (long)_settings.PageKb << 10,
            SegmentSize = (long)_settings.SegmentMb << 20,
            ConcurrencyControlMode = ConcurrencyControlMode.RecordIsolation,
        });
    }

    private void Close()
    {
        _kv.Dispose();
        _manager.Dispose();
        _device.Dispose();
    }

    /// <summary>An empty table again: a recovery that failed leaves half of one.</summary>
    private void Recreate()
    {
        Close();
        Create();
    }

    /// <summary>Before the first write of a store that was not recovered: what an earlier life left would be written over bit by bit, so it goes.</summary>
    private void Open()
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (_opened) return;
            _opened = true;
            if (_recovered) return;
            Directory.Delete(_checkpoints, recursive: true);
            Directory.CreateDirectory(_checkpoints);
            _device.RemoveBelow(long.MaxValue);
        }
    }

    private string WriteManifest(Guid log)
    {
        var files = new List<CheckpointManifest.Part>();
        foreach (var kind in Directory.EnumerateDirectories(_checkpoints))
            foreach (var id in (Guid[])[_index, log])
                if (Path.Combine(kind, id.ToString()) is var folder && Directory.Exists(folder))
                    foreach (var path in Directory.EnumerateFiles(folder).Order(StringComparer.Ordinal))
                    {
                        var (length, crc) = CheckpointFiles.Sum(path);
                        files.Add(new CheckpointManifest.Part(Path.GetRelativePath(_checkpoints, path), length, crc));
                    }
        // After a recovery numbers are given out again, and a power cut may bring back who knows an old one by its number: the rest of the
        // token tells the two apart.
        var token = $"{++_lastToken:d10}-{log.ToString("N")[..12]}";
        var manifest = new CheckpointManifest(_index, log, _kv.Log.BeginAddress, _kv.Log.TailAddress, files);
        AtomicFile.Write(CheckpointManifest.PathOf(_checkpoints, token), manifest.ToBytes(), sync: false);
        return token;
    }

    /// <summary>The log itself is too large to sum at every checkpoint; that its files are there and long enough is checked here, each value when it is read.</summary>
    private void VerifySegments(string token, CheckpointManifest manifest)
    {
        if (manifest.Begin == manifest.Tail) return;
        var segmentBytes = (long)_settings.SegmentMb << 20;
        for (var segment = manifest.Begin / segmentBytes; segment * segmentBytes < manifest.Tail; segment++)
        {
            var needed = Math.Min(manifest.Tail - segment * segmentBytes, segmentBytes - (_settings.PageKb << 10));
            var file = new FileInfo(_device.SegmentPath((int)segment));
            if (!file.Exists || file.Length < needed)
                throw new InvalidDataException($"Checkpoint '{token}' in '{Folder}' cannot be used: '{file.Name}' has {(file.Exists ? file.Length : 0)} of {needed} bytes");
        }
    }

    /// <summary>
    /// Copies what is live at the front of the log to its end, a piece per checkpoint, once the log has outgrown its bound. The piece
    /// is bounded, but never smaller than twice what was written meanwhile: else it would not catch up. The files go when no kept
    /// checkpoint needs them (<see cref="Prune"/>).
    /// </summary>
    private bool Compact()
    {
        var log = _kv.Log;
        if (_compactTarget == 0)
        {
            if (LogBytes <= _compactAt) return false;
            _compactTarget = PageStart(log.SafeReadOnlyAddress);
            _compactLive = 0;
        }
        // Whole pages only: FASTER reads no further than asked, and would copy a record that reaches beyond with its end missing.
        var piece = Math.Max((long)_settings.CompactMbMax << 20, 2 * (log.TailAddress - _checkpointTail));
        var until = Math.Min(PageStart(log.BeginAddress + piece), _compactTarget);
        if (until > log.BeginAddress)
        {
            var tail = log.TailAddress;
            log.Compact<SpanByte, ValueSink, Empty, StoreFunctions>(new StoreFunctions(), until, CompactionType.Lookup);
            _compactLive += log.TailAddress - tail;
        }
        if (log.BeginAddress < _compactTarget) return true;
        _compactTarget = 0;
        _compactAt = Math.Max((long)_settings.CompactAtMb << 20, 2 * _compactLive);
        return true;
    }

    private long PageStart(long address) => address & -((long)_settings.PageKb << 10);
}
