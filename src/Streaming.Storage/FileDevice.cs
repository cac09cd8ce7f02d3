using System.Collections.Concurrent;
using FASTER.core;
using Microsoft.Win32.SafeHandles;

namespace Streaming.Storage;

/// <summary>
/// The files under a FASTER log, one per segment (name.0, name.1, ...). FASTER's own device for Linux opens every file O_SYNC and
/// tells a failure only by a number; this one leaves syncing to a setting and keeps the exception, so that "disk full" can be said.
/// Small reads complete on the calling thread, which saves two thread switches where the page cache has the data.
/// </summary>
internal sealed class FileDevice : StorageDeviceBase
{
    private const int SectorBytes = 512;
    private const int InlineReadBytesMax = 128 * 1024;

    private readonly ConcurrentDictionary<int, SafeFileHandle> _files = new();
    private readonly Lock _opening = new();
    private readonly ReaderWriterLockSlim _rewriting = new();
    private readonly bool _sync;
    private readonly bool _forStore;
    private Exception? _failure;
    private volatile bool _disposed;

    /// <param name="path">Path of the segments without their number; the folder must exist.</param>
    /// <param name="sync">fdatasync after every write.</param>
    /// <param name="forStore">
    /// Serves FasterKV. It waits for ever for a flush that failed, so a failed write is reported as done and only noted in
    /// <see cref="Failure"/>, at which the owner looks. And at each checkpoint it deletes what that checkpoint does not need, though an
    /// older one may; so segments go only by <see cref="RemoveBelow"/>.
    /// </param>
    public FileDevice(string path, bool sync, bool forStore) : base(path, SectorBytes, Devices.CAPACITY_UNSPECIFIED)
    {
        _sync = sync;
        _forStore = forStore;
    }

    /// <summary>The first write that failed, or null.</summary>
    public Exception? Failure => Volatile.Read(ref _failure);

    public string SegmentPath(int segment) => GetSegmentFilename(FileName, segment);

    public override void WriteAsync(IntPtr sourceAddress, int segmentId, ulong destinationAddress, uint numBytesToWrite, DeviceIOCompletionCallback callback, object context) =>
        (_forStore ? FileThreads.Store : FileThreads.Log).Queue(
            new Transfer(this, true, sourceAddress, segmentId, destinationAddress, numBytesToWrite, callback, context));

    public override void ReadAsync(int segmentId, ulong sourceAddress, IntPtr destinationAddress, uint readLength, DeviceIOCompletionCallback callback, object context)
    {
        var transfer = new Transfer(this, false, destinationAddress, segmentId, sourceAddress, readLength, callback, context);
        if (readLength <= InlineReadBytesMax) transfer.Execute();
        else ThreadPool.UnsafeQueueUserWorkItem(transfer, preferLocal: false);
    }

    public override void RemoveSegmentAsync(int segment, AsyncCallback callback, IAsyncResult result)
    {
        if (!_forStore) Remove(segment);
        callback(result);
    }

    /// <summary>Deletes the segments that lie wholly below an address that nothing reads any more.</summary>
    public void RemoveBelow(long address)
    {
        foreach (var segment in SegmentsOnDisk())
            if ((segment + 1L) * SegmentSize <= address) Remove(segment);
    }

    /// <summary>
    /// Changes bytes that are written already, segment by segment: each is copied, changed and renamed into place, so that a kill leaves it as it
    /// was or as it shall be, and other links to the file keep its old content. Segments that are gone are passed over.
    /// </summary>
    /// <param name="spans">Addresses and lengths, none across segments.</param>
    /// <param name="change">Changes the bytes of one span in place.</param>
    public void Rewrite(IEnumerable<(long At, int Length)> spans, SpanChange change)
    {
        foreach (var segment in spans.GroupBy(span => (int)(span.At / SegmentSize)).OrderBy(group => group.Key)) Rewrite(segment.Key, segment, change);
    }

    /// <summary>
    /// Before what lies from an address on is written anew: files that a backup may be linked to are left to it. Nobody may have a segment open.
    /// </summary>
    public void Detach(long from)
    {
        foreach (var segment in SegmentsOnDisk().ToList())
        {
            if ((segment + 1L) * SegmentSize <= from) continue;
            if (segment * SegmentSize >= from) Remove(segment);
            else Rewrite(segment, [], static _ => { });
        }
    }

    /// <summary>Deletes what a kill in the middle of <see cref="Rewrite(IEnumerable{ValueTuple{long, int}}, SpanChange)"/> left.</summary>
    public void RemoveLeftovers()
    {
        foreach (var path in Directory.EnumerateFiles(Path.GetDirectoryName(FileName)!, Path.GetFileName(FileName) + ".*.rewritten")) File.Delete(path);
    }

