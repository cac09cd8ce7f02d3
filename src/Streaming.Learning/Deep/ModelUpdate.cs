using Streaming.Core.Wire;

namespace Streaming.Learning.Deep;

/// <summary>What a version on the <c>models</c> topic holds.</summary>
public enum UpdateKind : byte
{
    /// <summary>What has changed since <see cref="UpdateHead.Base"/>.</summary>
    Delta = 1,

    /// <summary>Everything.</summary>
    Snapshot = 2,
}

/// <summary>One version of a model's weights, in pieces that fit the log's records (<see cref="WeightsCodec"/>).</summary>
/// <param name="Head">Its <see cref="UpdateHead.Chunk"/> is 0.</param>
/// <param name="Chunks">At least one.</param>
public sealed record ModelUpdate(UpdateHead Head, IReadOnlyList<byte[]> Chunks)
{
    /// <summary>Bytes of all pieces.</summary>
    public long Bytes => Chunks.Sum(c => (long)c.Length);
}

/// <summary>What stands before the payload of a record of the <c>models</c> topic.</summary>
/// <param name="Model">The model's name.</param>
/// <param name="Kind">Delta or snapshot.</param>
/// <param name="Epoch">
/// Grows when a worker starts from nothing: versions of different epochs have nothing to do with each other, and the later epoch counts.
/// </param>
/// <param name="Base">The version that a delta builds on: a copy of another version cannot take it. 0 in a snapshot.</param>
/// <param name="Version">Mini-batches learned.</param>
/// <param name="TimeMs">Event time of the newest example learned, Unix ms.</param>
/// <param name="Chunk">Which piece this is, from 0.</param>
/// <param name="Chunks">Number of pieces: a version counts once all are there.</param>
public readonly record struct UpdateHead(
    string Model, UpdateKind Kind, long Epoch, long Base, long Version, long TimeMs, int Chunk, int Chunks);

/// <summary>
/// Binary form of the <c>models</c> topic. Version byte, kind, model, epoch, base, version, time, piece, pieces, payload; then a CRC-32C of all
/// of it, so that a damaged weight is never served.
/// </summary>
public static class ModelRecordCodec
{
    /// <summary>Bytes of a record beside its payload at most.</summary>
    public const int HeadBytesMax = 512;

    private const byte Version = 1;

    /// <summary>Appends one record.</summary>
    public static void Write(in UpdateHead head, ReadOnlySpan<byte> payload, ByteWriter into)
    {
        var start = into.Length;
        into.Byte(Version);
        into.Byte((byte)head.Kind);
        into.String(head.Model);
        into.Signed(head.Epoch);
        into.VarInt((ulong)head.Base);
        into.VarInt((ulong)head.Version);
        into.Signed(head.TimeMs);
        into.Count(head.Chunk);
        into.Count(head.Chunks);
        into.Bytes(payload);
        into.UInt32(Crc32C.Of(into.Written(start, into.Length - start)));
    }

    /// <summary>The head of a record, and its payload in place.</summary>
    /// <exception cref="FormatException">Cut short, corrupt, or from a newer build.</exception>
    public static UpdateHead Read(ReadOnlySpan<byte> record, out ReadOnlySpan<byte> payload)
    {
        var reader = new ByteReader(record);
        reader.Version(Version, "a record of the models topic");
        if (record.Length < 4 || new ByteReader(record[^4..]).UInt32() != Crc32C.Of(record[..^4]))
            throw new FormatException("a record of the models topic is corrupt: the checksum differs");
        var kind = (UpdateKind)reader.Byte();
        if (!Enum.IsDefined(kind)) throw new FormatException($"a record of the models topic has unknown kind {(byte)kind}");
        var model = reader.Name(StringCache.Shared);
        var (epoch, from, version, timeMs) = (reader.Signed(), (long)reader.VarInt(), (long)reader.VarInt(), reader.Signed());
        var (chunk, chunks) = (reader.VarInt(), reader.VarInt());
        if (chunks > int.MaxValue || chunk >= chunks) throw new FormatException($"piece {chunk} of {chunks} cannot be");
        payload = reader.Bytes();
        if (reader.Remaining != 4) throw new FormatException($"{reader.Remaining - 4} bytes follow a record of the models topic");
        return new UpdateHead(model, kind, epoch, from, version, timeMs, (int)chunk, (int)chunks);
    }
}
