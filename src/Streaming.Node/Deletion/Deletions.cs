using System.Text.Json;
using Streaming.Core.Log;
using Streaming.Core.Ports;
using Streaming.Core.Threads;
using Streaming.Core.Wire;

namespace Streaming.Node.Deletion;

/// <summary>
/// Follows deletions from the actor to the last byte. A deletion is applied at once; the records that hold the user stay on the disk until every
/// kept checkpoint is one without the user, because the older ones rest on them. Then they are overwritten (<see cref="Eraser"/>), and a receipt
/// says so. What is pending is saved with each checkpoint, so a crash repeats work and forgets none.
/// </summary>
internal sealed class Deletions : IAsyncDisposable
{
    private const int Version = 1;
    private const int QuickRetriesMax = 5;

    private static readonly JsonSerializerOptions Json = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower, WriteIndented = true };

    private readonly NodeParts _parts;
    private readonly string? _folder;
    private readonly Eraser _eraser;
    private readonly Lock _gate = new();
    private readonly Dictionary<string, PendingDeletion> _pending = new(StringComparer.Ordinal);
    private readonly CancellationTokenSource _stop = new();
    private Task _erasing = Task.CompletedTask;
    private long? _lastRun;
    private int _retries;
    private bool _changed;

    private sealed record PendingFile(int Version, IReadOnlyList<PendingDeletion> Deletions);

    /// <param name="parts">Without a folder for it, deletions are applied and neither followed to the disk nor kept on record.</param>
    public Deletions(NodeParts parts)
    {
        _parts = parts;
        _folder = parts.DeletionsDir is null ? null : Path.GetFullPath(parts.DeletionsDir);
        _eraser = new Eraser(parts);
    }

    /// <summary>Deletions that are not complete.</summary>
    public int Count
    {
        get
        {
            lock (_gate) return _pending.Count;
        }
    }

    /// <summary>Reads what was pending. What a checkpoint knew that is not the one restored, or newer, it knows again when it has come as far.</summary>
    /// <exception cref="InvalidDataException">The file is damaged.</exception>
    public void Load(long restoredCheckpoint)
    {
        if (_folder is null || !File.Exists(PendingPath)) return;
        try
        {
            var file = JsonSerializer.Deserialize<PendingFile>(File.ReadAllBytes(PendingPath), Json);
            if (file is null || file.Version != Version) throw new InvalidDataException($"it has version {file?.Version}; this build reads {Version}");
            lock (_gate)
                foreach (var deletion in file.Deletions)
                    _pending[deletion.User] = deletion.Checkpoint > restoredCheckpoint ? deletion with { Checkpoint = 0 } : deletion;
        }
        catch (Exception problem) when (problem is JsonException or InvalidDataException)
        {
            throw new InvalidDataException($"'{PendingPath}' cannot be read ({problem.Message}); restore it, or remove it and delete the users again that it names", problem);
        }
    }

    /// <summary>Told by the actors, from their threads.</summary>
    /// <param name="user">Who.</param>
    /// <param name="source">The record.</param>
    /// <param name="timeMs">Its time.</param>
    /// <param name="isDeletion">False for a late event from before the deletion.</param>
    public void Add(string user, LogPosition source, long timeMs, bool isDeletion)
    {
        if (_folder is null) return;
        lock (_gate)
        {
            _pending.TryGetValue(user, out var before);
            // After a crash the same records are applied again.
            if (before is not null && before.Checkpoint == 0 && source.Offset <= before.LastOffset) return;
            _pending[user] = new PendingDeletion
            {
                User = user, Partition = source.Partition,
                DeletedOffset = isDeletion ? source.Offset : before?.DeletedOffset ?? -1,
                LastOffset = source.Offset,
                TimeMs = Math.Max(timeMs, before?.TimeMs ?? long.MinValue),
                AppliedMs = before?.AppliedMs ?? _parts.Time.GetUtcNow().ToUnixTimeMilliseconds(),
                Erased = before?.Erased ?? Find(user)?.Removed ?? new ErasedCounts(),
            };
            _changed = true;
        }
    }

    /// <summary>Before a checkpoint counts: notes where the topics end, and saves what is pending.</summary>
    public void OnCheckpoint(long id, long[] events)
    {
        lock (_gate)
        {
            foreach (var deletion in _pending.Values.Where(d => d.Checkpoint == 0).ToList())
            {
                var isErasable = _parts.Log is IErasableLog;
                _pending[deletion.User] = deletion with
                {
                    Checkpoint = id, EventsEnd = events[deletion.Partition],
                    ExamplesEnd = isErasable ? EndOf(Topics.Examples, deletion.Partition) : 0, DeadLettersEnd = isErasable ? EndOf(Topics.DeadLetter, 0) : 0,
                };
                _changed = true;
            }
            if (_changed) Save();
        }
    }

    /// <summary>After a checkpoint: overwrites, on a thread of its own, what no kept checkpoint needs any more.</summary>
    /// <param name="oldestCheckpoint">The oldest one kept.</param>
    public void EraseWhatIsDue(long oldestCheckpoint)
    {
        if (!_erasing.IsCompleted || _stop.IsCancellationRequested) return;
        var interval = TimeSpan.FromMilliseconds(_parts.Settings.Node.ErasureIntervalMs);
        if (_lastRun is { } last && _parts.Time.GetElapsedTime(last) < interval) return;
        List<PendingDeletion> due;
        lock (_gate) due = [.. _pending.Values.Where(d => d.Checkpoint > 0 && d.Checkpoint <= oldestCheckpoint)];
        if (due.Count == 0) return;
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _erasing = done.Task;
        BackgroundThread.Start("erasure", BackgroundThread.Idle, () =>
        {
            Erase(due);
            done.SetResult();
        });
    }

    /// <summary>The receipt of a user's deletion, or how far it has come; null when none is on record.</summary>
    public DeletionReceipt? Find(string user)
    {
        if (_folder is null) return null;
        lock (_gate)
            if (_pending.TryGetValue(user, out var pending)) return ReceiptOf(pending, "pending", 0);
        try
        {
            return JsonSerializer.Deserialize<DeletionReceipt>(File.ReadAllBytes(ReceiptPath(DeletionReceipt.HashOf(user))), Json);
        }
        catch (Exception problem) when (problem is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _erasing;
        _stop.Dispose();
    }

    private string PendingPath => Path.Combine(_folder!, "pending.json");

    private string ReceiptPath(string hash) => Path.Combine(_folder!, hash + ".json");

    private long EndOf(string topic, int partition) => _parts.Threads.Block(_parts.Log.RangeAsync(topic, partition).AsTask()).End;

    private void Erase(List<PendingDeletion> due)
    {
        try
        {
            var (after, isComplete) = _eraser.EraseAsync(due, _stop.Token).GetAwaiter().GetResult();
            Settle(due, after, isComplete);
            // What had to wait for the next checkpoint gets it soon; what waits longer is not looked for all the time.
            _lastRun = isComplete || ++_retries > QuickRetriesMax ? _parts.Time.GetTimestamp() : null;
            if (isComplete) _retries = 0;
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // The next start goes on.
        }
        catch (Exception problem) when (problem is not OutOfMemoryException)
        {
            _lastRun = _parts.Time.GetTimestamp();
            _parts.Notice(new NodeNotice(NoticeLevel.Error, $"deleted users are still on the disk: {problem.Message} It is tried again after Node:ErasureIntervalMs.", problem));
        }
    }

    private void Settle(List<PendingDeletion> due, IReadOnlyList<PendingDeletion> after, bool isComplete)
    {
        var now = _parts.Time.GetUtcNow().ToUnixTimeMilliseconds();
        lock (_gate)
        {
            for (var i = 0; i < due.Count; i++)
            {
                // Deleted once more meanwhile: that one has its own way to go.
                var isSame = _pending.TryGetValue(due[i].User, out var now1) && now1.LastOffset == due[i].LastOffset;
                if (!isSame) continue;
                _pending[due[i].User] = after[i];
                if (!isComplete) continue;
                WriteAtomically(ReceiptPath(DeletionReceipt.HashOf(after[i].User)), JsonSerializer.SerializeToUtf8Bytes(ReceiptOf(after[i], "complete", now), Json));
                _pending.Remove(due[i].User);
            }
            Save();
        }
        if (!isComplete) return;
        _parts.Notice(new NodeNotice(NoticeLevel.Info, $"{due.Count} deleted users are gone from the disk"));
        RemoveOldReceipts(now);
    }

    private DeletionReceipt ReceiptOf(PendingDeletion deletion, string state, long completedMs) => new()
    {
        UserSha256 = DeletionReceipt.HashOf(deletion.User), Position = new LogPosition(deletion.Partition, Math.Max(deletion.DeletedOffset, 0)).ToString(),
        DeletedMs = deletion.TimeMs, AppliedMs = deletion.AppliedMs, State = state, Checkpoint = deletion.Checkpoint, CompletedMs = completedMs,
        Removed = deletion.Erased, Remains = _eraser.Remains,
    };

    private void RemoveOldReceipts(long nowMs)
    {
        var oldest = DateTimeOffset.FromUnixTimeMilliseconds(nowMs).AddDays(-_parts.Settings.Node.DeletionReceiptDays).UtcDateTime;
        foreach (var path in Directory.EnumerateFiles(_folder!, "*.json").Where(path => path != PendingPath && File.GetLastWriteTimeUtc(path) < oldest).ToList()) File.Delete(path);
    }

    /// <summary>Under the gate.</summary>
    private void Save()
    {
        WriteAtomically(PendingPath, JsonSerializer.SerializeToUtf8Bytes(new PendingFile(Version, [.. _pending.Values]), Json));
        _changed = false;
    }

    private void WriteAtomically(string path, byte[] content)
    {
        Directory.CreateDirectory(_folder!);
        var next = path + ".next";
        using (var stream = new FileStream(next, FileMode.Create, FileAccess.Write))
        {
            stream.Write(content);
            stream.Flush(flushToDisk: true);
        }
        File.Move(next, path, overwrite: true);
    }
}
