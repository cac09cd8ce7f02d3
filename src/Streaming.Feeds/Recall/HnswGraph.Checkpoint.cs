using Streaming.Core.Wire;

namespace Streaming.Feeds.Recall;

internal sealed partial class HnswGraph
{
    internal void Save(CheckpointWriter writer)
    {
        writer.Int32(_options.M);
        writer.Int64((long)_options.Seed);
        var used = Math.Min(_level.Length, _rows.SlotsUsed);
        writer.Int32(used);
        writer.Int32(_entry);
        writer.Values<sbyte>(_level.AsSpan(0, used));
        for (var slot = 0; slot < used; slot++)
            for (var layer = 0; layer <= _level[slot]; layer++)
            {
                var links = Neighbours(slot, layer);
                writer.Int32(links.Length);
                writer.Values(links);
            }
    }

    /// <summary>A graph over rows that are restored already.</summary>
    /// <exception cref="InvalidDataException">Of another shape, or not sound.</exception>
    internal static HnswGraph Restored(CheckpointReader reader, FlatVectorIndex rows, HnswOptions options)
    {
        var graph = new HnswGraph(rows, options);
        reader.Expect(options.M, "M");
        if (reader.Int64() != (long)options.Seed) throw new InvalidDataException("the graph was made with another seed");
        var used = reader.Count(rows.SlotsUsed);
        graph._entry = reader.Int32();
        if (used > 0) graph.Reserve(used - 1);
        reader.Values(graph._level.AsSpan(0, used));
        for (var slot = 0; slot < used; slot++)
        {
            var level = graph._level[slot];
            if (level < None || level > LevelMax || (level >= 0 && rows.KeyAt(slot) == 0)) throw Unsound();
            if (level < 0) continue;
            graph.Count++;
            if (level > 0) graph._upper[slot] = new int[level * (options.M + 1)];
            for (var layer = 0; layer <= level; layer++) ReadLinks(reader, graph.Links(slot, layer), used);
        }
        if (graph._entry < None || graph._entry >= used || (graph._entry == None) != (graph.Count == 0)) throw Unsound();
        if (graph._entry >= 0 && !graph.Has(graph._entry)) throw Unsound();
        return graph;
    }

    private static void ReadLinks(CheckpointReader reader, Span<int> links, int used)
    {
        links[0] = reader.Count(links.Length - 1);
        var slots = links.Slice(1, links[0]);
        reader.Values(slots);
        foreach (var slot in slots)
            if (slot < 0 || slot >= used) throw Unsound();
    }

    private static InvalidDataException Unsound() => new("the vector index's graph is not sound");
}
