using Streaming.Core.Wire;
using Streaming.Models.Embeddings;
using Streaming.Models.Optimizers;

namespace Streaming.Models.Deep;

/// <summary>
/// The file of a deep model: a part with its shape, dense weights and optimiser, then its tables one after the other, each with a
/// checksum. Loading reads everything into fresh places first, so that a bad file leaves the model as it was.
/// </summary>
internal static class DeepCheckpoint
{
    /// <param name="into">Written from where it stands.</param>
    /// <param name="version">Of the model's format.</param>
    /// <param name="shape">Numbers that must be equal for the file to fit, with their names.</param>
    /// <param name="weights">What the model has learned.</param>
    /// <param name="optimizer">Of the dense weights.</param>
    public static void Save(
        Stream into, byte version, IReadOnlyList<(string Name, int Value)> shape, DeepWeights weights, IDenseOptimizer optimizer)
    {
        var writer = new CheckpointWriter(into, version);
        foreach (var (_, value) in shape) writer.Int32(value);
        foreach (var dense in weights.Dense)
        {
            var values = new float[dense.Length];
            dense.CopyTo(values);
            writer.Int32(dense.Length);
            writer.Values<float>(values);
        }
        optimizer.Save(writer);
        writer.Int32(weights.Tables.Count);
        writer.Finish();
        foreach (var (_, table) in weights.Tables) table.Save(into);
    }

    /// <param name="from">Positioned where <see cref="Save"/> began; one that cannot seek is read into memory.</param>
    /// <param name="versionMax">Newest version that the model reads.</param>
    /// <param name="what">The model, for messages.</param>
    /// <param name="shape">As <see cref="Save"/> of that version was given.</param>
    /// <param name="weights">Filled.</param>
    /// <param name="optimizer">Filled.</param>
    /// <param name="fresh">Makes an empty table like that of the same place in <paramref name="weights"/>.</param>
    /// <exception cref="InvalidDataException">Torn, corrupt, of another shape, or from a newer build; nothing was changed.</exception>
    public static void Load(
        Stream from, byte versionMax, string what, Func<byte, IReadOnlyList<(string Name, int Value)>> shape, DeepWeights weights,
        IDenseOptimizer optimizer, Func<int, EmbeddingTable> fresh)
    {
        using var memory = from.CanSeek ? null : new MemoryStream();
        if (memory is not null)
        {
            from.CopyTo(memory);
            memory.Position = 0;
            from = memory;
        }
        var reader = new CheckpointReader(from, versionMax, what);
        foreach (var (name, value) in shape(reader.Version)) reader.Expect(value, name);
        var values = new float[weights.Dense.Count][];
        for (var i = 0; i < values.Length; i++)
        {
            reader.Expect(weights.Dense[i].Length, $"{weights.Dense[i].Name} of length");
            values[i] = new float[weights.Dense[i].Length];
            reader.Values(values[i].AsSpan());
        }
        var takeOver = optimizer.Read(reader);
        reader.Expect(weights.Tables.Count, "a number of tables of");
        reader.Finish();
        var tables = from.Position;
        for (var i = 0; i < weights.Tables.Count; i++) fresh(i).Load(from);
        // All of it is sound: now for the model itself.
        from.Position = tables;
        foreach (var (_, table) in weights.Tables) table.Load(from);
        takeOver();
        for (var i = 0; i < values.Length; i++) weights.Dense[i].CopyFrom(values[i]);
    }
}
