namespace Streaming.Evaluation;

/// <summary>
/// Hands out slices of large arrays, so that a million small records cost a few hundred allocations. A slice stays valid for as
/// long as its holder keeps it; an array goes when its last slice does.
/// </summary>
internal sealed class Arena(int chunkBytes = 256 * 1024)
{
    private byte[] _chunk = [];
    private int _used;

    public ReadOnlyMemory<byte> Copy(ReadOnlySpan<byte> bytes)
    {
        var slice = Take(bytes.Length);
        bytes.CopyTo(slice.Span);
        return slice;
    }

    public Memory<byte> Take(int length)
    {
        // A record that would leave most of a chunk unused gets an array of its own.
        if (length > chunkBytes / 4) return new byte[length];
        if (_used + length > _chunk.Length)
        {
            _chunk = new byte[chunkBytes];
            _used = 0;
        }
        _used += length;
        return _chunk.AsMemory(_used - length, length);
    }
}
