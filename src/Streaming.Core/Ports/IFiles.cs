namespace Streaming.Core.Ports;

/// <summary>The port of the few things that checkpoints ask of a file system. Paths are as the caller joins them.</summary>
public interface IFiles
{
    /// <summary>Creates a folder and those above it; fine where it exists.</summary>
    /// <exception cref="IOException">Disk full or not writable; so with every member that writes.</exception>
    void CreateFolder(string path);

    /// <summary>Names, without their path, of the folders in a folder; in no particular order.</summary>
    IReadOnlyList<string> FoldersIn(string path);

    /// <summary>Writes a new file; it is on the disk itself when this returns. After a failure or a crash a part of it may be there.</summary>
    void Write(string path, Action<Stream> write);

    /// <summary>Opens a file for reading; null where there is none.</summary>
    Stream? Open(string path);

    /// <summary>Renames a file: whenever a crash comes it has one of the names, and its whole content.</summary>
    void Move(string from, string to);

    /// <summary>Deletes a folder with all that is in it. A crash may leave a part.</summary>
    void DeleteFolder(string path);
}

/// <summary>The file system of the machine.</summary>
public sealed class DiskFiles : IFiles
{
    public static readonly DiskFiles Instance = new();

    private DiskFiles()
    {
    }

    public void CreateFolder(string path) => Directory.CreateDirectory(path);

    public IReadOnlyList<string> FoldersIn(string path) => [.. Directory.EnumerateDirectories(path).Select(folder => Path.GetFileName(folder))];

    public void Write(string path, Action<Stream> write)
    {
        using var stream = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, 1 << 16);
        write(stream);
        stream.Flush(flushToDisk: true);
    }

    public Stream? Open(string path)
    {
        try
        {
            return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 16);
        }
        catch (Exception absent) when (absent is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }

    public void Move(string from, string to) => File.Move(from, to);

    public void DeleteFolder(string path) => Directory.Delete(path, recursive: true);
}
