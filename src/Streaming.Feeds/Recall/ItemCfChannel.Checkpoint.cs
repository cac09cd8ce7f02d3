using Streaming.Core.Wire;
using Streaming.Feeds.Structures;

namespace Streaming.Feeds.Recall;

public sealed partial class ItemCfChannel
{
    private const byte FormatVersion = 1;

    public void Save(Stream into)
    {
        var writer = new ByteWriter();
        writer.Byte(FormatVersion);
        writer.Int64(_actions);
        writer.Count(_rows.Count);
        foreach (var row in _rows.Values.OrderBy(r => r.Key))
        {
            writer.UInt64(row.Key);
            writer.Int64(row.Actions);
            writer.Int64(row.Touched);
            writer.Count(row.Size);
            for (var k = 0; k < row.Size; k++)
            {
                writer.UInt64(row.Keys[k]);
                writer.Single(row.Weights[k]);
            }
            writer.Flush(into);
        }
        writer.Flush(into, end: true);
    }

    public void Load(Stream from) => Part.Load(from, Name, (ref ByteReader reader) =>
    {
        reader.Version(FormatVersion, "the co-visitation table");
        var actions = reader.Int64();
        var loaded = new Row[reader.Count(25)];
        var rows = new Dictionary<ulong, Row>(loaded.Length);
        for (var i = 0; i < loaded.Length; i++)
        {
            var row = loaded[i] = new Row(reader.UInt64());
            row.Count(reader.Int64(), settings.ItemCfAlpha);
            Part.Expect(row.Actions > 0, "an item has no action");
            row.Touched = reader.Int64();
            row.Size = reader.Count(12);
            Part.Expect(row.Size <= settings.ItemCfNeighboursMax, $"an item has {row.Size} neighbours, more than Feeds:ItemCfNeighboursMax");
            row.Resize(row.Size);
            for (var k = 0; k < row.Size; k++) (row.Keys[k], row.Weights[k]) = (reader.UInt64(), reader.Single());
            Part.Expect(rows.TryAdd(row.Key, row), "an item occurs twice");
        }
        // Neighbours may stand before or after the item, so their rows are found once all are there.
        foreach (var row in loaded)
            for (var k = 0; k < row.Size; k++)
                row.Rows[k] = rows.TryGetValue(row.Keys[k], out var other) ? other : throw new FormatException("a neighbour has no row");
        (_rows, _actions) = (rows, actions);
    });
}