    private void Rewrite(int segment, IEnumerable<(long At, int Length)> spans, SpanChange change)
    {
        var path = SegmentPath(segment);
        var next = path + ".rewritten";
        _rewriting.EnterWriteLock();
        try
        {
            try
            {
                File.Copy(path, next, overwrite: true);
            }
            catch (FileNotFoundException)
            {
                return;
            }
            var buffer = Array.Empty<byte>();
            using (var file = File.OpenHandle(next, FileMode.Open, FileAccess.ReadWrite))
            {
                foreach (var (at, length) in spans)
                {
                    if (buffer.Length < length) buffer = new byte[Math.Max(length, 1 << 16)];
                    var offset = at - segment * SegmentSize;
                    var got = RandomAccess.Read(file, buffer.AsSpan(0, length), offset);
                    if (got != length) throw new InvalidDataException($"'{path}' ends at {offset + got}, {length - got} bytes short");
                    change(buffer.AsSpan(0, length));
                    RandomAccess.Write(file, buffer.AsSpan(0, length), offset);
                }
                RandomAccess.FlushToDisk(file);
            }
            lock (_opening)
            {
                if (!File.Exists(path)) return; // removed meanwhile: it shall not come back
                File.Move(next, path, overwrite: true);
                if (_files.TryRemove(segment, out var old)) old.Dispose();
            }
        }
        finally
        {
            File.Delete(next);
            _rewriting.ExitWriteLock();
        }
    }

    /// <summary>Numbers of the segments that exist, in no particular order.</summary>
    public IEnumerable<int> SegmentsOnDisk()
    {
        var name = Path.GetFileName(FileName);
        foreach (var path in Directory.EnumerateFiles(Path.GetDirectoryName(FileName)!, name + ".*"))
            if (int.TryParse(Path.GetFileName(path.AsSpan())[(name.Length + 1)..], out var segment)) yield return segment;
    }

    /// <summary>FASTER asks for it only to learn whether a file of a checkpoint exists.</summary>
    public override long GetFileSize(int segment)
    {
        var file = new FileInfo(SegmentPath(segment));
        return file.Exists ? file.Length : 0;
    }

    public override void Dispose()
    {
        lock (_opening)
        {
            _disposed = true;
            foreach (var file in _files.Values) file.Dispose();
            _files.Clear();
        }
    }

    private void Remove(int segment)
    {
        lock (_opening)
        {
            if (_files.TryRemove(segment, out var file)) file.Dispose();
            try
            {
                File.Delete(SegmentPath(segment));
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // The space stays taken; the next pass tries again.
            }
        }
    }

    private SafeFileHandle Open(int segment, bool create)
    {
        if (_files.TryGetValue(segment, out var open)) return open;
        lock (_opening)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            return _files.GetOrAdd(segment, number => File.OpenHandle(
                SegmentPath(number), create ? FileMode.OpenOrCreate : FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete));
        }
    }

    private unsafe void Write(IntPtr source, int segment, long at, int count)
    {
        _rewriting.EnterReadLock();
        try
        {
            var file = Open(segment, create: true);
            RandomAccess.Write(file, new ReadOnlySpan<byte>((void*)source, count), at);
            if (_sync) RandomAccess.FlushToDisk(file);
        }
        finally
        {
            _rewriting.ExitReadLock();
        }
    }

    /// <summary>What lies beyond the end of the file reads as zeros, because the last sectors of a page are written only when filled.</summary>
    private unsafe void Read(IntPtr destination, int segment, long at, int count)
    {
        var file = Open(segment, create: false);
        var rest = new Span<byte>((void*)destination, count);
        while (rest.Length > 0)
        {
            var got = RandomAccess.Read(file, rest, at);
            if (got == 0) break;
            rest = rest[got..];
            at += got;
        }
        rest.Clear();
    }

    private sealed class Transfer(
        FileDevice device, bool write, IntPtr memory, int segment, ulong at, uint count, DeviceIOCompletionCallback callback, object context) : IThreadPoolWorkItem
    {
        public void Execute()
        {
            uint error = 0;
            try
            {
                if (write) device.Write(memory, segment, (long)at, (int)count);
                else ReadOnce();
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or ObjectDisposedException)
            {
                error = 1;
                if (write)
                {
                    Interlocked.CompareExchange(ref device._failure, e, null);
                    if (device._forStore) error = 0;
                }
            }
            callback(error, error == 0 ? count : 0, context);
        }

        /// <summary>A file that was rewritten between its opening and the read is opened again.</summary>
        private void ReadOnce()
        {
            while (true)
            {
                try
                {
                    device.Read(memory, segment, (long)at, (int)count);
                    return;
                }
                catch (ObjectDisposedException) when (!device._disposed)
                {
                    // Once more, with the new file.
                }
            }
        }
    }
}

/// <summary>Changes bytes in place.</summary>
internal delegate void SpanChange(Span<byte> bytes);
