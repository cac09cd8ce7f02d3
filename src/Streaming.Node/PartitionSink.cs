using System.Text;
using Streaming.Actors;
using Streaming.Core.Examples;
using Streaming.Core.Feeds;
using Streaming.Core.Log;
using Streaming.Core.Metrics;
using Streaming.Core.Ports;
using Streaming.Core.Wire;
using Streaming.Node.Splitting;

namespace Streaming.Node;

/// <summary>
/// Takes one shard's effects. Lists go to the cache at once; examples and dead letters are collected, encoded on the shard's
/// thread, until the round takes them.
/// </summary>
internal sealed class PartitionSink(int partition, IFeedCache cache, FreshLists fresh, WantedLists wanted, LatencyHistogram clickToList, TimeProvider time, int recordBytesMax)
    : IShardSink
{
    private readonly EntryArena _examples = new();
    private readonly EntryArena _deadLetters = new();

    /// <summary>This round's records in the order the shard released them.</summary>
    public List<ExampleRecord> Records { get; } = [];

    /// <summary>Microseconds from receipt of an event to the list that has seen it being in the cache.</summary>
    public LatencyHistogram ClickToList => clickToList;

    public void Example(Example example)
    {
        Records.Add(new ExampleRecord(example, null));
        StreamingMeters.CountExamples(
            example.IsCorrection ? ExampleLabel.Correction : example.Label > 0.5f ? ExampleLabel.Positive : ExampleLabel.Negative);
        if (!example.IsCorrection) StreamingMeters.CountArm(ArmMoment.Example, example.Arm);
        if (example.Label > 0.5f) StreamingMeters.CountArm(ArmMoment.Positive, example.Arm);
        ExampleCodec.Write(example, _examples.Begin(example.User, partition, example.LabelMs));
        _examples.End();
    }

    public void Interaction(Interaction interaction)
    {
        Records.Add(new ExampleRecord(null, interaction));
        ExampleCodec.Write(interaction, _examples.Begin(interaction.User, partition, interaction.TimeMs));
        _examples.End();
    }

    public void List(FeedList list, long sinceMs)
    {
        cache.Put(list);
        if (sinceMs > 0)
        {
            var tookMs = Math.Max(0, time.GetUtcNow().ToUnixTimeMilliseconds() - sinceMs);
            clickToList.Record(tookMs * 1000);
            StreamingMeters.ClickToListSeconds.Record(tookMs / 1000.0);
        }
        fresh.Signal(list);
        wanted.Signal(list);
    }

    public void DeadLetter(LogPosition source, long timeMs, ReadOnlySpan<byte> payload, string reason)
    {
        StreamingMeters.CountDeadLetters(reason);
        var into = _deadLetters.Begin("", 0, timeMs);
        SetAside.Write(reason, Topics.Events, source, timeMs, payload, recordBytesMax, into);
        _deadLetters.End();
    }

    public void Forgotten(string user) => cache.Delete(user);

    /// <summary>Adds this round's entries; they stay valid until <see cref="Clear"/>.</summary>
    public void CopyTo(List<LogEntry> examples, List<LogEntry> deadLetters)
    {
        _examples.CopyTo(examples);
        _deadLetters.CopyTo(deadLetters);
    }

    /// <summary>Starts a new round, once the entries of the last one are durable.</summary>
    public void Clear()
    {
        _examples.Clear();
        _deadLetters.Clear();
    }

    /// <summary>Entries encoded one after another into one buffer, reused round after round.</summary>
    private sealed class EntryArena
    {
        private readonly List<(int KeyAt, int ValueAt, int End, int Partition, long TimeMs)> _entries = [];
        private readonly ByteWriter _bytes = new(64 * 1024);
        private (int KeyAt, int ValueAt, int Partition, long TimeMs) _open;

        public ByteWriter Begin(string key, int partition, long timeMs)
        {
            var at = _bytes.Length;
            Encoding.UTF8.GetBytes(key, _bytes);
            _open = (at, _bytes.Length, partition, timeMs);
            return _bytes;
        }

        public void End() => _entries.Add((_open.KeyAt, _open.ValueAt, _bytes.Length, _open.Partition, _open.TimeMs));

        public void CopyTo(List<LogEntry> into)
        {
            var bytes = _bytes.WrittenMemory;
            foreach (var e in _entries)
                into.Add(new LogEntry(bytes[e.KeyAt..e.ValueAt], bytes[e.ValueAt..e.End], e.TimeMs, e.Partition));
        }

        public void Clear()
        {
            _entries.Clear();
            _bytes.Clear();
        }
    }
}
