using Streaming.Core.Log;

namespace Streaming.Node;

/// <summary>
/// Pages of a partition, newest first, for who knows where its records lie: a page costs a page, however long the topic is, and what is appended meanwhile
/// moves nothing on the pages behind it.
/// </summary>
internal static class LogPage
{
    private const int BatchRecords = 1_000;

    /// <summary>How long a reader on Kafka may take to fetch what is there.</summary>
    private static readonly TimeSpan FetchPatience = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan FetchWait = TimeSpan.FromMilliseconds(50);

    /// <summary>The last of ascending offsets that lie before one.</summary>
    /// <param name="offsets">Ascending.</param>
    /// <param name="before">Where the page before this one ended; need not be among them.</param>
    /// <param name="count">At most so many, 1 or more.</param>
    /// <param name="next">Ask with this for the page behind; null where there is none.</param>
    public static long[] Before(ReadOnlySpan<long> offsets, long before, int count, out long? next)
    {
        var to = offsets.BinarySearch(before);
        if (to < 0) to = ~to;
        var from = Math.Max(0, to - count);
        next = from > 0 ? offsets[from] : null;
        return offsets[from..to].ToArray();
    }

    /// <summary>Reads the records of a page.</summary>
    /// <param name="log">The log.</param>
    /// <param name="topic">Its partition 0 is read.</param>
    /// <param name="offsets">Ascending; records between them are passed over.</param>
    /// <param name="time">For the patience with a fetch.</param>
    /// <param name="take">Given each record's place in the batch, in the log's order.</param>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="EventLogException">The log does not answer in time.</exception>
    public static async Task ReadAsync(IEventLog log, string topic, long[] offsets, TimeProvider time, Action<LogBatch, int> take, CancellationToken cancel)
    {
        if (offsets.Length == 0) return;
        var (batch, until) = (new LogBatch(), offsets[^1] + 1);
        using var reader = log.OpenReader(topic, 0, offsets[0]);
        while (reader.Offset < until)
        {
            var read = await ReadOnceAsync(reader, batch, BatchRecords, until, time, cancel).ConfigureAwait(false);
            for (var i = 0; i < read; i++)
                if (Array.BinarySearch(offsets, batch.Offset(i)) >= 0) take(batch, i);
            // Left out silently they would be missed by whoever follows the pages.
            if (read == 0 && reader.Offset < until) throw new EventLogException($"the topic '{topic}' could not be read from {offsets[0]} to {offsets[^1]} within {FetchPatience.TotalSeconds:0} s");
        }
    }

    /// <summary>Reads what is there below an offset; 0 where that is nothing, or did not come in time.</summary>
    public static async Task<int> ReadOnceAsync(ILogReader reader, LogBatch batch, int recordsMax, long end, TimeProvider time, CancellationToken cancel)
    {
        var started = time.GetTimestamp();
        while (reader.Offset < end)
        {
            if (reader.Read(batch, recordsMax, end) is > 0 and var read) return read;
            if (reader.Offset >= end || time.GetElapsedTime(started) > FetchPatience) return 0;
            await reader.WaitAsync(FetchWait, cancel).ConfigureAwait(false);
        }
        return 0;
    }
}
