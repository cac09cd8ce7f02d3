using Streaming.Core.Settings;
using Streaming.Storage.Log;
using Streaming.Storage.State;

namespace Streaming.Storage;

/// <summary>A file that belongs into a backup.</summary>
/// <param name="Path">Relative to the folder asked for.</param>
/// <param name="Bytes">Its first bytes that count; what a running node puts behind them does not.</param>
/// <param name="IsClosed">The file as a whole will never change, so that a hard link is as good as a copy.</param>
/// <param name="Content">What is to be written, where it was read already.</param>
public sealed record BackupFile(string Path, long Bytes, bool IsClosed, byte[]? Content = null);

/// <summary>
/// What of a log or a store belongs together, while the node that owns it goes on: everything named here stays as it is, or is removed whole; then
/// opening it fails and the question is to be asked again.
/// </summary>
public static class BackupFiles
{
    private const int SectorBytes = 512;

    /// <summary>Files of one checkpoint of a store, its log included.</summary>
    /// <param name="folder">The store's.</param>
    /// <param name="token">The checkpoint.</param>
    /// <param name="settings">The store's.</param>
    /// <exception cref="InvalidDataException">The checkpoint is missing or damaged.</exception>
    public static IReadOnlyList<BackupFile> OfStore(string folder, string token, HybridStoreSettings settings)
    {
        var checkpoints = Path.Combine(folder, "checkpoints");
        try
        {
            var path = CheckpointManifest.PathOf(checkpoints, token);
            var content = File.ReadAllBytes(path);
            var manifest = CheckpointManifest.Parse(content);
            var files = new List<BackupFile> { new(Path.GetRelativePath(folder, path), content.Length, true, content) };
            files.AddRange(manifest.Files.Select(f => new BackupFile(Path.Combine("checkpoints", f.Path), f.Length, true)));
            files.AddRange(Segments(folder, "log", manifest.Begin, manifest.Tail, (long)settings.SegmentMb << 20));
            return files;
        }
        catch (Exception problem) when (problem is FormatException or IOException)
        {
            throw new InvalidDataException($"checkpoint '{token}' in '{folder}' cannot be read: {problem.Message}", problem);
        }
    }

    /// <summary>Files of an embedded log: of each partition what is committed now.</summary>
    /// <exception cref="InvalidDataException">A partition is damaged.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static IReadOnlyList<BackupFile> OfLog(string folder)
    {
        var files = new List<BackupFile>();
        var manifestPath = Path.Combine(folder, LogManifest.FileName);
        if (!File.Exists(manifestPath)) return files;
        var segmentBytes = LogManifest.Read(manifestPath).SegmentBytes;
        files.Add(Whole(folder, manifestPath));
        foreach (var topic in Directory.EnumerateDirectories(folder))
        {
            foreach (var partition in Directory.EnumerateDirectories(topic).Where(p => int.TryParse(Path.GetFileName(p), out _)))
            {
                var commits = Path.Combine(partition, "commits");
                if (!File.Exists(commits)) continue;
                var content = ReadShared(commits);
                files.Add(new BackupFile(Path.GetRelativePath(folder, commits), content.Length, false, content));
                if (CommitFile.Newest(content) is not { } newest)
                {
                    if (content.Length > 0) throw new InvalidDataException($"'{commits}' holds no whole commit");
                    continue;
                }
                files.AddRange(Segments(partition, "segment", newest.Begin, newest.Until, segmentBytes).Select(f => f with { Path = Path.Combine(Path.GetRelativePath(folder, partition), f.Path) }));
            }
            var groups = Path.Combine(topic, "groups");
            if (Directory.Exists(groups)) files.AddRange(Directory.EnumerateFiles(groups, "*.positions").Select(path => Whole(folder, path)));
        }
        return files;
    }

    private static IEnumerable<BackupFile> Segments(string folder, string name, long begin, long end, long segmentBytes)
    {
        for (var segment = begin / segmentBytes; segment * segmentBytes < end; segment++)
        {
            var file = new FileInfo(Path.Combine(folder, $"{name}.{segment}"));
            // What is behind the end in its last sector is written again with it.
            var until = (end - segment * segmentBytes + SectorBytes - 1) / SectorBytes * SectorBytes;
            var isClosed = (segment + 1) * segmentBytes <= end;
            yield return new BackupFile(file.Name, isClosed ? file.Length : Math.Min(file.Length, until), isClosed);
        }
    }

    private static BackupFile Whole(string folder, string path)
    {
        var content = ReadShared(path);
        return new BackupFile(Path.GetRelativePath(folder, path), content.Length, false, content);
    }

    private static byte[] ReadShared(string path)
    {
        using var file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        var content = new byte[RandomAccess.GetLength(file)];
        var got = 0;
        while (got < content.Length && RandomAccess.Read(file, content.AsSpan(got), got) is > 0 and var more) got += more;
        return content[..got];
    }
}
