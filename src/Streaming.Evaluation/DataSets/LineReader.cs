using System.Buffers.Text;
using System.IO.Compression;
using System.Text;

namespace Streaming.Evaluation.DataSets;

/// <summary>
/// Reads a text file, gzipped or not, line by line as bytes, and turns whatever goes wrong into a <see cref="DataSetException"/>
/// that names the line. Reading allocates nothing once the buffer holds the longest line.
/// </summary>
internal sealed class LineReader : IDisposable
{
    /// <summary>A longer line is taken for a file that is not text.</summary>
    private const int LineBytesMax = 8 << 20;

    private readonly Stream _stream;
    private byte[] _buffer = new byte[64 * 1024];
    private int _next;
    private int _end;
    private int _lineStart;
    private int _lineLength;
    private bool _disposed;

    /// <summary>Without strict validation the framework takes a gzip file that was cut for one that ends: the loss would go unseen.</summary>
    static LineReader() => AppContext.SetSwitch("System.IO.Compression.UseStrictValidation", true);

    public LineReader(Stream stream, string file)
    {
        _stream = stream;
        File = file;
    }

    public string File { get; }

    /// <summary>One-based number of the current line.</summary>
    public long Number { get; private set; }

    /// <summary>The current line without its end; valid until the next <see cref="Next"/>.</summary>
    public ReadOnlySpan<byte> Line => _buffer.AsSpan(_lineStart, _lineLength);

    /// <summary>False for a last line that has no line end: it may have been cut.</summary>
    public bool IsTerminated { get; private set; }

    /// <summary>Share of the file's bytes (packed ones, of a gzip file) read so far, 0 to 1; 1 once disposed, NaN for what is no file.</summary>
    public double Share => _disposed ? 1
        : (_stream is GZipStream zip ? zip.BaseStream : _stream) is FileStream { Length: > 0 } file ? (double)file.Position / file.Length : double.NaN;

    public static LineReader Open(string path) => new(OpenStream(path), path);

    /// <summary>Opens for reading; unzips when the content starts with gzip's magic bytes, whatever the name says.</summary>
    public static Stream OpenStream(string path)
    {
        try
        {
            var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 64 * 1024, FileOptions.SequentialScan);
            Span<byte> magic = stackalloc byte[2];
            var zipped = file.ReadAtLeast(magic, 2, throwOnEndOfStream: false) == 2 && magic[0] == 0x1f && magic[1] == 0x8b;
            file.Position = 0;
            return zipped ? new GZipStream(file, CompressionMode.Decompress) : file;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new DataSetException(path, 0, e is FileNotFoundException or DirectoryNotFoundException ? "there is no such file" : e.Message, e);
        }
    }

    public bool Next()
    {
        var scanned = 0;
        while (true)
        {
            var at = _buffer.AsSpan(_next + scanned, _end - _next - scanned).IndexOf((byte)'\n');
            if (at >= 0) return Take(scanned + at, terminated: true);
            scanned = _end - _next;
            if (Fill()) continue;
            return scanned > 0 && Take(scanned, terminated: false);
        }
    }

    private bool Take(int length, bool terminated)
    {
        Number++;
        IsTerminated = terminated;
        _lineStart = _next;
        _next += length + (terminated ? 1 : 0);
        if (Number == 1 && _buffer.AsSpan(_lineStart, length).StartsWith("\uFEFF"u8))
        {
            _lineStart += 3;
            length -= 3;
        }
        _lineLength = length > 0 && _buffer[_lineStart + length - 1] == '\r' ? length - 1 : length;
        return true;
    }

    private bool Fill()
    {
        if (_next > 0)
        {
            Buffer.BlockCopy(_buffer, _next, _buffer, 0, _end - _next);
            _end -= _next;
            _next = 0;
        }
        if (_end == _buffer.Length)
        {
            if (_end >= LineBytesMax) throw new DataSetException(File, Number + 1, $"a line of more than {LineBytesMax} bytes; is this a text file?");
            Array.Resize(ref _buffer, _end * 2);
        }
        try
        {
            var read = _stream.Read(_buffer, _end, _buffer.Length - _end);
            _end += read;
            return read > 0;
        }
        catch (Exception e) when (e is IOException or InvalidDataException)
        {
            throw new DataSetException(File, Number + 1, "cannot be read on: " + e.Message, e);
        }
    }

    public DataSetException Error(string reason, Exception? inner = null) => new(File, Number, reason, inner);

    /// <summary>
    /// Splits the current line; throws unless it has at least <paramref name="min"/> fields. Fields beyond the span's length stay
    /// in the last one.
    /// </summary>
    public int Split(byte separator, Span<Range> into, int min)
    {
        var count = 0;
        var start = 0;
        var line = Line;
        while (count < into.Length)
        {
            var at = count == into.Length - 1 ? -1 : line[start..].IndexOf(separator);
            into[count++] = at < 0 ? start..line.Length : start..(start + at);
            if (at < 0) break;
            start += at + 1;
        }
        if (count < min) throw Error($"expected {min} fields separated by '{(char)separator}', found {count}");
        return count;
    }

    /// <summary>A whole number filling the field.</summary>
    public long Integer(Range field, string name)
    {
        var text = Line[field];
        return Utf8Parser.TryParse(text, out long value, out var used) && used == text.Length ? value : throw Bad(text, name, "a whole number");
    }

    /// <summary>A finite number filling the field.</summary>
    public double Number64(Range field, string name)
    {
        var text = Line[field];
        return Utf8Parser.TryParse(text, out double value, out var used) && used == text.Length && double.IsFinite(value)
            ? value : throw Bad(text, name, "a number");
    }

    /// <summary>Non-empty UTF-8 text.</summary>
    public string Text(Range field, string name)
    {
        var text = Line[field];
        return text.IsEmpty ? throw Error($"{name} is empty") : Encoding.UTF8.GetString(text);
    }

    /// <inheritdoc cref="Integer"/>
    public long ParseInteger(string text, string name) =>
        long.TryParse(text, System.Globalization.NumberStyles.AllowLeadingSign, System.Globalization.CultureInfo.InvariantCulture, out var value)
            ? value : throw Error($"{name} is '{text}', expected a whole number");

    private DataSetException Bad(ReadOnlySpan<byte> text, string name, string expected) =>
        Error($"{name} is '{Encoding.UTF8.GetString(text[..Math.Min(40, text.Length)])}', expected {expected}");

    public void Dispose()
    {
        _disposed = true;
        _stream.Dispose();
    }
}
