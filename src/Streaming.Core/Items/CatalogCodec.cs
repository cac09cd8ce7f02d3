using System.Buffers.Binary;
using Streaming.Core.Events;
using Streaming.Core.Wire;

namespace Streaming.Core.Items;

/// <summary>The catalogue as a member of a part of a checkpoint: count, then per item its length, whether it is a stub, when first seen, and its record.</summary>
public static class CatalogCodec
{
    private const int HeadBytes = 9;

    public static void Save(ItemCatalog catalog, CheckpointWriter writer)
    {
        writer.Int32(catalog.Count);
        var one = new ByteWriter();
        foreach (var item in catalog.All)
        {
            one.Clear();
            one.Bool(item.IsStub);
            one.Int64(item.FirstSeenMs);
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
            if (bytes.Length < HeadBytes) throw new InvalidDataException("an item of the checkpoint is cut short");
            var firstSeenMs = BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan(1));
            if (!ItemParser.TryParse(bytes.AsSpan(HeadBytes), firstSeenMs, out var change, out var reason))
                throw new InvalidDataException($"an item of the checkpoint does not parse: {reason}");
            if (bytes[0] == 1) into.AddStub(change.Id, firstSeenMs);
            else into.Apply(change with { TimeMs = firstSeenMs });
        }
        into.Loaded();
    }
}
