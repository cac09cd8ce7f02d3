using System.Threading.Channels;
using Streaming.Core.Events;
using Streaming.Core.Ids;
using Streaming.Core.Log;

namespace Streaming.Node;

/// <summary>One record of a replayed source.</summary>
/// <param name="Key">The user's (or item's) id in UTF-8; empty when the record is too broken to have one.</param>
/// <param name="Value">The JSON as it would come from a client.</param>
/// <param name="TimeMs">The record's time: its event time, so that windows end as they did.</param>
/// <param name="IsItem">Goes to <c>items</c> rather than <c>events</c>.</param>
public readonly record struct ReplayRecord(ReadOnlyMemory<byte> Key, ReadOnlyMemory<byte> Value, long TimeMs, bool IsItem = false);

/// <summary>
/// Pushes a recorded source through the node: append to the log, take a round, and again, every round cut at the same records.
/// So a replay gives the same state on every run; killed and started again, it goes on from its last checkpoint, finds the
/// records that already lie in the log, and ends in that same state.
/// </summary>
public sealed class ReplayRunner
{
    /// <summary>Records per round unless somebody asks for another number; what a replay learns depends on it.</summary>
    public const int RoundRecordsDefault = 256;

    private readonly StreamingNode _node;
    private readonly IEventLog _log;
    private readonly int _roundRecords;
    private readonly int _partitions;
    private readonly LogBatch _stored = new();

    /// <param name="node">A node that nothing else drives.</param>
    /// <param name="roundRecords">Records per round: smaller is fresher, larger is faster.</param>
    public ReplayRunner(StreamingNode node, int roundRecords)
    {
        _node = node;
        _log = node.Log;
        _roundRecords = roundRecords;
        _partitions = _log.PartitionCount(Topics.Events);
    }

    /// <summary>What an earlier run left in a partition beyond the checkpoint.</summary>
    private readonly record struct Tail(ILogReader Reader, long End);

    /// <summary>Records of the source that were in the checkpoint this run went on from.</summary>
    public long ResumedAt { get; private set; }

    /// <summary>Records of the source that this run found in the log already.</summary>
    public long FoundInLog { get; private set; }

    /// <summary>Catalogue records among those done.</summary>
    public long ItemRecords { get; private set; }

    /// <summary>Records pushed through so far, those of earlier runs included.</summary>
    public long Done { get; private set; }

    /// <summary>Runs to the end of the source, and then past the last attribution window.</summary>
    /// <param name="source">All records, from the first on.</param>
    /// <param name="fingerprint">Names the source and everything that shapes it; a checkpoint of another source does not fit.</param>
    /// <param name="progress">Told the number of records done, after every round.</param>
    /// <param name="checkpointMs">Wall time between checkpoints; 0 for one at the end only.</param>
    /// <param name="cancel">Stops between rounds; a later run goes on from the last checkpoint.</param>
    /// <exception cref="InvalidDataException">The data folder holds the state of another source, or of live traffic.</exception>
    public async Task RunAsync(
        IEnumerable<ReplayRecord> source, string fingerprint, Action<long>? progress, int checkpointMs, CancellationToken cancel)
    {
        ResumedAt = Done = ResumePoint(fingerprint);
        // The first thing on disk, so that a run killed before its first checkpoint in time can go on too.
        if (_node.Restored is null && checkpointMs > 0)
            await _node.CheckpointAsync(new ReplayProgress(fingerprint, 0), cancel).ConfigureAwait(false);
        var prepared = Channel.CreateBounded<List<ReplayRecord>>(new BoundedChannelOptions(4) { SingleReader = true, SingleWriter = true });
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var reader = Task.Run(() => PrepareAsync(source, ResumedAt, prepared.Writer, stop.Token), CancellationToken.None);
        var tails = await OpenTailsAsync().ConfigureAwait(false);
        var lastCheckpoint = Environment.TickCount64;
        var clockMs = _node.ClockMs;
        try
        {
            await foreach (var batch in prepared.Reader.ReadAllAsync(cancel).ConfigureAwait(false))
            {
                var receivedMs = _node.NowMs();
                var limits = await AppendAsync(batch, tails).ConfigureAwait(false);
                foreach (var record in batch)
                    if (!record.IsItem) clockMs = Math.Max(clockMs, record.TimeMs);
                await _node.RoundAsync(limits, clockMs, receivedMs, cancel).ConfigureAwait(false);
                Done += batch.Count;
                progress?.Invoke(Done);
                if (checkpointMs <= 0 || Environment.TickCount64 - lastCheckpoint < checkpointMs) continue;
                await _node.CheckpointAsync(new ReplayProgress(fingerprint, Done), cancel).ConfigureAwait(false);
                lastCheckpoint = Environment.TickCount64;
            }
            await reader.ConfigureAwait(false);
            foreach (var tail in tails.Values) RequireOnlyTicks(tail);
            // A checkpoint of all records may have been taken before the last windows were ended.
            if (Done == ResumedAt && _node.Restored?.Replay is { IsFinished: true }) return;
            await _node.FinishAsync(clockMs, cancel).ConfigureAwait(false);
            await _node.CheckpointAsync(new ReplayProgress(fingerprint, Done, IsFinished: true), cancel).ConfigureAwait(false);
        }
        finally
        {
            await stop.CancelAsync().ConfigureAwait(false);
            foreach (var tail in tails.Values) tail.Reader.Dispose();
        }
    }

