using FASTER.core;
using Streaming.Core.Log;
using Streaming.Core.Threads;

namespace Streaming.Storage.Log;

/// <summary>Overwriting records for good.</summary>
internal sealed partial class LogPartition
{
    /// <summary>FasterLog's own header of a record: its length.</summary>
    private const int LengthBytes = 4;

    private const int SectorBytes = 512;

    /// <summary>Records that are erased in the file, but not in the write buffer, from which FasterLog still reads them.</summary>
    private readonly HashSet<long> _erasedInMemory = [];
    private volatile bool _anyErasedInMemory;

    /// <summary>Whether a record was erased that may still be read from memory.</summary>
    public bool IsErasedInMemory(long offset)
    {
        if (!_anyErasedInMemory) return false;
        lock (_erasedInMemory) return _erasedInMemory.Contains(offset);
    }

    /// <inheritdoc cref="Core.Ports.IErasableLog.EraseAsync"/>
    public async Task<bool> EraseAsync(long until, long neededFrom, Func<LogBatch, int, bool> which, bool mayFill, CancellationToken cancel)
    {
        // FasterLog writes the sector in which it ends again and again, from memory: only what lies before it stays as it is put.
        if (mayFill && SectorStart(Committed) < Math.Min(until, neededFrom)) await PadAsync(cancel).ConfigureAwait(false);
        var bound = Math.Min(Math.Min(until, neededFrom), SectorStart(Committed));
        var spans = new List<(long At, int Length)>();
        var batch = new LogBatch();
        using (var reader = new PartitionReader(this, Earliest, TimeProvider.System))
            while (reader.Read(batch, 1024, bound) > 0)
            {
                cancel.ThrowIfCancellationRequested();
                for (var i = 0; i < batch.Count; i++)
                {
                    var stored = LengthBytes + new LogRecord(new LogEntry(batch.Key(i), batch.Value(i), batch.TimeMs(i))).SerializedLength;
                    if (batch.Offset(i) + stored <= bound && which(batch, i)) spans.Add((batch.Offset(i), stored));
                }
                BackgroundThread.StandBack();
            }
        _device.Rewrite(spans, Erase);
        lock (_erasedInMemory)
        {
            _erasedInMemory.UnionWith(spans.Select(span => span.At));
            _erasedInMemory.RemoveWhere(offset => offset < _log.TailAddress - 2 * _memoryBytes);
            _anyErasedInMemory = _erasedInMemory.Count > 0;
        }
        return bound >= until;
    }

    private static void Erase(Span<byte> bytes)
    {
        var record = bytes[LengthBytes..];
        if (BitConverter.ToInt32(bytes) != record.Length || !(LogRecord.TryParse(record, out _, out _, out _) || LogRecord.IsErased(record)))
            throw new InvalidDataException("the file does not hold the record that the log has read there");
        LogRecord.Erase(record);
    }

    /// <summary>Moves the end into another sector.</summary>
    private async Task PadAsync(CancellationToken cancel)
    {
        try
        {
            var offset = await _log.EnqueueAsync(LogRecord.Filler(SectorBytes), cancel).ConfigureAwait(false);
            await CommitAsync(offset + 1).ConfigureAwait(false);
        }
        catch (Exception e) when (e is FasterException or CommitFailureException)
        {
            throw Failed(e);
        }
    }

    private static long SectorStart(long address) => address & -SectorBytes;
}
