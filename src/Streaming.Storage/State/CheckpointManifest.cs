using Streaming.Core.Wire;

namespace Streaming.Storage.State;

/// <summary>
/// What belongs to one checkpoint, with checksums: written last, so that a checkpoint without it never happened. Stored form:
/// version byte, CRC-32C (4 bytes) of the rest, index and log token (16 bytes each), begin, tail, count, then path, length and CRC-32C
/// of each file.
/// </summary>
internal sealed record CheckpointManifest(Guid Index, Guid Log, long Begin, long Tail, IReadOnlyList<CheckpointManifest.Part> Files)
{
    private const byte Version = 1;
    private const string Extension = ".manifest";

    /// <param name="Path">Relative to the checkpoints' folder.</param>
    public readonly record struct Part(string Path, long Length, uint Crc);

    public static string PathOf(string folder, string token) => Path.Combine(folder, token + Extension);

    /// <summary>Tokens that have a manifest, oldest first.</summary>
    public static IEnumerable<string> Tokens(string folder) =>
        Directory.EnumerateFiles(folder, "*" + Extension).Select(path => Path.GetFileNameWithoutExtension(path)).Order(StringComparer.Ordinal);

    public byte[] ToBytes()
    {
        var body = new ByteWriter();
        body.Raw(Index.ToByteArray());
        body.Raw(Log.ToByteArray());
        body.Int64(Begin);
        body.Int64(Tail);
        body.Count(Files.Count);
        foreach (var (path, length, crc) in Files)
        {
            body.String(path);
            body.Int64(length);
            body.UInt32(crc);
        }
        var whole = new ByteWriter();
        whole.Byte(Version);
        whole.UInt32(Crc32C.Of(body.WrittenSpan));
        whole.Raw(body.WrittenSpan);
        return whole.WrittenSpan.ToArray();
    }

    /// <exception cref="FormatException">Torn, corrupt, or from a newer build.</exception>
    public static CheckpointManifest Parse(ReadOnlySpan<byte> bytes)
    {
        var reader = new ByteReader(bytes);
        reader.Version(Version, "a checkpoint manifest");
        if (reader.UInt32() != Crc32C.Of(bytes[5..])) throw new FormatException("its checksum is wrong");
        var index = new Guid(reader.Raw(16));
        var log = new Guid(reader.Raw(16));
        var begin = reader.Int64();
        var tail = reader.Int64();
        var files = new Part[reader.Count(13)];
        for (var i = 0; i < files.Length; i++) files[i] = new Part(reader.String() ?? "", reader.Int64(), reader.UInt32());
        return new CheckpointManifest(index, log, begin, tail, files);
    }

    /// <summary>The same, and checks every file that it names.</summary>
    /// <exception cref="InvalidDataException">The checkpoint is missing, torn or corrupt.</exception>
    public static CheckpointManifest ReadAndVerify(string folder, string token)
    {
        try
        {
            var manifest = Parse(File.ReadAllBytes(PathOf(folder, token)));
            foreach (var file in manifest.Files)
                if (CheckpointFiles.Sum(Path.Combine(folder, file.Path)) != (file.Length, file.Crc))
                    throw new FormatException($"'{file.Path}' is not as it was written");
            return manifest;
        }
        catch (Exception e) when (e is FormatException or IOException or UnauthorizedAccessException)
        {
            throw new InvalidDataException($"Checkpoint '{token}' in '{folder}' cannot be used: {e.Message}", e);
        }
    }
}
