using Streaming.Core.Wire;
using TorchSharp;
using static TorchSharp.torch;

namespace Streaming.Models.Layers;

/// <summary>
/// Named tensors in a stream: a magic number, then a checkpoint part (version byte, fields, CRC-32C) with the name, element type, shape and
/// row-major data of each. Of our own, because TorchSharp's format and PyTorch's pickles follow their libraries' versions.
/// </summary>
public static class TensorFile
{
    /// <summary>Tensors in one file.</summary>
    public const int TensorsMax = 4096;

    /// <summary>Bytes of a name, in UTF-8.</summary>
    public const int NameBytesMax = 256;

    /// <summary>Elements of one tensor.</summary>
    public const long ElementsMax = 1L << 28;

    private const byte Format = 1;
    private const int DimsMax = 8;
    private static readonly byte[] Magic = "STTF"u8.ToArray();

    /// <summary>Writes the tensors, in this order, from any device.</summary>
    /// <exception cref="ArgumentException">A name is empty, too long or there twice, or a tensor is of a type or size that is not stored.</exception>
    public static void Save(Stream into, IReadOnlyList<(string Name, Tensor Tensor)> tensors)
    {
        Check(tensors);
        into.Write(Magic);
        var writer = new CheckpointWriter(into, Format);
        writer.Int32(tensors.Count);
        foreach (var (name, tensor) in tensors)
        {
            using var scope = NewDisposeScope();
            var dense = tensor.detach().cpu().contiguous();
            var shape = dense.shape;
            writer.String(name);
            writer.Byte((byte)dense.dtype);
            writer.Int32(shape.Length);
            foreach (var size in shape) writer.Int64(size);
            writer.Values<byte>(dense.bytes);
        }
        writer.Finish();
    }

    /// <summary>Reads all of them, on the CPU, owned by the scope that is open, else by the caller.</summary>
    /// <exception cref="InvalidDataException">Torn, corrupt, or from a newer build; nothing was made.</exception>
    public static IReadOnlyList<(string Name, Tensor Tensor)> Load(Stream from)
    {
        using var scope = NewDisposeScope();
        Span<byte> magic = stackalloc byte[4];
        if (from.ReadAtLeast(magic, 4, throwOnEndOfStream: false) < 4) throw new InvalidDataException("the tensor file is cut short");
        if (!magic.SequenceEqual(Magic)) throw new InvalidDataException("this is not a tensor file: it does not start with STTF");
        var reader = new CheckpointReader(from, Format, "the tensor file");
        var all = new List<(string, Tensor)>();
        var names = new HashSet<string>();
        for (var left = reader.Count(TensorsMax); left > 0; left--)
        {
            var name = reader.String(NameBytesMax);
            if (!names.Add(name)) throw new InvalidDataException($"the tensor file holds '{name}' twice");
            all.Add((name, Read(reader, name)));
        }
        reader.Finish();
        foreach (var (_, tensor) in all) tensor.MoveToOuterDisposeScope();
        return all;
    }

    private static Tensor Read(CheckpointReader reader, string name)
    {
        var type = (ScalarType)(sbyte)reader.Byte();
        var width = Width(type) ?? throw new InvalidDataException($"the tensor file: '{name}' has the unknown element type {(int)type}");
        var shape = new long[reader.Count(DimsMax)];
        long elements = 1;
        for (var i = 0; i < shape.Length; i++)
        {
            shape[i] = reader.Int64();
            if (shape[i] < 0 || shape[i] > ElementsMax || (elements *= shape[i]) > ElementsMax)
                throw new InvalidDataException($"the tensor file: '{name}' is larger than {ElementsMax} elements");
        }
        // In pieces, so that a corrupt size meets the end of the file before it has taken memory.
        var bytes = new MemoryStream();
        var piece = new byte[(int)Math.Min(1 << 20, Math.Max(1, elements * width))];
        for (var left = elements * width; left > 0; left -= piece.Length)
        {
            var part = piece.AsSpan(0, (int)Math.Min(left, piece.Length));
            reader.Raw(part);
            bytes.Write(part);
        }
        var tensor = empty(shape, type);
        tensor.bytes = bytes.GetBuffer().AsSpan(0, (int)bytes.Length);
        return tensor;
    }

    private static void Check(IReadOnlyList<(string Name, Tensor Tensor)> tensors)
    {
        if (tensors.Count > TensorsMax) throw new ArgumentException($"{tensors.Count} tensors; one file holds {TensorsMax} at most");
        var names = new HashSet<string>();
        foreach (var (name, tensor) in tensors)
        {
            if (name.Length == 0 || System.Text.Encoding.UTF8.GetByteCount(name) > NameBytesMax) throw new ArgumentException($"'{name}' is no name of 1 to {NameBytesMax} bytes");
            if (!names.Add(name)) throw new ArgumentException($"'{name}' is there twice");
            if (Width(tensor.dtype) is not { } width || tensor.ndim > DimsMax || tensor.numel() > ElementsMax || tensor.numel() * width > int.MaxValue)
                throw new ArgumentException($"'{name}', {tensor}, is of a type or size that is not stored");
        }
    }

    private static int? Width(ScalarType type) => type switch
    {
        ScalarType.Float64 or ScalarType.Int64 => 8,
        ScalarType.Float32 or ScalarType.Int32 => 4,
        ScalarType.Byte or ScalarType.Bool => 1,
        _ => null,
    };
}
