using System.IO.Compression;
using System.Security.Cryptography;

namespace Streaming.Evaluation.DataSets;

/// <summary>What a file is.</summary>
/// <param name="Path">The file.</param>
/// <param name="Sha256">Of its content, in the sense of <see cref="KnownFile.Sha256"/>.</param>
/// <param name="Set">The known set that it is of, by its content or else by its name; null for neither.</param>
/// <param name="File">The known file whose content it has; null where the content is another one.</param>
public sealed record CheckedFile(string Path, string Sha256, KnownSet? Set, KnownFile? File)
{
    /// <summary>It has the name of a known file and another content.</summary>
    public bool IsOther => Set is not null && File is null;
}

/// <summary>Tells known sets by their files' hashes.</summary>
public static class DataCheck
{
    private const int DepthMax = 3;

    /// <summary>A file, or all files of a folder and its sub-folders that have a known file's name.</summary>
    /// <param name="path">File or folder.</param>
    /// <param name="progress">Told the share of the bytes read.</param>
    /// <param name="cancel">Stops between reads.</param>
    /// <exception cref="DataSetException">Nothing is there, or a file cannot be read.</exception>
    public static IReadOnlyList<CheckedFile> Run(string path, Action<double>? progress, CancellationToken cancel)
    {
        if (!Directory.Exists(path) && !File.Exists(path)) throw new DataSetException(path, 0, "there is no such file or folder");
        string[] files = File.Exists(path) ? [path]
            : [.. Directory.EnumerateFiles(path, "*", new EnumerationOptions { RecurseSubdirectories = true, MaxRecursionDepth = DepthMax })
                .Where(f => ByName(f).Any()).Order(StringComparer.Ordinal)];
        var total = Math.Max(1.0, files.Sum(f => new FileInfo(f).Length));
        var before = 0L;
        var found = new List<CheckedFile>();
        foreach (var file in files)
        {
            found.Add(Check(file, read => progress?.Invoke((before + read) / total), cancel));
            progress?.Invoke((before += new FileInfo(file).Length) / total);
        }
        return found;
    }

    private static CheckedFile Check(string file, Action<long> read, CancellationToken cancel)
    {
        var hash = Hash(file, read, cancel);
        foreach (var set in KnownSets.All)
            if (set.Files.FirstOrDefault(f => f.Sha256 == hash) is { } known) return new CheckedFile(file, hash, set, known);
        return new CheckedFile(file, hash, ByName(file).FirstOrDefault(), null);
    }

    private static IEnumerable<KnownSet> ByName(string file)
    {
        var name = Path.GetFileName(file);
        foreach (var packed in (string[])[".gz", ".zst"])
            if (name.EndsWith(packed, StringComparison.Ordinal)) name = name[..^packed.Length];
        return KnownSets.All.Where(s => s.Files.Any(f => f.Name == name));
    }

    /// <param name="file">Packed or not.</param>
    /// <param name="read">Told how many of the file's own bytes are read; of an archive nothing, it is unpacked first.</param>
    /// <param name="cancel">Stops between reads.</param>
    private static string Hash(string file, Action<long> read, CancellationToken cancel)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        try
        {
            if (Path.GetFileName(file).Contains(".tar", StringComparison.OrdinalIgnoreCase))
            {
                using var archive = UnpackedArchive.Open(file, null);
                foreach (var member in archive.Members)
                {
                    using var bytes = archive.OpenMember(member);
                    Add(hash, bytes, _ => { }, cancel);
                }
            }
            else
            {
                using var content = LineReader.OpenStream(file);
                var own = content is GZipStream zip ? zip.BaseStream : content;
                Add(hash, content, _ => read(own.Position), cancel);
            }
        }
        catch (Exception e) when (e is IOException or InvalidDataException)
        {
            throw new DataSetException(file, 0, "cannot be read to its end: " + e.Message, e);
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private static void Add(IncrementalHash hash, Stream content, Action<int> told, CancellationToken cancel)
    {
        var buffer = new byte[1 << 18];
        for (int read; (read = content.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false)) > 0; told(read))
        {
            cancel.ThrowIfCancellationRequested();
            hash.AppendData(buffer, 0, read);
        }
    }
}
