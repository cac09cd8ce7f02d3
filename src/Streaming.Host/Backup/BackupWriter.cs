using System.ComponentModel;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.Win32.SafeHandles;
using Streaming.Core.Settings;
using Streaming.Node;
using Streaming.Storage;

namespace Streaming.Host.Backup;

/// <summary>What a backup cost.</summary>
public sealed record BackupOutcome(BackupManifest Manifest, long Bytes, long CopiedBytes);

/// <summary>
/// Copies a data folder while its node runs, without the node's help: the newest whole checkpoint, then the workers, then the log, so that the log
/// always reaches further than what rests on it. Files that never change any more are linked where the file system allows it. When the node
/// removes something meanwhile, as it does after each checkpoint, it is begun again.
/// </summary>
internal sealed partial class BackupWriter
{
    private const int TriesMax = 5;

    private readonly StreamingSettings _settings;
    private readonly string _from;
    private readonly string _to;
    private readonly bool _mayLink;
    private readonly IReadOnlyDictionary<string, BackedUpFile> _previous;
    private readonly string? _previousFolder;
    private readonly List<BackedUpFile> _files = [];
    private readonly Action<double>? _progress;
    private ByteProgress? _read;
    private long _copied;

    private BackupWriter(StreamingSettings settings, string from, string to, bool mayLink, string? previous, Action<double>? progress)
    {
        _progress = progress;
        (_settings, _from, _to, _mayLink, _previousFolder) = (settings, from, to, mayLink, previous);
        _previous = previous is null ? new Dictionary<string, BackedUpFile>() : BackupManifest.Read(previous).Files.ToDictionary(f => f.Path);
    }

    /// <param name="settings">The node's: how its stores are laid out.</param>
    /// <param name="from">Its data folder.</param>
    /// <param name="to">A folder that is missing or empty.</param>
    /// <param name="mayLink">Whether files may be links to the node's own.</param>
    /// <param name="previous">A backup of the same node, or null: files that are the same in it are linked to it.</param>
    /// <param name="time">Says when.</param>
    /// <param name="cancel">Leaves what is no backup.</param>
    /// <param name="progress">Told about what share of the bytes has been copied, or read where a link does, 0 to 1; from the start again where the node was faster.</param>
    /// <exception cref="IOException">The target is not empty, the disk is full, ...</exception>
    /// <exception cref="InvalidDataException">The node's folder is damaged, or was changing too fast.</exception>
    public static BackupOutcome Run(
        StreamingSettings settings, string from, string to, bool mayLink, string? previous, TimeProvider time, CancellationToken cancel, Action<double>? progress = null)
    {
        if (!Directory.Exists(from)) throw new IOException($"there is no data folder '{from}'; name it with --data-dir");
        if (Directory.Exists(to) && Directory.EnumerateFileSystemEntries(to).Any()) throw new IOException($"'{to}' is not empty; a backup needs a folder of its own");
        for (var tries = 1; ; tries++)
        {
            var writer = new BackupWriter(settings, Path.GetFullPath(from), Path.GetFullPath(to), mayLink, previous, progress);
            try
            {
                return writer.Write(time, cancel);
            }
            catch (Exception problem) when (problem is FileNotFoundException or DirectoryNotFoundException or InvalidDataException && tries < TriesMax)
            {
                Directory.Delete(to, recursive: true);
                Thread.Yield();
            }
        }
    }

    private BackupOutcome Write(TimeProvider time, CancellationToken cancel)
    {
        Directory.CreateDirectory(_to);
        var checkpoint = Newest();
        // Looked through twice where somebody watches, as each part's files are those that are there when its turn comes.
        _read = new ByteProgress(_progress is null ? 0 : Parts(checkpoint).Sum(part => part.Files.Sum(f => f.Bytes)), _progress);
        foreach (var (folder, files) in Parts(checkpoint)) Take(folder, files, cancel);
        var settings = JsonSerializer.SerializeToUtf8Bytes(_settings, new JsonSerializerOptions { WriteIndented = true, IgnoreReadOnlyProperties = true });
        Take("", [new BackupFile("settings.json", settings.Length, false, settings)], cancel);
        var manifest = new BackupManifest
        {
            Build = Assembly.GetExecutingAssembly().GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown",
            CreatedMs = time.GetUtcNow().ToUnixTimeMilliseconds(), Checkpoint = checkpoint?.Id ?? 0, Log = _settings.Log.Kind, Files = _files,
        };
        manifest.Write(_to);
        return new BackupOutcome(manifest, _files.Sum(f => f.Bytes), _copied);
    }

