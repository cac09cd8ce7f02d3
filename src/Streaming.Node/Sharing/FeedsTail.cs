using System.Text;
using Streaming.Core.Feeds;
using Streaming.Core.Ids;
using Streaming.Core.Log;
using Streaming.Core.Metrics;
using Streaming.Core.Ports;
using Streaming.Core.Wire;
using Streaming.Node.Splitting;

namespace Streaming.Node.Sharing;

/// <summary>Base addresses of a node; empty where there is none, or none is known.</summary>
/// <param name="Public">For users' requests.</param>
/// <param name="Admin">For operators', where these have an address of their own.</param>
public sealed record LeaderAddress(string Public, string Admin)
{
    public static LeaderAddress None { get; } = new("", "");
}

/// <summary>
/// Brings the lists that other nodes build into this node's cache, on a thread of its own, and tells who leads which shard. Partitions led here
/// are left out: their lists are in the cache before they are in the log.
/// </summary>
internal sealed class FeedsTail : IDisposable
{
    private const int BatchRecords = 256;

    /// <summary>Key of the record that names a shard's leader; no user's id starts with NUL.</summary>
    private static readonly byte[] LeaderKey = "\0leader"u8.ToArray();

    private readonly IEventLog _log;
    private readonly IFeedCache _cache;
    private readonly FreshLists _fresh;
    private readonly WantedLists _wanted;
    private readonly bool _takesSegments;
    private readonly TimeProvider _time;
    private readonly Action<NodeNotice> _notice;
    private readonly TimeSpan _pause;
    private readonly Place[] _places;
    private readonly LatencyHistogram _age = new();
    private readonly ManualResetEventSlim _stop = new();
    private Thread? _thread;

    private sealed class Place
    {
        public ILogReader? Reader;
        public long From;
        public bool Ours;
        public volatile LeaderAddress Leader = LeaderAddress.None;
    }

    /// <param name="parts">The node's.</param>
    /// <param name="fresh">Look-ups that wait for a list.</param>
    /// <param name="wanted">Look-ups that lack one.</param>
    /// <param name="from">Where to start, per partition.</param>
    /// <param name="takesSegments">Whether popular lists come this way too, as this node does not build any.</param>
    public FeedsTail(NodeParts parts, FreshLists fresh, WantedLists wanted, long[] from, bool takesSegments)
    {
        (_log, _cache, _time, _notice) = (parts.Log, parts.Feeds, parts.Time, parts.Notice);
        (_fresh, _wanted, _takesSegments) = (fresh, wanted, takesSegments);
        _pause = TimeSpan.FromMilliseconds(parts.Settings.Node.IdleWaitMs);
        _places = [.. from.Select(offset => new Place { From = offset })];
    }

    /// <summary>Microseconds from the building of a list elsewhere to its being in this cache, by the two machines' clocks.</summary>
    public LatencyHistogram Age => _age;

    /// <summary>Lists taken.</summary>
    public long Lists { get; private set; }

    public void Start()
    {
        _thread = new Thread(Run) { IsBackground = true, Name = "feeds" };
        _thread.Start();
    }

    /// <summary>Where the node is that leads a shard.</summary>
    public LeaderAddress LeaderOf(int partition) => _places[partition].Leader;

    /// <summary>The shard is led here from now on: nothing older comes after this.</summary>
    public void Leave(int partition)
    {
        var place = _places[partition];
        lock (place)
        {
            place.Ours = true;
            Close(place);
        }
    }

    /// <summary>The shard is led elsewhere from now on.</summary>
    /// <param name="partition">Which.</param>
    /// <param name="from">Offset that everything before comes from here.</param>
    public void Take(int partition, long from)
    {
        var place = _places[partition];
        lock (place)
        {
            (place.Ours, place.From, place.Leader) = (false, from, LeaderAddress.None);
            Close(place);
        }
    }

    /// <summary>Next offset to read of a partition that is led elsewhere. Any thread.</summary>
    public long OffsetOf(int partition) => Volatile.Read(ref _places[partition].From);

    /// <summary>Where a next run goes on, per partition; what is led here counts as of now.</summary>
    public long[] Positions(long[] ends) =>
        [.. _places.Select((place, p) =>
        {
            lock (place) return place.Ours ? ends[p] : place.From;
        })];

    /// <summary>The record that says who leads a shard.</summary>
    public static void WriteLeader(LeaderAddress address, ByteWriter into)
    {
        into.Byte(1);
        into.String(address.Public);
        into.String(address.Admin);
    }

    public static ReadOnlySpan<byte> KeyOfLeader => LeaderKey;

    public void Dispose()
    {
        _stop.Set();
        _thread?.Join();
        foreach (var place in _places)
            lock (place) Close(place);
        _stop.Dispose();
    }

    private static void Close(Place place)
    {
        place.Reader?.Dispose();
        place.Reader = null;
    }

    private void Run()
    {
        var batch = new LogBatch();
        while (!_stop.IsSet)
        {
            var taken = 0;
            try
            {
                for (var p = 0; p < _places.Length && !_stop.IsSet; p++) taken += Take(p, batch);
            }
            catch (Exception problem) when (problem is EventLogException or FormatException)
            {
                _notice(new NodeNotice(NoticeLevel.Warning, $"lists of other nodes do not come in: {problem.Message}", problem));
                _stop.Wait(TimeSpan.FromSeconds(1));
            }
            if (taken == 0) _stop.Wait(_pause);
        }
    }

    private int Take(int partition, LogBatch batch)
    {
        var place = _places[partition];
        lock (place)
        {
            if (place.Ours) return 0;
            place.Reader ??= _log.OpenReader(Topics.Feeds, partition, place.From);
            place.Reader.Read(batch, BatchRecords);
            for (var i = 0; i < batch.Count; i++) Take(place, batch.Key(i).Span, batch.Value(i).Span);
            // Also where nothing was there: the end of a transaction takes an offset as well.
            Volatile.Write(ref place.From, place.Reader.Offset);
            return batch.Count;
        }
    }

    private void Take(Place place, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        if (key.SequenceEqual(LeaderKey))
        {
            var from = new ByteReader(value);
            from.Version(1, "the record of a shard's leader");
            place.Leader = new LeaderAddress(from.String() ?? "", from.String() ?? "");
            return;
        }
        if (value.IsEmpty)
        {
            _cache.Delete(Encoding.UTF8.GetString(key));
            return;
        }
        if (key.StartsWith(IFeedCache.SegmentPrefix) && !_takesSegments) return;
        var list = FeedListCodec.Read(value);
        _cache.Put(list);
        Lists++;
        if (list.BuiltMs > 0) _age.Record(Math.Max(0, _time.GetUtcNow().ToUnixTimeMilliseconds() - list.BuiltMs) * 1000);
        _fresh.Signal(list);
        _wanted.Signal(list);
    }
}
