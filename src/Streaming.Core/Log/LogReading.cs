using System.Diagnostics;

namespace Streaming.Core.Log;

/// <summary>
/// Reading what a log is known to hold. <see cref="ILogReader.Read"/> gives what is there right now: on Kafka a reader that was just opened has fetched nothing yet,
/// so that whoever takes 0 for the end reads nothing, or a part.
/// </summary>
public static class LogReading
{
    /// <summary>How long the log may take to come up with records that it says it has.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(50);

    /// <summary>As <see cref="ILogReader.Read"/>, but 0 only where the reader has come to <paramref name="end"/>; holds the thread until there is something.</summary>
    /// <param name="reader">Of the log.</param>
    /// <param name="batch">Is filled.</param>
    /// <param name="recordsMax">At most so many.</param>
    /// <param name="end">The partition is known to reach to here: the end of its range, or where a record of it lies.</param>
    /// <exception cref="EventLogException">The records do not come.</exception>
    public static int ReadTo(this ILogReader reader, LogBatch batch, int recordsMax, long end)
    {
        var started = Stopwatch.GetTimestamp();
        while (true)
        {
            var read = reader.Read(batch, recordsMax, end);
            // An empty read may have passed over the marks of transactions that stand before the end.
            if (read > 0 || reader.Offset >= end) return read;
            if (Stopwatch.GetElapsedTime(started) > Patience)
                throw new EventLogException($"the log does not come up to offset {end}, where it ends, from {reader.Offset} in {Patience.TotalSeconds:0} s; is it reachable?");
            reader.WaitAsync(Poll).AsTask().GetAwaiter().GetResult();
        }
    }
}
