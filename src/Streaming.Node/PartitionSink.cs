using System.Text;
using Streaming.Actors;
using Streaming.Core.Examples;
using Streaming.Core.Feeds;
using Streaming.Core.Ids;
using Streaming.Core.Log;
using Streaming.Core.Metrics;
using Streaming.Core.Ports;
using Streaming.Core.Wire;
using Streaming.Node.Deep;
using Streaming.Node.Deletion;
using Streaming.Node.Sharing;
using Streaming.Node.Splitting;

namespace Streaming.Node;

/// <summary>
/// Takes one shard's effects. Lists go to the cache at once; examples and dead letters are collected, encoded on the shard's
/// thread, until the round takes them.
/// </summary>
/// <remarks>
/// What a record before <paramref name="committed"/> releases was made durable by an earlier run, and is learned from here but not written again.
/// Where other nodes serve too (<paramref name="publishes"/>), lists are collected for <c>feeds</c> as well.
/// </remarks>
internal sealed class PartitionSink(
    int partition, IFeedCache cache, FreshLists fresh, WantedLists wanted, Deletions deletions, bool hasDeep, LatencyHistogram clickToList, TimeProvider time,
    int recordBytesMax, SkewWatch skew, long committed = 0, bool publishes = false) : IShardSink
{
    private readonly EntryArena _examples = new();
    private readonly EntryArena _deadLetters = new();
    private readonly EntryArena _states = new();
    private readonly EntryArena _feeds = new();

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
        if (example.Source.Offset < committed) return;
        ExampleCodec.Write(example, _examples.Begin(example.User, partition, example.LabelMs));
        _examples.End();
    }

    public void Interaction(Interaction interaction)
    {
        Records.Add(new ExampleRecord(null, interaction));
        if (interaction.Source.Offset < committed) return;
        ExampleCodec.Write(interaction, _examples.Begin(interaction.User, partition, interaction.TimeMs));
        _examples.End();
    }

    public void List(FeedList list, long sinceMs)
    {
        cache.Put(list);
        skew.Count(list.Arm);
        if (sinceMs > 0)
        {
            var tookMs = Math.Max(0, time.GetUtcNow().ToUnixTimeMilliseconds() - sinceMs);
            clickToList.Record(tookMs * 1000);
            StreamingMeters.ClickToListSeconds.Record(tookMs / 1000.0);
        }
        fresh.Signal(list);
        wanted.Signal(list);
        Publish(list);
    }

    /// <summary>Tells other nodes of a list that is in this one's cache; does nothing where there are none.</summary>
    public void Publish(FeedList list)
    {
        if (!publishes) return;
        FeedListCodec.Write(list, _feeds.Begin(list.User, partition, list.BuiltMs));
        _feeds.End();
    }

    /// <summary>Tells other nodes where this shard's users are to be asked for from now on.</summary>
    public void Announce(LeaderAddress address)
    {
        FeedsTail.WriteLeader(address, _feeds.Begin(FeedsTail.KeyOfLeader, partition, time.GetUtcNow().ToUnixTimeMilliseconds()));
        _feeds.End();
    }

    public void DeadLetter(LogPosition source, long timeMs, ReadOnlySpan<byte> payload, string reason)
    {
        StreamingMeters.CountDeadLetters(reason);
        var into = _deadLetters.Begin("", 0, timeMs);
        if (source.Offset < committed) return;
        SetAside.Write(reason, Topics.Events, source, timeMs, payload, recordBytesMax, into);
        _deadLetters.End();
    }

    public void Forgotten(string user, LogPosition source, long timeMs, bool isLate)
    {
        deletions.Add(user, source, timeMs, isDeletion: !isLate);
        if (isLate) return;
        cache.Delete(user);
        if (publishes)
        {
            _feeds.Begin(user, partition, timeMs);
            _feeds.End();
        }
        if (!hasDeep || source.Offset < committed) return;
        ExampleCodec.Write(new Forgotten { Source = source, User = StableHash.Of(user) }, _examples.Begin("", partition, timeMs));
        _examples.End();
    }

    public void Changed(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        _states.Begin(key, partition, time.GetUtcNow().ToUnixTimeMilliseconds()).Raw(value);
        _states.End();
    }

    /// <summary>Adds this round's entries; they stay valid until <see cref="Clear"/>.</summary>
    public void CopyTo(List<LogEntry> examples, List<LogEntry> deadLetters, List<LogEntry> states, List<LogEntry> feeds)
    {
        _feeds.CopyTo(feeds);
        _examples.CopyTo(examples);
        _deadLetters.CopyTo(deadLetters);
        _states.CopyTo(states);
    }

    /// <summary>Starts a new round, once the entries of the last one are durable.</summary>
    public void Clear()
    {
        _examples.Clear();
        _deadLetters.Clear();
        _states.Clear();
        _feeds.Clear();
    }

    /// <summary>Gives up what was derived and not made durable: the shard is another's now.</summary>
    public void Drop()
    {
        Clear();
        Records.Clear();
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
            return Open(at, partition, timeMs);
        }

        public ByteWriter Begin(ReadOnlySpan<byte> key, int partition, long timeMs)
        {
            var at = _bytes.Length;
            _bytes.Raw(key);
            return Open(at, partition, timeMs);
        }

        private ByteWriter Open(int at, int partition, long timeMs)
        {
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
