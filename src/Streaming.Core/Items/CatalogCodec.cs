using System.Buffers.Binary;
using Streaming.Core.Events;
using Streaming.Core.Wire;

namespace Streaming.Core.Items;

/// <summary>
/// The catalogue as a member of a part of a checkpoint: count, then per item its length, flags (1: a stub, 2: what filters read of it has changed), when first
/// seen, with flag 2 since when filters read it so, and its record.
/// </summary>
public static class CatalogCodec
{
    private const int HeadBytes = 9;
    private const byte StubFlag = 1, RuledFlag = 2;

    public static void Save(ItemCatalog catalog, CheckpointWriter writer)
    {
        writer.Int32(catalog.Count);
        var one = new ByteWriter();
        foreach (var item in catalog.All)
        {
            one.Clear();
            var ruledMs = catalog.RuledMs(item.Key);
            one.Byte((byte)((item.IsStub ? StubFlag : 0) | (ruledMs is null ? 0 : RuledFlag)));
            one.Int64(item.FirstSeenMs);
            if (ruledMs is not null) one.Int64(ruledMs.Value);
            ItemWriter.Write(new ItemChange(item.Id, item, item.FirstSeenMs), one);
            writer.Int32(one.Length);
            writer.Raw(one.WrittenSpan);
        }
    }

    /// <summary>Adds what <see cref="Save"/> wrote to an empty catalogue.</summary>
    /// <exception cref="InvalidDataException">Torn or corrupt.</exception>
    public static void Load(ItemCatalog into, CheckpointReader reader)
    {
        for (var left = reader.Count(int.MaxValue); left > 0; left--)
        {
            var bytes = new byte[reader.Count(EventLimits.RecordBytesMax)];
            reader.Raw(bytes);
            var ruled = bytes.Length > 0 && (bytes[0] & RuledFlag) != 0;
            var head = ruled ? HeadBytes + sizeof(long) : HeadBytes;
            if (bytes.Length < head) throw new InvalidDataException("an item of the checkpoint is cut short");
            var firstSeenMs = BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan(1));
            if (!ItemParser.TryParse(bytes.AsSpan(head), firstSeenMs, out var change, out var reason))
                throw new InvalidDataException($"an item of the checkpoint does not parse: {reason}");
            if ((bytes[0] & StubFlag) != 0) into.AddStub(change.Id, firstSeenMs);
            else into.Apply(change with { TimeMs = firstSeenMs });
            if (ruled) into.WasRuled(Ids.StableHash.Of(change.Id), BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan(HeadBytes)));
        }
        into.Loaded();
    }
}