    private long ResumePoint(string fingerprint)
    {
        if (_node.Restored is not { } manifest)
        {
            if (_node.HasHistory)
                throw new InvalidDataException("the data folder holds events but no checkpoint of this replay; give another --data-dir, or remove it");
            return 0;
        }
        if (manifest.Replay is not { } replay || replay.Fingerprint != fingerprint)
            throw new InvalidDataException("the data folder holds the state of another source, seed or settings; give another --data-dir, or remove it");
        return replay.Records;
    }

    private async Task PrepareAsync(
        IEnumerable<ReplayRecord> source, long skip, ChannelWriter<List<ReplayRecord>> into, CancellationToken cancel)
    {
        Exception? problem = null;
        try
        {
            var batch = new List<ReplayRecord>(_roundRecords);
            foreach (var record in source)
            {
                if (record.IsItem) ItemRecords++;
                if (skip-- > 0) continue;
                batch.Add(record);
                if (batch.Count < _roundRecords) continue;
                await into.WriteAsync(batch, cancel).ConfigureAwait(false);
                batch = new List<ReplayRecord>(_roundRecords);
            }
            if (batch.Count > 0) await into.WriteAsync(batch, cancel).ConfigureAwait(false);
        }
        catch (Exception caught)
        {
            problem = caught;
            throw;
        }
        finally
        {
            into.TryComplete(problem);
        }
    }

    /// <summary>Readers over what an earlier, killed run left in the log beyond the checkpoint.</summary>
    private async Task<Dictionary<(string Topic, int Partition), Tail>> OpenTailsAsync()
    {
        var tails = new Dictionary<(string, int), Tail>();
        foreach (var (topic, positions) in new[] { (Topics.Events, _node.EventPositions), (Topics.Items, _node.ItemPositions) })
        {
            for (var p = 0; p < positions.Length; p++)
            {
                var range = await _log.RangeAsync(topic, p).ConfigureAwait(false);
                if (range.End > Math.Max(positions[p], range.Earliest)) tails[(topic, p)] = new Tail(_log.OpenReader(topic, p, positions[p]), range.End);
            }
        }
        return tails;
    }

    /// <summary>
    /// Makes sure that every record of the batch is in the log, once; returns the offsets before which the round has to read.
    /// </summary>
    private async Task<RoundLimits> AppendAsync(List<ReplayRecord> batch, Dictionary<(string Topic, int Partition), Tail> tails)
    {
        var limits = new RoundLimits(_node.EventPositions, _node.ItemPositions);
        if (batch.Exists(r => r.IsItem)) await AppendAsync(Topics.Items, batch, tails, limits.Items).ConfigureAwait(false);
        if (batch.Exists(r => !r.IsItem)) await AppendAsync(Topics.Events, batch, tails, limits.Events).ConfigureAwait(false);
        return limits;
    }

    private async Task AppendAsync(
        string topic, List<ReplayRecord> batch, Dictionary<(string Topic, int Partition), Tail> tails, long[] limits)
    {
        var missing = new List<LogEntry>();
        foreach (var record in batch)
        {
            if (record.IsItem != (topic == Topics.Items)) continue;
            var partition = Murmur2.PartitionOf(record.Key.Span, _partitions);
            if (tails.TryGetValue((topic, partition), out var tail))
            {
                if (IsNext(tail, record))
                {
                    FoundInLog++;
                    limits[partition] = tail.Reader.Offset;
                    continue;
                }
                tail.Reader.Dispose();
                tails.Remove((topic, partition));
            }
            missing.Add(new LogEntry(record.Key, record.Value, record.TimeMs, partition));
        }
        if (missing.Count == 0) return;
        await _log.AppendAsync(topic, missing.ToArray()).ConfigureAwait(false);
        foreach (var partition in missing.Select(e => e.Partition).Distinct())
            limits[partition] = (await _log.RangeAsync(topic, partition).ConfigureAwait(false)).End;
    }

    /// <summary>Whether the next record left over in the log is this one; false at the end of what was left.</summary>
    private bool IsNext(Tail tail, ReplayRecord record)
    {
        if (tail.Reader.ReadTo(_stored, 1, tail.End) == 0) return false;
        if (_stored.Key(0).Span.SequenceEqual(record.Key.Span) && _stored.Value(0).Span.SequenceEqual(record.Value.Span)) return true;
        throw NotOfThisReplay();
    }

    /// <summary>After the last record an earlier run can only have left the ticks that end it.</summary>
    private void RequireOnlyTicks(Tail tail)
    {
        while (tail.Reader.ReadTo(_stored, 1, tail.End) > 0)
            if (!EventParser.TryParse(_stored.Value(0).Span, _stored.TimeMs(0), out var e, out _) || e.Kind != EventKind.Tick) throw NotOfThisReplay();
    }

    private static InvalidDataException NotOfThisReplay() =>
        new("the log holds records after the checkpoint that are not of this replay; give another --data-dir, or remove it");
}
