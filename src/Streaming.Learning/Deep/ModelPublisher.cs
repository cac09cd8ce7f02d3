using System.Text;
using Streaming.Core.Ids;
using Streaming.Core.Log;
using Streaming.Core.Wire;

namespace Streaming.Learning.Deep;

/// <summary>
/// Puts the versions of one model on the <c>models</c> topic: all of a model in one partition, in order. The start of its newest snapshot is a
/// committed position, from which a new replica reads and which retention leaves alone.
/// </summary>
public sealed class ModelPublisher(IEventLog log, string model)
{
    private const int BytesPerAppend = 8 << 20;

    private readonly ByteWriter _bytes = new(64 * 1024);
    private readonly byte[] _key = Encoding.UTF8.GetBytes(model);

    /// <summary>Whether this publisher has published anything.</summary>
    public bool HasPublished { get; private set; }

    /// <summary>Bytes published.</summary>
    public long Bytes { get; private set; }

    /// <summary>The group under which the position of a model's newest snapshot is committed.</summary>
    public static string GroupOf(string model) => "model-" + model;

    /// <summary>The partition that a model's versions are in.</summary>
    public static int PartitionOf(string model, int partitions) => (int)(StableHash.Of(model) % (ulong)partitions);

    /// <summary>Appends versions, in order; returns when they are durable.</summary>
    /// <exception cref="EventLogException">The log refuses; some pieces may be there, and copies pass over a version that is not whole.</exception>
    public void Publish(IEnumerable<ModelUpdate> updates, long nowMs)
    {
        foreach (var update in updates)
        {
            var start = Append(update, nowMs);
            Bytes += update.Bytes;
            if (update.Head.Kind == UpdateKind.Snapshot) Commit(start);
        }
        HasPublished = true;
    }

    /// <summary>Returns where the version's first piece lies.</summary>
    private LogPosition Append(ModelUpdate update, long nowMs)
    {
        var partition = PartitionOf(model, log.PartitionCount(Topics.Models));
        LogPosition? first = null;
        var (at, ends) = (0, new List<int>());
        while (at < update.Chunks.Count)
        {
            _bytes.Clear();
            ends.Clear();
            for (; at < update.Chunks.Count && _bytes.Length < BytesPerAppend; at++)
            {
                ModelRecordCodec.Write(update.Head with { Chunk = at, Chunks = update.Chunks.Count }, update.Chunks[at], _bytes);
                ends.Add(_bytes.Length);
            }
            var bytes = _bytes.WrittenMemory;
            var entries = ends.Select((end, i) => new LogEntry(_key, bytes[(i == 0 ? 0 : ends[i - 1])..end], nowMs, partition)).ToArray();
            var positions = log.AppendAsync(Topics.Models, entries).AsTask().GetAwaiter().GetResult();
            first ??= positions[0];
        }
        return first!.Value;
    }

    /// <summary>
    /// Notes where a snapshot starts. A group that has no position in a partition holds all of it back from retention, so the other partitions get
    /// their present end.
    /// </summary>
    private void Commit(LogPosition snapshot)
    {
        var next = new LogPosition[log.PartitionCount(Topics.Models)];
        for (var p = 0; p < next.Length; p++)
            next[p] = p == snapshot.Partition ? snapshot : new LogPosition(p, log.RangeAsync(Topics.Models, p).AsTask().GetAwaiter().GetResult().End);
        log.CommitAsync(GroupOf(model), Topics.Models, next).AsTask().GetAwaiter().GetResult();
    }
}