    /// <summary>The newest whole checkpoint; null for none.</summary>
    private CheckpointManifest? Newest()
    {
        var folder = Path.Combine(_from, "checkpoints");
        if (!Directory.Exists(folder)) return null;
        var checkpoints = new Checkpoints(folder, _settings.Node.CheckpointsKept, _ => { });
        if (checkpoints.List().FirstOrDefault() is not { } newest)
            return checkpoints.Any ? throw new InvalidDataException($"no checkpoint in '{folder}' can be read") : null;
        checkpoints.Verify(newest);
        return newest;
    }

    /// <summary>What belongs together, in the order in which it is copied: the checkpoint with what it rests on first, the log last, so that it has what they have read.</summary>
    private IEnumerable<(string Folder, IEnumerable<BackupFile> Files)> Parts(CheckpointManifest? newest)
    {
        if (newest is not null)
        {
            var own = Path.Combine(_from, "checkpoints", newest.Id.ToString("D12"));
            yield return (Path.GetRelativePath(_from, own), [.. newest.Parts.Select(p => new BackupFile(p.File, p.Bytes, true)), .. Everything(own, "manifest.json")]);
            yield return ("users", BackupFiles.OfStore(Path.Combine(_from, "users"), newest.UsersToken, _settings.Storage.State));
            yield return ("feeds", BackupFiles.OfStore(Path.Combine(_from, "feeds"), newest.FeedsToken, _settings.Storage.Cache));
        }
        yield return ("deletions", Everything(Path.Combine(_from, "deletions"), "*.json"));
        var workers = Path.Combine(_from, "workers");
        if (Directory.Exists(workers))
            foreach (var worker in Directory.EnumerateDirectories(workers))
                yield return (Path.GetRelativePath(_from, worker), [.. Everything(worker, "state-*.bin"), .. Everything(worker, "steps-*.bin"), .. Everything(worker, "ledger.jsonl")]);
        if (_settings.Log.Kind == "embedded") yield return ("log", BackupFiles.OfLog(Path.Combine(_from, "log")));
    }

    private static IEnumerable<BackupFile> Everything(string folder, string pattern) => !Directory.Exists(folder)
        ? []
        : [.. Directory.EnumerateFiles(folder, pattern).Select(path => new BackupFile(Path.GetFileName(path), new FileInfo(path).Length, false))];

    private void Take(string folder, IEnumerable<BackupFile> files, CancellationToken cancel)
    {
        foreach (var file in files)
        {
            cancel.ThrowIfCancellationRequested();
            var relative = Path.Combine(folder, file.Path).Replace(Path.DirectorySeparatorChar, '/');
            var (source, target) = (Path.Combine(_from, relative), Path.Combine(_to, relative));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            var sha = file.Content is { } content ? WriteContent(target, content)
                : file.IsClosed && _mayLink && TryLink(source, target) ? BackupReader.Sum(target, file.Bytes, _read)
                : file.IsClosed && TryPrevious(relative, source, target) is { } known ? known
                : Copy(source, target, file.Bytes);
            _files.Add(new BackedUpFile(relative, new FileInfo(target).Length, sha));
        }
    }

    private string WriteContent(string target, byte[] content)
    {
        using (var stream = new FileStream(target, FileMode.CreateNew, FileAccess.Write))
        {
            stream.Write(content);
            stream.Flush(flushToDisk: true);
        }
        _copied += content.Length;
        return Convert.ToHexStringLower(SHA256.HashData(content));
    }

    private string Copy(string source, string target, long bytes)
    {
        using SafeFileHandle from = File.OpenHandle(source, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        using SafeFileHandle to = File.OpenHandle(target, FileMode.CreateNew, FileAccess.Write);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = new byte[1 << 20];
        long at = 0;
        while (at < bytes && RandomAccess.Read(from, buffer.AsSpan(0, (int)Math.Min(buffer.Length, bytes - at)), at) is > 0 and var got)
        {
            hash.AppendData(buffer, 0, got);
            RandomAccess.Write(to, buffer.AsSpan(0, got), at);
            at += got;
            _read?.Add(got);
        }
        if (at < bytes) throw new InvalidDataException($"'{source}' has {at} of {bytes} bytes");
        RandomAccess.FlushToDisk(to);
        _copied += bytes;
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private string? TryPrevious(string relative, string source, string target)
    {
        if (!_previous.TryGetValue(relative, out var known) || new FileInfo(source).Length != known.Bytes) return null;
        return BackupReader.Sum(source, known.Bytes, _read) == known.Sha256 && TryLink(Path.Combine(_previousFolder!, relative), target) ? known.Sha256 : null;
    }

    /// <summary>False where the file system has no links, or the two lie on different ones.</summary>
    private static bool TryLink(string source, string target)
    {
        if (OperatingSystem.IsWindows()) return false;
        if (Link(source, target) == 0) return true;
        if (Marshal.GetLastPInvokeError() == 2) throw new FileNotFoundException(new Win32Exception(2).Message, source);
        return false;
    }

    [LibraryImport("libc", EntryPoint = "link", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Link(string source, string target);
}
