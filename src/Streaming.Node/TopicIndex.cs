using Streaming.Core.Log;

namespace Streaming.Node;

/// <summary>
/// Where the newest records of a topic's partition 0 lie, 8 bytes each, so that a page of them costs a page. What the records hold is read from the
/// log each time: what is erased there is gone from here too. For one caller at a time.
/// </summary>
/// <param name="log">The log.</param>
/// <param name="topic">Of one partition.</param>
/// <param name="keptMax">Places that are kept: the newest.</param>
/// <param name="time">For the patience with a fetch.</param>
internal sealed class TopicIndex(IEventLog log, string topic, int keptMax, TimeProvider time) : IDisposable
{
    private const int ScannedMax = 100_000;
    private const int BatchRecords = 1_000;

    private readonly Queue<long> _offsets = new();
    private readonly LogBatch _batch = new();
    private ILogReader? _reader;

    /// <summary>Records that have been counted so far.</summary>
    public long Seen { get; private set; }

    public bool Contains(long offset) => _offsets.Contains(offset);

    /// <summary>Notes what has come since the last call; false where that is not yet all, as a long topic takes several calls.</summary>
    /// <param name="take">Given each new record's place in a batch, in the log's order.</param>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="EventLogException">The log does not answer.</exception>
    public async Task<bool> CatchUpAsync(Action<LogBatch, int>? take, CancellationToken cancel)
    {
        var range = await log.RangeAsync(topic, 0, cancel).ConfigureAwait(false);
        _reader ??= log.OpenReader(topic, 0, range.Earliest);
        for (var scanned = 0; scanned < ScannedMax && _reader.Offset < range.End; scanned += _batch.Count)
        {
            if (await LogPage.ReadOnceAsync(_reader, _batch, BatchRecords, range.End, time, cancel).ConfigureAwait(false) == 0) break;
            for (var i = 0; i < _batch.Count; i++)
            {
                _offsets.Enqueue(_batch.Offset(i));
                if (_offsets.Count > keptMax) _offsets.Dequeue();
                take?.Invoke(_batch, i);
            }
            Seen += _batch.Count;
        }
        // What retention has removed cannot be listed.
        while (_offsets.TryPeek(out var oldest) && oldest < range.Earliest) _offsets.Dequeue();
        return _reader.Offset >= range.End;
    }

    /// <summary>Reads a page of what was noted, in the log's order; null, or what the page behind it ends before.</summary>
    /// <param name="before">Only records before this offset.</param>
    /// <param name="limit">At most so many, the newest of them.</param>
    /// <param name="take">Given each record's place in a batch.</param>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="EventLogException">The log does not answer in time.</exception>
    public async Task<long?> ReadAsync(long before, int limit, Action<LogBatch, int> take, CancellationToken cancel)
    {
        var page = LogPage.Before(_offsets.ToArray(), before, limit, out var next);
        await LogPage.ReadAsync(log, topic, page, time, take, cancel).ConfigureAwait(false);
        return next;
    }

    public void Dispose() => _reader?.Dispose();
}
