using System.Security.Cryptography;

namespace Streaming.Host.Backup;

/// <summary>Checks a backup, and makes a data folder of it.</summary>
internal static class BackupReader
{
    /// <summary>Reads every file and compares its hash.</summary>
    /// <param name="folder">The backup.</param>
    /// <param name="cancel">Ends it between files.</param>
    /// <param name="progress">Told the share of the bytes that has been read, 0 to 1.</param>
    /// <exception cref="InvalidDataException">Naming the file that is missing, or not as it was written.</exception>
    public static BackupManifest Verify(string folder, CancellationToken cancel, Action<double>? progress = null)
    {
        var manifest = BackupManifest.Read(folder);
        var read = new ByteProgress(manifest.Files.Sum(f => f.Bytes), progress);
        foreach (var file in manifest.Files)
        {
            cancel.ThrowIfCancellationRequested();
            Check(folder, file, path => Sum(path, file.Bytes, read));
        }
        return manifest;
    }

    /// <summary>
    /// Copies a backup into a new data folder, each file checked as it is copied. The folder appears under its name when it is whole.
    /// </summary>
    /// <param name="folder">The backup.</param>
    /// <param name="dataDir">A folder that is missing or empty.</param>
    /// <param name="cancel">Leaves a folder DATADIR.restoring behind, which can be deleted.</param>
    /// <param name="progress">Told the share of the bytes that has been copied, 0 to 1.</param>
    /// <exception cref="InvalidDataException">As <see cref="Verify"/>.</exception>
    /// <exception cref="IOException">The target is not empty, the disk is full, ...</exception>
    public static BackupManifest Restore(string folder, string dataDir, CancellationToken cancel, Action<double>? progress = null)
    {
        var manifest = BackupManifest.Read(folder);
        var copied = new ByteProgress(manifest.Files.Sum(f => f.Bytes), progress);
        var target = Path.GetFullPath(dataDir);
        if (File.Exists(target) || (Directory.Exists(target) && Directory.EnumerateFileSystemEntries(target).Any()))
            throw new IOException($"'{target}' is not empty; restore into a folder that is missing or empty");
        var next = target.TrimEnd('/') + ".restoring";
        if (Directory.Exists(next)) Directory.Delete(next, recursive: true);
        Directory.CreateDirectory(next);
        foreach (var file in manifest.Files)
        {
            cancel.ThrowIfCancellationRequested();
            var path = Path.Combine(next, file.Path);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            Check(folder, file, from => CopyAndSum(from, path, copied));
        }
        if (Directory.Exists(target)) Directory.Delete(target);
        Directory.Move(next, target);
        return manifest;
    }

    /// <summary>SHA-256 of a file's first bytes.</summary>
    internal static string Sum(string path, long bytes, ByteProgress? read = null)
    {
        using var file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = new byte[1 << 20];
        long at = 0;
        while (at < bytes && RandomAccess.Read(file, buffer.AsSpan(0, (int)Math.Min(buffer.Length, bytes - at)), at) is > 0 and var got)
        {
            hash.AppendData(buffer, 0, got);
            at += got;
            read?.Add(got);
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private static void Check(string folder, BackedUpFile file, Func<string, string> sum)
    {
        var path = Path.Combine(folder, file.Path);
        if (!File.Exists(path)) throw new InvalidDataException($"the backup in '{folder}' is damaged: '{file.Path}' is missing");
        if (new FileInfo(path).Length != file.Bytes || sum(path) != file.Sha256)
            throw new InvalidDataException($"the backup in '{folder}' is damaged: '{file.Path}' is not as it was written");
    }

    private static string CopyAndSum(string from, string to, ByteProgress copied)
    {
        using var source = new FileStream(from, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 20);
        using var target = new FileStream(to, FileMode.CreateNew, FileAccess.Write, FileShare.None, 1 << 20);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = new byte[1 << 20];
        while (source.Read(buffer) is > 0 and var got)
        {
            hash.AppendData(buffer, 0, got);
            target.Write(buffer, 0, got);
            copied.Add(got);
        }
        target.Flush(flushToDisk: true);
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
