using Streaming.Core.Ports;
using Streaming.Evaluation;

namespace Streaming.Simulation;

/// <summary>
/// Files as they lie on the disk of the machine, over all lives. The end of a process leaves what it has written, the last file perhaps
/// in part; a power cut also takes what was not synced, and the last renames and deletions: a journal keeps their order, and syncing
/// any file writes it out.
/// </summary>
public sealed class FileDisk
{
    private readonly List<Action> _undo = [];

    internal sealed class Content
    {
        public byte[] Bytes = [];
        public bool Synced;
    }

    internal SortedDictionary<string, Content> Files { get; } = new(StringComparer.Ordinal);
    internal SortedSet<string> Folders { get; } = new(StringComparer.Ordinal);

    internal void Undoable(Action undo) => _undo.Add(undo);

    internal void Sync(Content content)
    {
        content.Synced = true;
        _undo.Clear();
    }

    internal void Crash(bool powerCut, ref Draws draws)
    {
        if (!powerCut) return;
        for (var left = draws.Below(_undo.Count + 1); left > 0; left--)
        {
            _undo[^1]();
            _undo.RemoveAt(_undo.Count - 1);
        }
        _undo.Clear();
        foreach (var file in Files.Values)
        {
            if (!file.Synced) file.Bytes = file.Bytes[..draws.Below(file.Bytes.Length + 1)];
            file.Synced = true;
        }
    }

    /// <summary>Damages one file: bits turned, cut short, or gone.</summary>
    internal string Damage(string path, ref Draws draws)
    {
        var file = Files[path];
        switch (draws.Below(3))
        {
            case 0 when file.Bytes.Length > 0:
                file.Bytes = (byte[])file.Bytes.Clone();
                file.Bytes[draws.Below(file.Bytes.Length)] ^= (byte)(1 << draws.Below(8));
                return "bit";
            case 1 when file.Bytes.Length > 0:
                file.Bytes = file.Bytes[..draws.Below(file.Bytes.Length)];
                return "cut";
            default:
                Files.Remove(path);
                return "gone";
        }
    }
}

/// <summary>One life's access to the files.</summary>
internal sealed class SimFiles(World world, Life life, FileDisk disk, Faults faults) : IFiles
{
    public void CreateFolder(string path)
    {
        life.Point("files:folder");
        if (disk.Folders.Add(path)) disk.Undoable(() => disk.Folders.Remove(path));
    }

    public IReadOnlyList<string> FoldersIn(string path)
    {
        life.ThrowIfDead();
        return [.. disk.Folders.Where(f => Path.GetDirectoryName(f) == path).Select(f => Path.GetFileName(f))];
    }

    public void Write(string path, Action<Stream> write)
    {
        life.Point("files:create");
        if (!disk.Folders.Contains(Path.GetDirectoryName(path)!)) throw new DirectoryNotFoundException(path);
        if (disk.Files.ContainsKey(path)) throw new IOException($"'{path}' exists");
        var file = disk.Files[path] = new FileDisk.Content();
        disk.Undoable(() => disk.Files.Remove(path));
        using var bytes = new MemoryStream();
        write(bytes);
        file.Bytes = bytes.ToArray()[..faults.Below((int)bytes.Length + 1)];
        life.Point("files:part");
        // Called by the rounds' thread, which blocks while the disk works; the others go on.
        world.Pass(faults.DiskDelay(), life);
        if (faults.CheckpointFails()) throw new IOException("the simulated disk is full");
        file.Bytes = bytes.ToArray();
        life.Point("files:written");
        disk.Sync(file);
        life.Point("files:synced");
    }

    public Stream? Open(string path)
    {
        life.ThrowIfDead();
        return disk.Files.TryGetValue(path, out var file) ? new MemoryStream(file.Bytes, writable: false) : null;
    }

    public void Move(string from, string to)
    {
        life.Point("files:move");
        var file = disk.Files[from];
        disk.Files.Remove(from);
        disk.Files[to] = file;
        disk.Undoable(() =>
        {
            disk.Files.Remove(to);
            disk.Files[from] = file;
        });
        life.Point("files:moved");
    }

    public void DeleteFolder(string path)
    {
        foreach (var file in disk.Files.Keys.Where(f => Path.GetDirectoryName(f) == path).ToArray())
        {
            life.Point("files:delete");
            var content = disk.Files[file];
            disk.Files.Remove(file);
            disk.Undoable(() => disk.Files[file] = content);
        }
        life.Point("files:delete");
        if (disk.Folders.Remove(path)) disk.Undoable(() => disk.Folders.Add(path));
    }
}
