using System.Runtime.InteropServices;
using Streaming.Core.Wire;
using Streaming.Models.Deep;
using Streaming.Models.Embeddings;

namespace Streaming.Learning.Deep;

/// <summary>
/// Weights of a model as pieces of bounded length. A piece is a row of sections, none of which goes over its end: a block of an embedding table
/// (<see cref="EmbeddingTable.WriteDelta"/>) or a part of a dense array (index, offset, count, values).
/// </summary>
public static class WeightsCodec
{
    private const byte TableSection = 1;
    private const byte DenseSection = 2;

    /// <summary>Bytes of a section before its rows or values at most.</summary>
    private const int SectionBytesMax = 32;

    /// <summary>What has changed in the tables since the last delta, which is then forgotten, and the dense weights if wanted.</summary>
    /// <param name="chunkBytesMax">Length of a piece at most; a row of any table must fit.</param>
    public static List<byte[]> Delta(DeepWeights weights, bool dense, int chunkBytesMax)
    {
        var pieces = new Pieces(chunkBytesMax);
        for (var i = 0; i < weights.Tables.Count; i++)
        {
            var table = weights.Tables[i].Table;
            for (var more = table.ChangedRows + table.RemovedKeys > 0; more;)
                more = table.WriteDelta(pieces.Section(TableSection, i, table.Dim), pieces.Room);
        }
        if (dense) AddDense(weights, pieces);
        return pieces.Finish();
    }

    /// <summary>Everything. What has changed stays noted.</summary>
    /// <inheritdoc cref="Delta"/>
    public static List<byte[]> All(DeepWeights weights, int chunkBytesMax)
    {
        var pieces = new Pieces(chunkBytesMax);
        for (var i = 0; i < weights.Tables.Count; i++)
        {
            var (table, cursor) = (weights.Tables[i].Table, 0);
            for (var more = table.Count > 0; more;)
                more = table.WriteAll(pieces.Section(TableSection, i, table.Dim), ref cursor, pieces.Room);
        }
        AddDense(weights, pieces);
        return pieces.Finish();
    }

    /// <summary>Reads all pieces against the shape of the weights and changes nothing. Returns whether every value is finite.</summary>
    /// <exception cref="FormatException">Cut short, corrupt, of another shape, or from a newer build.</exception>
    public static bool Check(DeepWeights weights, IReadOnlyList<byte[]> chunks) => Walk(weights, chunks, apply: false);

    /// <summary>Puts what <see cref="Check"/> has found sound into the weights; a snapshot replaces all rows.</summary>
    public static void Apply(DeepWeights weights, UpdateKind kind, IReadOnlyList<byte[]> chunks)
    {
        if (kind == UpdateKind.Snapshot)
            foreach (var (_, table) in weights.Tables) table.Clear();
        Walk(weights, chunks, apply: true);
    }

    /// <summary>Makes weights equal to others of the same shape; optimizer state of rows that both have stays.</summary>
    /// <param name="nowMs">When rows that only the others have count as touched.</param>
    public static void Take(DeepWeights into, DeepWeights from, long nowMs)
    {
        for (var i = 0; i < into.Tables.Count; i++) into.Tables[i].Table.TakeValues(from.Tables[i].Table, nowMs);
        for (var i = 0; i < into.Dense.Count; i++)
        {
            var values = new float[from.Dense[i].Length];
            from.Dense[i].CopyTo(values);
            into.Dense[i].CopyFrom(values);
        }
    }

    private static void AddDense(DeepWeights weights, Pieces pieces)
    {
        for (var i = 0; i < weights.Dense.Count; i++)
        {
            var values = new float[weights.Dense[i].Length];
            weights.Dense[i].CopyTo(values);
            for (var at = 0; at < values.Length;)
            {
                var into = pieces.Section(DenseSection, i, columns: 1);
                var part = values.AsSpan(at, Math.Min(values.Length - at, (pieces.Room - SectionBytesMax) / sizeof(float)));
                into.Count(at);
                into.Singles(part);
                at += part.Length;
            }
        }
    }

    private static bool Walk(DeepWeights weights, IReadOnlyList<byte[]> chunks, bool apply)
    {
        var (finite, dense, filled, values) = (true, 0, 0, Array.Empty<float>());
        foreach (var chunk in chunks)
        {
            var reader = new ByteReader(chunk);
            while (!reader.AtEnd)
            {
                var (kind, index) = (reader.Byte(), reader.VarInt());
                if (kind is not (TableSection or DenseSection)) throw new FormatException($"a version of a model has a section of unknown kind {kind}");
                var there = kind == TableSection ? weights.Tables.Count : weights.Dense.Count;
                if (index >= (ulong)there) throw new FormatException($"a version of a model has section {index} of its kind; the model has {there}");
                if (kind == TableSection)
                {
                    if (filled > 0) throw new FormatException("a version of a model has a dense array that is cut short");
                    if (apply) weights.Tables[(int)index].Table.ApplyDelta(ref reader);
                    else finite &= weights.Tables[(int)index].Table.CheckDelta(ref reader);
                    continue;
                }
                if (filled == 0) (dense, values) = ((int)index, new float[weights.Dense[(int)index].Length]);
                finite &= Fill(ref reader, (int)index == dense, values, ref filled);
                if (filled < values.Length) continue;
                if (apply) weights.Dense[dense].CopyFrom(values);
                filled = 0;
            }
        }
        return filled == 0 ? finite : throw new FormatException("a version of a model has a dense array that is cut short");
    }

    /// <summary>Reads the next part of a dense array.</summary>
    private static bool Fill(ref ByteReader reader, bool isSame, float[] values, ref int filled)
    {
        var (at, count) = (reader.VarInt(), reader.Count(sizeof(float)));
        if (!isSame || at != (ulong)filled || count > values.Length - filled)
            throw new FormatException($"a part of a dense array at {at} does not follow the one that ends at {filled} of {values.Length}");
        var part = values.AsSpan(filled, count);
        reader.Raw(count * sizeof(float)).CopyTo(MemoryMarshal.AsBytes(part));
        filled += count;
        foreach (var value in part)
            if (!float.IsFinite(value)) return false;
        return true;
    }

    /// <summary>Starts a new piece whenever the present one has no room for another section worth its head.</summary>
    private sealed class Pieces(int bytesMax)
    {
        private readonly List<byte[]> _done = [];
        private readonly ByteWriter _open = new(4096);

        public int Room => bytesMax - _open.Length;

        public ByteWriter Section(byte kind, int index, int columns)
        {
            if (Room < 2 * SectionBytesMax + columns * sizeof(float)) Close();
            _open.Byte(kind);
            _open.Count(index);
            return _open;
        }

        public List<byte[]> Finish()
        {
            if (_open.Length > 0 || _done.Count == 0) Close();
            return _done;
        }

        private void Close()
        {
            _done.Add(_open.WrittenSpan.ToArray());
            _open.Clear();
        }
    }
}
