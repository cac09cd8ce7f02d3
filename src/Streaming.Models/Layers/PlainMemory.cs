namespace Streaming.Models.Layers;

/// <summary>Working memory of one thread's <see cref="PlainForward"/> passes: many threads ask at once. Whoever takes it gives it back before anybody else asks.</summary>
internal sealed class PlainMemory
{
    [ThreadStatic] private static PlainMemory? _mine;

    private float[] _memory = [];
    private int _taken;

    /// <summary>All of it anew: what was taken before is no longer anybody's. What stands in it is of no meaning.</summary>
    /// <param name="length">Numbers that will be taken in all.</param>
    public static PlainMemory Begin(int length)
    {
        var mine = _mine ??= new PlainMemory();
        if (mine._memory.Length < length) mine._memory = new float[length];
        mine._taken = 0;
        return mine;
    }

    /// <summary>The next so many numbers.</summary>
    public Span<float> Take(int length)
    {
        var span = _memory.AsSpan(_taken, length);
        _taken += length;
        return span;
    }

    /// <summary>The same, all 0.</summary>
    public Span<float> Zeros(int length)
    {
        var span = Take(length);
        span.Clear();
        return span;
    }
}
