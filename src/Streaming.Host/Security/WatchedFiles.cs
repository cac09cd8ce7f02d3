namespace Streaming.Host.Security;

/// <summary>
/// Tells when one of some files has changed, by time and length, looking at most once a second and only when asked: works where files are
/// swapped through links, as Kubernetes does it, and needs no thread.
/// </summary>
internal sealed class WatchedFiles
{
    private const int LookIntervalMs = 1_000;

    private readonly string[] _paths;
    private readonly (DateTime Time, long Length)[] _seen;
    private long _lookedMs = Environment.TickCount64;

    public WatchedFiles(string[] paths)
    {
        _paths = paths;
        _seen = [.. paths.Select(Look)];
    }

    /// <summary>True once per change.</summary>
    public bool HasChanged()
    {
        var now = Environment.TickCount64;
        var looked = Volatile.Read(ref _lookedMs);
        if (now - looked < LookIntervalMs || Interlocked.CompareExchange(ref _lookedMs, now, looked) != looked) return false;
        var changed = false;
        for (var i = 0; i < _paths.Length; i++)
        {
            var look = Look(_paths[i]);
            changed |= look != _seen[i];
            _seen[i] = look;
        }
        return changed;
    }

    private static (DateTime, long) Look(string path)
    {
        var file = new FileInfo(path);
        if (file.LinkTarget is not null && file.ResolveLinkTarget(returnFinalTarget: true) is FileInfo target) file = target;
        return file.Exists ? (file.LastWriteTimeUtc, file.Length) : default;
    }
}
