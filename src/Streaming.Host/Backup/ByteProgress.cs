namespace Streaming.Host.Backup;

/// <summary>How much of a known number of bytes has been read.</summary>
/// <param name="total">Bytes of all files.</param>
/// <param name="report">Told the share, 0 to 1; null where nobody looks.</param>
internal sealed class ByteProgress(long total, Action<double>? report)
{
    private long _done;

    /// <summary>So many more bytes.</summary>
    public void Add(long bytes)
    {
        _done += bytes;
        if (total > 0) report?.Invoke(Math.Min(1, (double)_done / total));
    }
}
