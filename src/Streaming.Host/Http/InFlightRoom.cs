namespace Streaming.Host.Http;

/// <summary>
/// Bounds the bytes of all requests that are being read at once: each may have up to its own limit, and there may be any number of
/// connections. Nobody waits here: who finds no room is told to come again.
/// </summary>
internal sealed class InFlightRoom(long bytesMax)
{
    private long _taken;

    public long Taken => Interlocked.Read(ref _taken);

    /// <summary>Room until it is disposed of; null when there is not enough. With nothing in flight there always is.</summary>
    public Held? Take(long bytes)
    {
        var taken = Interlocked.Add(ref _taken, bytes);
        if (taken <= bytesMax || taken == bytes) return new Held(this, bytes);
        Interlocked.Add(ref _taken, -bytes);
        return null;
    }

    internal sealed class Held(InFlightRoom room, long bytes) : IDisposable
    {
        public void Dispose() => Interlocked.Add(ref room._taken, -bytes);
    }
}
