using FASTER.core;
using Streaming.Core.Log;

namespace Streaming.Storage.Log;

/// <summary>
/// Reads one partition through one long-lived scan iterator: memory where the record still is there, else a page of the file at a
/// time.
/// </summary>
internal sealed class PartitionReader : ILogReader, ILogEntryConsumer
{
    private readonly LogPartition _partition;
    private readonly TimeProvider _time;
    private FasterLogScanIterator? _scan;
    private LogBatch? _batch;
    private long _until;
    private long _bytes;
    private bool _corrupt;
    private bool _seeking;
    private long _lastOffset;

    // A record that the iterator has handed out although it lies at or above the bound of that read: kept for the next one.
    private byte[] _heldBytes = [];
    private int _heldLength;
    private long _heldOffset = -1;
    private long _heldNext;

    /// <exception cref="EventLogException">The offset is beyond the end, or in the middle of a record.</exception>
    public PartitionReader(LogPartition partition, long offset, TimeProvider time)
    {
        _partition = partition;
        _time = time;
        Offset = Math.Max(offset, partition.Earliest);
        if (Offset > partition.Committed)
            throw new EventLogException(
                $"Offset {offset} is beyond the end {partition.Committed} of partition {partition.Number}. Was the log replaced? Reset the group's position, or read from offset 0.");
        try
        {
            _scan = Seek(Offset);
        }
        catch (FasterException e)
        {
            throw Unreadable(e);
        }
    }

    public long Offset { get; private set; }

    public int Read(LogBatch batch, int recordsMax, long untilOffset = long.MaxValue)
    {
        ObjectDisposedException.ThrowIf(_partition.Disposed, this);
        batch.Clear(_partition.Number, Offset);
        _batch = batch;
        _until = untilOffset;
        _bytes = 0;
        _corrupt = false;
        if (!TakeHeld()) return 0;
        try
        {
            _scan ??= Seek(Math.Max(Offset, _partition.Earliest));
            while (batch.Count < recordsMax && _bytes < _partition.ReadBytesMax && _heldOffset < 0 && !_corrupt && _scan.NextAddress < untilOffset)
                if (!_scan.TryConsumeNext(this)) break;
        }
        catch (FasterException e)
        {
            Restart();
            if (Offset >= _partition.Earliest && batch.Count == 0) throw Unreadable(e);
        }
        if (!_corrupt) return batch.Count;
        Restart();
        return batch.Count > 0 ? batch.Count : throw Unreadable(null);
    }

    public async ValueTask WaitAsync(TimeSpan timeout, CancellationToken cancel = default)
    {
        var grown = _partition.Grown;
        if (_heldOffset >= 0 || _partition.Disposed || (_scan?.NextAddress ?? Offset) < _partition.Committed) return;
        await grown.WaitAsync(timeout, _time, cancel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        cancel.ThrowIfCancellationRequested();
    }

    public void Dispose() => Restart();

    /// <summary>Called by FASTER with its epoch held: copies, and must not throw.</summary>
    void ILogEntryConsumer.Consume(ReadOnlySpan<byte> entry, long currentAddress, long nextAddress)
    {
        _lastOffset = currentAddress;
        if (_seeking) return;
        if (currentAddress >= _until) Hold(entry, currentAddress, nextAddress);
        else Take(entry, currentAddress, nextAddress);
    }

    private void Take(ReadOnlySpan<byte> stored, long offset, long next)
    {
        if (_partition.IsErasedInMemory(offset) || LogRecord.IsErased(stored))
        {
            Offset = next;
            return;
        }
        if (!LogRecord.TryParse(stored, out var timeMs, out var key, out var value))
        {
            _corrupt = true;
            return;
        }
        _batch!.Add(offset, next, timeMs, key, value);
        _bytes += stored.Length;
        Offset = next;
    }

    private void Hold(ReadOnlySpan<byte> entry, long offset, long next)
    {
        if (_heldBytes.Length < entry.Length) _heldBytes = new byte[Math.Max(entry.Length, 1024)];
        entry.CopyTo(_heldBytes);
        _heldLength = entry.Length;
        _heldOffset = offset;
        _heldNext = next;
    }

    /// <summary>Moves the record held back into the batch; false when it is still at or above the bound.</summary>
    private bool TakeHeld()
    {
        if (_heldOffset < 0) return true;
        if (_heldOffset >= _until) return false;
        Take(_heldBytes.AsSpan(0, _heldLength), _heldOffset, _heldNext);
        _heldOffset = -1;
        return true;
    }

    /// <summary>
    /// An iterator that stands at an offset. Any number may be asked for, and FASTER would take the bytes there for a header; so the
    /// records of the page are walked from its start, where one always begins.
    /// </summary>
    private FasterLogScanIterator Seek(long offset)
    {
        var scan = _partition.Scan(offset == _partition.Committed ? offset : _partition.PageStart(offset));
        _seeking = true;
        _lastOffset = -1;
        try
        {
            while (scan.NextAddress < offset && scan.TryConsumeNext(this))
                if (scan.NextAddress > offset && _lastOffset < offset)
                    throw new EventLogException(
                        $"Offset {offset} of partition {_partition.Number} is in the middle of a record, which starts at {_lastOffset} and ends at {scan.NextAddress}.");
        }
        catch
        {
            scan.Dispose();
            throw;
        }
        finally
        {
            _seeking = false;
        }
        if (_lastOffset < offset) return scan;
        // The offset lies in the unused end of a page: the next record starts the following page.
        scan.Dispose();
        return _partition.Scan(_lastOffset);
    }

    private void Restart()
    {
        _scan?.Dispose();
        _scan = null;
        _heldOffset = -1;
    }

    private EventLogException Unreadable(Exception? e) => new(
        $"Partition {_partition.Number} cannot be read at offset {Offset}: the record there is damaged. Restore the log from a copy, or skip it by setting the group's position past it.", e);
}
