namespace Streaming.Host.Http;

/// <summary>
/// Bounds the bytes that are worked on at once; who finds no room waits, in the order of coming. What one enters with is larger than all the room
/// only where it is alone.
/// </summary>
internal sealed class ByteGate(long bytesMax)
{
    private readonly Lock _lock = new();
    private readonly Queue<(TaskCompletionSource Entered, long Bytes)> _waiting = new();
    private long _taken;

    public int Waiting
    {
        get { lock (_lock) return _waiting.Count; }
    }

    /// <summary>Returns once there is room; whoever entered must <see cref="Leave"/>.</summary>
    /// <exception cref="OperationCanceledException">Who waited no longer wants to; there is nothing to leave.</exception>
    public async ValueTask EnterAsync(long bytes, CancellationToken cancel)
    {
        TaskCompletionSource entered;
        lock (_lock)
        {
            if (_waiting.Count == 0 && Fits(bytes))
            {
                _taken += bytes;
                return;
            }
            entered = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _waiting.Enqueue((entered, bytes));
        }
        await using (cancel.UnsafeRegister(static (waiter, token) => ((TaskCompletionSource)waiter!).TrySetCanceled(token), entered).ConfigureAwait(false))
        {
            try
            {
                await entered.Task.ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                // It may have been the one that the others waited behind.
                lock (_lock) LetIn();
                throw;
            }
        }
    }

    public void Leave(long bytes)
    {
        lock (_lock)
        {
            _taken -= bytes;
            LetIn();
        }
    }

    private bool Fits(long bytes) => _taken == 0 || _taken + bytes <= bytesMax;

    private void LetIn()
    {
        while (_waiting.TryPeek(out var first) && (first.Entered.Task.IsCompleted || Fits(first.Bytes)))
        {
            _waiting.Dequeue();
            if (first.Entered.TrySetResult()) _taken += first.Bytes;
        }
    }
}
