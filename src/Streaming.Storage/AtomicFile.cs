using Microsoft.Win32.SafeHandles;

namespace Streaming.Storage;

/// <summary>Small files that are replaced as a whole: a reader finds the old content or the new one, whenever the process ends.</summary>
internal static class AtomicFile
{
    public static void Write(string path, ReadOnlySpan<byte> content, bool sync)
    {
        var next = path + ".next";
        using (SafeFileHandle file = File.OpenHandle(next, FileMode.Create, FileAccess.Write))
        {
            RandomAccess.Write(file, content, 0);
            if (sync) RandomAccess.FlushToDisk(file);
        }
        File.Move(next, path, overwrite: true);
    }
}
