using System.Text;
using FASTER.core;
using Microsoft.Win32.SafeHandles;
using Streaming.Core.Ids;
using Streaming.Core.Threads;

namespace Streaming.Storage.State;

/// <summary>
/// Overwriting what deletions and replacements leave in the files. FasterKV only ever appends: an older version of a record stays where it is,
/// key and all, until compaction reaches it and its file goes.
/// </summary>
internal sealed partial class HybridStore
{
    private const int SectorBytes = 512;
    private static readonly byte[] FillerKey = "\0filler"u8.ToArray();
    private volatile bool _padWanted;

    /// <summary>A version of a record in the files.</summary>
    private readonly record struct Version(long At, int Length, bool IsTombstone);

    private sealed class Versions(string? user)
    {
        /// <summary>Null for a record of the owner's own.</summary>
        public string? User { get; } = user;

        /// <summary>In the order of addresses, so the last is the one that counts.</summary>
        public List<Version> All { get; } = [];
    }

    /// <inheritdoc cref="Core.Ports.IErasableStore.EraseAsync"/>
    public async Task<bool> EraseAsync(IReadOnlyCollection<string> users, Action<string> erased, bool ownRecordsToo, CancellationToken cancel)
    {
        if (Bound() is not { } bound) return false;
        var dead = new List<(Version Version, string? User)>();
        foreach (var versions in Collect(users, ownRecordsToo, bound.Until, cancel))
        {
            var kept = versions.All[^1].IsTombstone ? 0 : 1;
            dead.AddRange(versions.All.Take(versions.All.Count - kept).Select(version => (version, versions.User)));
        }
        // Older ones first and one file at a time, each without compaction beside it: it must find no old version whose tombstone is gone.
        foreach (var segment in dead.GroupBy(d => d.Version.At / _device.SegmentSize).OrderBy(g => g.Key))
        {
            await _checkpointing.WaitAsync(cancel).ConfigureAwait(false);
            try
            {
                _device.Rewrite(segment.OrderBy(d => d.Version.At).Select(d => (d.Version.At, d.Version.Length)), Erase);
            }
            finally
            {
                _checkpointing.Release();
            }
            foreach (var (_, user) in segment)
                if (user is not null) erased(user);
        }
        _padWanted = !bound.IsAll;
        return bound.IsAll;
    }

    /// <summary>
    /// Up to where versions that are not the last one of their key are of no more use: the end of the oldest kept checkpoint. The sector in which
    /// the newest one ends is written again from memory.
    /// </summary>
    private (long Until, bool IsAll)? Bound()
    {
        var manifests = new List<CheckpointManifest>();
        foreach (var token in CheckpointManifest.Tokens(_checkpoints).ToArray())
        {
            try
            {
                manifests.Add(CheckpointManifest.Parse(File.ReadAllBytes(CheckpointManifest.PathOf(_checkpoints, token))));
            }
            catch (FileNotFoundException)
            {
                // Pruned meanwhile.
            }
        }
        if (manifests.Count == 0) return null;
        var oldest = manifests.Min(m => m.Tail);
        var written = manifests.Max(m => m.Tail) & -SectorBytes;
        return (Math.Min(oldest, written), oldest <= written);
    }

    private void PadIfWanted()
    {
        if (!_padWanted) return;
        _padWanted = false;
        using var session = new HybridSession(this, _kv);
        session.Upsert(FillerKey, new byte[2 * SectorBytes]);
    }

    private IEnumerable<Versions> Collect(IReadOnlyCollection<string> users, bool ownRecordsToo, long until, CancellationToken cancel)
    {
        var byKey = new Dictionary<ulong, Versions>();
        foreach (var user in users) byKey[StableHash.Of(Encoding.UTF8.GetBytes(user))] = new Versions(user);
        var pageBytes = _settings.PageKb << 10;
        var page = new byte[pageBytes];
        using var files = new Segments(_device);
        for (var at = _kv.Log.BeginAddress; at < until; at = (at / pageBytes + 1) * pageBytes)
        {
            cancel.ThrowIfCancellationRequested();
            var start = at / pageBytes * pageBytes;
            if (!files.TryRead(start, page)) continue;
            var end = (int)Math.Min(pageBytes, until - start);
            foreach (var record in StoredRecord.Walk(page.AsMemory(0, pageBytes), (int)(at - start), end))
            {
                var key = page.AsSpan(record.KeyAt, record.KeyLength);
                var hash = StableHash.Of(key);
                if (!byKey.TryGetValue(hash, out var versions))
                {
                    if (!ownRecordsToo || key.IsEmpty || key[0] != 0) continue;
                    byKey[hash] = versions = new Versions(null);
                }
                else if (versions.User is { } user && !key.SequenceEqual(Encoding.UTF8.GetBytes(user))) continue;
                versions.All.Add(new Version(start + record.At, record.Length, record.IsTombstone));
            }
            BackgroundThread.StandBack();
        }
        return byKey.Values.Where(v => v.All.Count > 0);
    }

    private static void Erase(Span<byte> record)
    {
        if (!StoredRecord.TryErase(record)) throw new InvalidDataException("the file does not hold the record that was found there");
    }

    /// <summary>The log's files, read beside FASTER.</summary>
    private sealed class Segments(FileDevice device) : IDisposable
    {
        private SafeFileHandle? _file;
        private long _open = -1;

        /// <summary>False when the file is gone; what lies beyond its end reads as zeros.</summary>
        public bool TryRead(long at, Span<byte> into)
        {
            var segment = at / device.SegmentSize;
            if (segment != _open)
            {
                _file?.Dispose();
                (_file, _open) = (null, segment);
                try
                {
                    _file = File.OpenHandle(device.SegmentPath((int)segment), FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
                }
                catch (FileNotFoundException)
                {
                    // Compaction went past it.
                }
            }
            if (_file is null) return false;
            var got = 0;
            while (got < into.Length && RandomAccess.Read(_file, into[got..], at - segment * device.SegmentSize + got) is > 0 and var more) got += more;
            into[got..].Clear();
            return true;
        }

        public void Dispose() => _file?.Dispose();
    }
}
