using System.Diagnostics;

namespace Streaming.Host.Tests.Faults;

/// <summary>A file system in memory, of a size of its own, that goes with the test.</summary>
internal sealed class SmallDisk : IDisposable
{
    private readonly DirectoryInfo _at = Directory.CreateTempSubdirectory("streaming-disk-");

    /// <param name="megabytes">Its size.</param>
    public SmallDisk(int megabytes) => Run("mount", "-t", "tmpfs", "-o", $"size={megabytes}m", "tmpfs", _at.FullName).ShouldBe(0);

    public string Path => _at.FullName;

    private string Filler => System.IO.Path.Combine(Path, "filler");

    public long FreeBytes => new DriveInfo(Path).AvailableFreeSpace;

    /// <summary>Takes all but so many bytes, as something else on the disk would.</summary>
    public void Fill(long leave = 0)
    {
        using var filler = new FileStream(Filler, FileMode.Append);
        var piece = new byte[64 << 10];
        try
        {
            while (FreeBytes > leave)
            {
                filler.Write(piece.AsSpan(0, (int)Math.Clamp(FreeBytes - leave, 1, piece.Length)));
                filler.Flush();
            }
        }
        catch (IOException)
        {
            // Somebody else took the last of it.
        }
    }

    public void Free() => File.Delete(Filler);

    public void MakeReadOnly() => Run("mount", "-o", "remount,ro", Path).ShouldBe(0);

    public void Dispose()
    {
        Run("umount", "-l", Path);
        _at.Delete();
    }

    public static int Run(string program, params string[] arguments)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true, RedirectStandardOutput = true })!;
            process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            return process.ExitCode;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return -1;
        }
    }
}

/// <summary>A test that needs file systems of its own; skipped, with the reason, where they cannot be had.</summary>
public sealed class SmallDiskFactAttribute : FactAttribute
{
    private static readonly Lazy<bool> Works = new(() =>
    {
        var at = Directory.CreateTempSubdirectory("streaming-disk-");
        var mounted = SmallDisk.Run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", at.FullName) == 0;
        if (mounted) SmallDisk.Run("umount", at.FullName);
        at.Delete();
        return mounted;
    });

    public SmallDiskFactAttribute()
    {
        if (!Works.Value) Skip = "a file system of its own cannot be mounted here (that takes root)";
    }
}
