using Streaming.Actors;
using Streaming.Core.Log;
using Streaming.Core.Wire;

namespace Streaming.Akka;

/// <summary>
/// The binary form of shard messages: version byte, kind byte, fields. Nodes of different builds talk to each other while a
/// cluster is being upgraded, so kinds and fields are only ever added.
/// </summary>
public static class ShardMessageCodec
{
    private const byte Version = 1;

    private enum Kind : byte { Apply = 1, Drain = 2, Refresh = 3, RequestList = 4, GetUser = 5, Flush = 6, Answer = 7, RefreshUrgent = 8, Open = 9, Close = 10, CloseUnwritten = 11, RequestArm = 12 }

    /// <summary>Appends a message.</summary>
    /// <exception cref="ArgumentException">Not one of the messages of this assembly.</exception>
    public static void Write(IShardMessage message, ByteWriter into)
    {
        into.Byte(Version);
        switch (message)
        {
            case ApplyRecords m:
                Begin(Kind.Apply, m.Partition, into);
                into.Bytes(m.Batch.Span);
                break;
            case DrainShard m:
                Begin(Kind.Drain, m.Partition, into);
                break;
            case RefreshLists m:
                Begin(m.QuietToo ? Kind.Refresh : Kind.RefreshUrgent, m.Partition, into);
                into.Int64(m.NowMs);
                into.Count(m.ListsMax);
                break;
            case RequestList m:
                Begin(m.Arm is null ? Kind.RequestList : Kind.RequestArm, m.Partition, into);
                into.String(m.User);
                into.String(m.Surface);
                if (m.Arm is not null) into.String(m.Arm);
                break;
            case GetUser m:
                Begin(Kind.GetUser, m.Partition, into);
                into.String(m.User);
                break;
            case FlushShard m:
                Begin(Kind.Flush, m.Partition, into);
                break;
            case OpenShard m:
                Begin(Kind.Open, m.Partition, into);
                into.String(m.Node);
                break;
            case CloseShard m:
                Begin(m.Writes ? Kind.Close : Kind.CloseUnwritten, m.Partition, into);
                break;
            case ShardAnswer m:
                WriteAnswer(m, into);
                break;
            default:
                throw new ArgumentException($"{message.GetType()} is no shard message", nameof(message));
        }
    }

    /// <summary>Reads a message.</summary>
    /// <exception cref="FormatException">Torn, corrupt, or of a newer build.</exception>
    public static IShardMessage Read(ReadOnlySpan<byte> bytes)
    {
        var from = new ByteReader(bytes);
        from.Version(Version, "the shard message");
        var kind = (Kind)from.Byte();
        if (kind == Kind.Answer) return ReadAnswer(ref from);
        var partition = Int32(ref from);
        return kind switch
        {
            Kind.Apply => new ApplyRecords(partition, from.Bytes().ToArray()),
            Kind.Drain => new DrainShard(partition),
            Kind.Refresh or Kind.RefreshUrgent => new RefreshLists(partition, from.Int64(), Int32(ref from), kind == Kind.Refresh),
            Kind.RequestList => new RequestList(partition, Text(ref from), Text(ref from)),
            Kind.RequestArm => new RequestList(partition, Text(ref from), Text(ref from), Text(ref from)),
            Kind.GetUser => new GetUser(partition, Text(ref from)),
            Kind.Flush => new FlushShard(partition),
            Kind.Open => new OpenShard(partition, Text(ref from)),
            Kind.Close or Kind.CloseUnwritten => new CloseShard(partition, kind == Kind.Close),
            _ => throw new FormatException($"shard message of unknown kind {(byte)kind}"),
        };
    }

    /// <summary>Records [<paramref name="start"/>, <paramref name="end"/>) of a batch, copied.</summary>
    public static byte[] EncodeBatch(LogBatch batch, int start, int end)
    {
        var into = new ByteWriter(64 * (end - start) + 64);
        into.Int64(batch.ReceivedMs);
        into.Int64(end < batch.Count ? batch.Offset(end) : batch.NextOffset);
        into.Count(end - start);
        for (var i = start; i < end; i++)
        {
            into.Int64(batch.Offset(i));
            into.Int64(batch.TimeMs(i));
            into.Bytes(batch.Key(i).Span);
            into.Bytes(batch.Value(i).Span);
        }
        return into.WrittenSpan.ToArray();
    }

    /// <summary>Fills <paramref name="into"/> (cleared first) from <see cref="EncodeBatch"/>.</summary>
    /// <exception cref="FormatException">Torn or corrupt; the batch's content is then undefined.</exception>
    public static void DecodeBatch(ReadOnlySpan<byte> bytes, int partition, LogBatch into)
    {
        var from = new ByteReader(bytes);
        var receivedMs = from.Int64();
        var end = from.Int64();
        var left = from.Count(18);
        into.Clear(partition, end);
        into.ReceivedMs = receivedMs;
        // A record's successor is where the next one starts; only the last one's has to be told.
        while (left-- > 0)
        {
            var offset = from.Int64();
            var timeMs = from.Int64();
            into.Add(offset, end, timeMs, from.Bytes(), from.Bytes());
        }
    }

    private static void Begin(Kind kind, int partition, ByteWriter into)
    {
        into.Byte((byte)kind);
        into.Count(partition);
    }

    private static void WriteAnswer(ShardAnswer m, ByteWriter into)
    {
        into.Byte((byte)Kind.Answer);
        var c = m.Counts;
        foreach (var count in (ReadOnlySpan<long>)[c.Applied, c.Repeats, c.Forgotten, c.DeadLetters, c.Ticks, c.Restarts, c.Lists, c.Passivated,
                     c.Loaded, c.Resident]) into.Signed(count);
        into.Count(m.Waiting);
        into.Bool(m.User is not null);
        if (m.User is not null) into.Bytes(m.User);
        into.String(m.Fault);
    }

    private static ShardAnswer ReadAnswer(ref ByteReader from)
    {
        var counts = new UserHostCounts(from.Signed(), from.Signed(), from.Signed(), from.Signed(), from.Signed(), from.Signed(), from.Signed(),
            from.Signed(), from.Signed(), from.Signed());
        var waiting = Int32(ref from);
        var user = from.Bool() ? from.Bytes().ToArray() : null;
        return new ShardAnswer(counts, waiting, user, from.String());
    }

    private static int Int32(ref ByteReader from)
    {
        var value = from.VarInt();
        return value <= int.MaxValue ? (int)value : throw new FormatException($"{value} is too large");
    }

    private static string Text(ref ByteReader from) => from.String() ?? throw new FormatException("a string is missing");
}
