using System.Diagnostics;
using Streaming.Actors;
using Streaming.Core.Examples;
using Streaming.Core.Items;
using Streaming.Core.Log;

namespace Streaming.Node;

/// <summary>
/// Builds a node's state from the log alone, where the data folder is new and an earlier run has committed rounds: users from their changelog,
/// exactly as they were; the catalogue from <c>items</c>; what is learned from the <c>examples</c> that are still kept, so near to what it was but
/// not bit-equal.
/// </summary>
internal static class ChangelogRestore
{
    private const int BatchRecords = 1024;
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(100);

    /// <summary>Whether an earlier run has left states behind.</summary>
    public static async Task<bool> IsThereAsync(IEventLog log, CancellationToken cancel)
    {
        for (var p = 0; p < log.PartitionCount(Topics.UserState); p++)
        {
            var range = await log.RangeAsync(Topics.UserState, p, cancel).ConfigureAwait(false);
            if (range.End > range.Earliest) return true;
        }
        return false;
    }

    /// <param name="log">Begun: nobody else commits any more.</param>
    /// <param name="models">Fresh.</param>
    /// <param name="shards">Fresh; on no thread yet.</param>
    /// <param name="patience">How long the log may take to come up with records that it says it has.</param>
    /// <param name="cancel">Ends it.</param>
    /// <exception cref="EventLogException">Records that the log says it has do not come.</exception>
    /// <exception cref="InvalidDataException">A record cannot be read.</exception>
    /// <returns>What was read, for people.</returns>
    public static async Task<string> RunAsync(IEventLog log, ModelSet models, UserShard[] shards, TimeSpan patience, CancellationToken cancel)
    {
        var started = Stopwatch.GetTimestamp();
        long items = 0, states = 0, examples = 0;
        for (var p = 0; p < log.PartitionCount(Topics.Items); p++)
            await foreach (var batch in ReadAsync(log, Topics.Items, p, patience, cancel).ConfigureAwait(false))
                for (var i = 0; i < batch.Count; i++, items++)
                    if (ItemParser.TryParse(batch.Value(i).Span, batch.TimeMs(i), out var change, out _)) models.Apply(change);
        try
        {
            for (var p = 0; p < shards.Length; p++)
            {
                var changelog = ReadAsync(log, Topics.UserState, p, patience, cancel).ToBlockingEnumerable(cancel);
                shards[p].Restore(changelog.Select(batch => { states += batch.Count; return batch; }));
            }
            examples = await LearnAsync(log, models, patience, cancel).ConfigureAwait(false);
        }
        catch (FormatException problem)
        {
            throw new InvalidDataException(
                $"the state of an earlier run cannot be taken from the log: {problem.Message}. Give the old data folder, or a fresh Kafka:Prefix to start anew", problem);
        }
        return $"state of an earlier run taken from the log in {Stopwatch.GetElapsedTime(started).TotalSeconds:0.0} s: {items} changes of items, {states} states of users, {examples} examples and interactions";
    }

    /// <summary>Learns what is kept, the partitions in step, so that time moves on in all of them alike.</summary>
    private static async Task<long> LearnAsync(IEventLog log, ModelSet models, TimeSpan patience, CancellationToken cancel)
    {
        var order = new LearningOrder();
        var readers = Enumerable.Range(0, log.PartitionCount(Topics.Examples))
            .Select(p => ReadAsync(log, Topics.Examples, p, patience, cancel).GetAsyncEnumerator(cancel)).ToList();
        long learned = 0, nowMs = 0;
        try
        {
            for (var more = true; more;)
            {
                more = false;
                for (var p = 0; p < readers.Count; p++)
                {
                    if (!await readers[p].MoveNextAsync().ConfigureAwait(false)) continue;
                    more = true;
                    var batch = readers[p].Current;
                    var records = new List<ExampleRecord>(batch.Count);
                    for (var i = 0; i < batch.Count; i++) records.Add(ExampleCodec.Read(batch.Value(i).Span));
                    order.Add(p, records);
                    for (var i = 0; i < batch.Count; i++) nowMs = Math.Max(nowMs, batch.TimeMs(i));
                    learned += batch.Count;
                }
                order.Take(models.Learn);
            }
            models.Refresh(nowMs);
            return learned;
        }
        finally
        {
            foreach (var reader in readers) await reader.DisposeAsync().ConfigureAwait(false);
        }
    }

    /// <summary>The partition as it is now, in batches; each is valid until the next.</summary>
    private static async IAsyncEnumerable<LogBatch> ReadAsync(
        IEventLog log, string topic, int partition, TimeSpan patience, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancel)
    {
        var range = await log.RangeAsync(topic, partition, cancel).ConfigureAwait(false);
        using var reader = log.OpenReader(topic, partition, range.Earliest);
        var batch = new LogBatch();
        var waiting = Stopwatch.GetTimestamp();
        while (reader.Offset < range.End)
        {
            if (reader.Read(batch, BatchRecords, range.End) > 0)
            {
                waiting = Stopwatch.GetTimestamp();
                yield return batch;
                continue;
            }
            if (Stopwatch.GetElapsedTime(waiting) > patience)
                throw new EventLogException($"'{topic}' {partition} does not come up to {range.End}, where it ends, in {patience.TotalSeconds:0} s; is the log reachable?");
            await reader.WaitAsync(Poll, cancel).ConfigureAwait(false);
        }
    }
}
