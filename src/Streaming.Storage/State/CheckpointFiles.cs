using Streaming.Core.Wire;
using System.Buffers;
using FASTER.core;

namespace Streaming.Storage.State;

/// <summary>The files of FasterKV's checkpoints, on <see cref="FileDevice"/>, so that a failed write is noticed and its reason kept.</summary>
internal sealed class CheckpointFiles(string folder) : INamedDeviceFactory
{
    private readonly Lock _gate = new();
    private readonly List<FileDevice> _devices = [];

    /// <summary>The first write that failed since the last call, or null; forgets the devices handed out so far.</summary>
    public Exception? TakeFailure()
    {
        lock (_gate)
        {
            var failure = _devices.Select(device => device.Failure).FirstOrDefault(e => e is not null);
            _devices.Clear();
            return failure;
        }
    }

    public void Initialize(string baseName)
    {
        // The folder is given at construction.
    }

    public IDevice Get(FileDescriptor fileInfo)
    {
        var directory = Path.Combine(folder, fileInfo.directoryName);
        Directory.CreateDirectory(directory);
        var device = new FileDevice(Path.Combine(directory, fileInfo.fileName), sync: false, forStore: true);
        device.Initialize(-1);
        lock (_gate) _devices.Add(device);
        return device;
    }

    public void Delete(FileDescriptor fileInfo)
    {
        var path = Path.Combine(folder, fileInfo.directoryName, fileInfo.fileName ?? "");
        if (fileInfo.fileName is null && Directory.Exists(path)) Directory.Delete(path, recursive: true);
        else File.Delete(path + ".0");
    }

    public IEnumerable<FileDescriptor> ListContents(string path)
    {
        var directory = new DirectoryInfo(Path.Combine(folder, path));
        return directory.Exists ? [.. directory.EnumerateDirectories().Select(sub => new FileDescriptor(sub.Name, ""))] : [];
    }

    /// <summary>Length and CRC-32C of a file.</summary>
    public static (long Length, uint Crc) Sum(string path)
    {
        using var file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        var buffer = ArrayPool<byte>.Shared.Rent(1 << 20);
        try
        {
            long length = 0;
            var crc = Crc32C.Seed;
            while (RandomAccess.Read(file, buffer, length) is > 0 and var got)
            {
                crc = Crc32C.Append(crc, buffer.AsSpan(0, got));
                length += got;
            }
            return (length, ~crc);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
