using System.ComponentModel;
using System.Diagnostics;
using System.Formats.Tar;

namespace Streaming.Evaluation.DataSets;

/// <summary>
/// A tar, tar.gz or tar.zst whose members are wanted in name order, which is not the order they lie in: the members' bytes are
/// written to one temporary file, deleted on dispose, and read back by range. Zstandard needs the <c>zstd</c> program: the
/// framework has no decoder for it.
/// </summary>
internal sealed class UnpackedArchive : IDisposable
{
    private static readonly byte[] ZstdMagic = [0x28, 0xb5, 0x2f, 0xfd];

    private static int _serial;

    private readonly FileStream _bytes;
    private readonly SortedDictionary<string, (long At, long Length)> _members = new(StringComparer.Ordinal);

    private UnpackedArchive(FileStream bytes) => _bytes = bytes;

    /// <summary>Regular files, in name order.</summary>
    public IEnumerable<string> Members => _members.Keys;

    /// <summary>Lines in all members together.</summary>
    public long LineCount { get; private set; }

    public static UnpackedArchive Open(string path, string? tempFolder)
    {
        var folder = tempFolder ?? Path.GetTempPath();
        var temp = Path.Combine(folder, $"streaming-{Environment.ProcessId}-{Interlocked.Increment(ref _serial)}.unpacked");
        UnpackedArchive? archive = null;
        try
        {
            var bytes = new FileStream(temp, FileMode.Create, FileAccess.ReadWrite, FileShare.None, 1 << 16, FileOptions.DeleteOnClose);
            archive = new UnpackedArchive(bytes);
            if (IsZstd(path)) archive.UnpackZstd(path);
            else
            {
                using var plain = LineReader.OpenStream(path);
                archive.Unpack(plain, path);
            }
            return archive;
        }
        catch (Exception e)
        {
            archive?.Dispose();
            if (e is IOException or UnauthorizedAccessException)
                throw new DataSetException(path, 0, $"cannot be unpacked into {folder}: {e.Message}", e);
            throw;
        }
    }

    public MemberStream OpenMember(string name)
    {
        var (at, length) = _members[name];
        return new MemberStream(_bytes, at, length);
    }

    private static bool IsZstd(string path)
    {
        using var file = LineReader.OpenStream(path);
        var magic = new byte[4];
        return file.ReadAtLeast(magic, 4, throwOnEndOfStream: false) == 4 && magic.AsSpan().SequenceEqual(ZstdMagic);
    }

    private void UnpackZstd(string path)
    {
        using var zstd = new Process
        {
            StartInfo = new ProcessStartInfo("zstd", ["-dc", "--", path])
            {
                RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false,
            },
        };
        try
        {
            zstd.Start();
        }
        catch (Win32Exception e)
        {
            throw new DataSetException(path, 0,
                "needs the program 'zstd', which is not installed (Debian: apt-get install zstd); or unpack the archive and give the folder", e);
        }
        var complaint = zstd.StandardError.ReadToEndAsync();
        try
        {
            Unpack(zstd.StandardOutput.BaseStream, path);
            zstd.WaitForExit();
        }
        catch (DataSetException) when (HasFailed(zstd))
        {
            // zstd's own words say more than the tar reader's surprise at the early end.
        }
        finally
        {
            if (!zstd.HasExited) zstd.Kill();
        }
        if (zstd.ExitCode != 0) throw new DataSetException(path, 0, $"zstd failed with exit code {zstd.ExitCode}: {complaint.Result.Trim()}");
    }

    /// <summary>True when the program ended by itself, with an error, within a moment.</summary>
    private static bool HasFailed(Process process) => process.WaitForExit(TimeSpan.FromSeconds(5)) && process.ExitCode != 0;

    private void Unpack(Stream tar, string path)
    {
        var buffer = new byte[1 << 16];
        try
        {
            using var reader = new TarReader(tar, leaveOpen: true);
            while (reader.GetNextEntry() is { } entry)
            {
                if (entry.EntryType is not (TarEntryType.RegularFile or TarEntryType.V7RegularFile) || entry.DataStream is null) continue;
                var at = _bytes.Position;
                for (int read; (read = entry.DataStream.Read(buffer)) > 0;)
                {
                    LineCount += buffer.AsSpan(0, read).Count((byte)'\n');
                    _bytes.Write(buffer, 0, read);
                }
                _members[entry.Name] = (at, _bytes.Position - at);
            }
            _bytes.Flush();
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException or FormatException)
        {
            throw new DataSetException(path, 0, "is not a whole tar archive: " + e.Message, e);
        }
    }

    public void Dispose() => _bytes.Dispose();

    /// <summary>A range of the temporary file as a stream.</summary>
    internal sealed class MemberStream(FileStream bytes, long at, long length) : Stream
    {
        private long _read;

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override int Read(Span<byte> buffer)
        {
            var want = (int)Math.Min(buffer.Length, length - _read);
            if (want == 0) return 0;
            var read = RandomAccess.Read(bytes.SafeFileHandle, buffer[..want], at + _read);
            _read += read;
            return read;
        }

        public override bool CanRead => true;
        public override bool CanSeek => false;
        public override bool CanWrite => false;
        public override long Length => length;
        public override long Position { get => _read; set => throw new NotSupportedException(); }
        public override void Flush() { }
        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
        public override void SetLength(long value) => throw new NotSupportedException();
        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
