using System.Text;
using Streaming.Actors;
using Streaming.Core.Events;
using Streaming.Core.Examples;
using Streaming.Core.Feeds;
using Streaming.Core.Ids;
using Streaming.Core.Log;
using Streaming.Core.Settings;
using Streaming.Core.Wire;
using Streaming.Users;

namespace Streaming.Suites.Fakes;

/// <summary>Shards on fakes, with the log they are fed from: what host tests build on.</summary>
public sealed class ShardBench(
    int partitions, UsersSettings? settings = null, MemoryStateStore? store = null, int hotUsersMax = 10_000, IFeedBuilder? builder = null)
{
    public const int Dimension = 4;

    private readonly List<(long TimeMs, byte[] Key, byte[] Value)>[] _log = [.. Enumerable.Range(0, partitions).Select(_ => new List<(long, byte[], byte[])>())];

    /// <summary>Whether a reader has to fetch first what it reads, as on Kafka.</summary>
    public bool Fetches { get; init; }

    public UsersSettings Settings { get; } = settings ?? new UsersSettings();
    public MemoryStateStore Store { get; } = store ?? new MemoryStateStore();
    public RecordingSink[] Sinks { get; } = [.. Enumerable.Range(0, partitions).Select(_ => new RecordingSink())];
    public FakeModels Models { get; } = new(Dimension);

    /// <param name="writer">Null for shards that keep no changelog; else who writes it.</param>
    public IReadOnlyList<UserShard> Shards(string? writer = null) => [.. Enumerable.Range(0, partitions).Select(p => new UserShard(new ShardParts
    {
        Partition = p, Settings = Settings, Dimension = Dimension, Machine = new UserMachine(Settings, Models, seed: 1),
        Builder = builder ?? new FakeFeedBuilder(), ArmOf = (_, _) => "learned", Store = Store.OpenSession(), Sink = Sinks[p],
        Reread = offset => Fetches ? new FetchingReader(new Reader(this, p, offset), p) : new Reader(this, p, offset), HotUsersMax = hotUsersMax, KeepsChangelog = writer is not null, Writer = writer ?? "",
    }))];

    public int PartitionOf(string user) => Murmur2.PartitionOf(Encoding.UTF8.GetBytes(user), partitions);

    /// <summary>Appends an event to the bench's log; its record time is its event time.</summary>
    public LogPosition Append(UserEvent e)
    {
        var json = new ByteWriter();
        EventWriter.Write(e, json);
        return AppendRaw(e.User, json.WrittenSpan.ToArray(), e.TimeMs);
    }

    public LogPosition AppendRaw(string user, byte[] value, long timeMs)
    {
        var p = PartitionOf(user);
        _log[p].Add((timeMs, Encoding.UTF8.GetBytes(user), value));
        return new LogPosition(p, _log[p].Count - 1);
    }

    /// <summary>Tells the host everything from the given offsets on (0 by default), and drains it.</summary>
    public async Task FeedAsync(IUserHost host, long[]? from = null)
    {
        for (var p = 0; p < partitions; p++)
        {
            using var reader = new Reader(this, p, from?[p] ?? 0);
            var batch = new LogBatch();
            while (reader.Read(batch, 100) > 0) await host.TellAsync(batch);
        }
        await host.DrainAsync();
    }

    /// <summary>The user's state as bytes; null when unknown.</summary>
    public static Task<byte[]?> BytesAsync(IUserHost host, string user) => host.AskAsync(user, state =>
    {
        if (state is null) return null;
        var into = new ByteWriter();
        UserStateCodec.Write(state, into);
        return into.WrittenSpan.ToArray();
    });

    public static UserEvent Click(string user, string item, long timeMs, string? id = null, string surface = "") => new()
    {
        Kind = EventKind.Click, Type = "click", User = user, Item = item, TimeMs = timeMs, EventId = id, Surface = surface,
    };

    public static UserEvent Shown(string user, string item, long timeMs) => new()
    {
        Kind = EventKind.Impression, Type = "impression", User = user, Item = item, TimeMs = timeMs,
    };

    public ILogReader OpenReader(int partition, long offset) => new Reader(this, partition, offset);

    private sealed class Reader(ShardBench bench, int partition, long offset) : ILogReader
    {
        public long Offset { get; private set; } = offset;

        public int Read(LogBatch batch, int recordsMax, long untilOffset = long.MaxValue)
        {
            batch.Clear(partition, Offset);
            var log = bench._log[partition];
            while (batch.Count < recordsMax && Offset < Math.Min(untilOffset, log.Count))
            {
                var (timeMs, key, value) = log[(int)Offset];
                batch.Add(Offset, Offset + 1, timeMs, key, value);
                Offset++;
            }
            return batch.Count;
        }

        public ValueTask WaitAsync(TimeSpan timeout, CancellationToken cancel = default) => ValueTask.CompletedTask;

        public void Dispose()
        {
        }
    }
}

/// <summary>Keeps every effect. <see cref="Gate"/> can hold the shard up.</summary>
public sealed class RecordingSink : IShardSink
{
    public List<Example> Examples { get; } = [];
    public List<Interaction> Interactions { get; } = [];
    public List<FeedList> Lists { get; } = [];
    public List<(LogPosition Source, byte[] Payload, string Reason)> DeadLetters { get; } = [];
    public List<string> Forgotten { get; } = [];
    public List<(string User, LogPosition Source, long TimeMs)> LateEvents { get; } = [];
    public List<(byte[] Key, byte[] Value)> Changes { get; } = [];
    public ManualResetEventSlim Gate { get; } = new(initialState: true);

    void IShardSink.Example(Example example)
    {
        Gate.Wait();
        Examples.Add(example);
    }

    void IShardSink.Interaction(Interaction interaction)
    {
        Gate.Wait();
        Interactions.Add(interaction);
    }

    void IShardSink.List(FeedList list, long sinceMs) => Lists.Add(list);

    void IShardSink.DeadLetter(LogPosition source, long timeMs, ReadOnlySpan<byte> payload, string reason) =>
        DeadLetters.Add((source, payload.ToArray(), reason));

    void IShardSink.Forgotten(string user, LogPosition source, long timeMs, bool isLate)
    {
        if (isLate) LateEvents.Add((user, source, timeMs));
        else Forgotten.Add(user);
    }

    void IShardSink.Changed(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value) => Changes.Add((key.ToArray(), value.ToArray()));
}
