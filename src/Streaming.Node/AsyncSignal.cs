namespace Streaming.Node;

/// <summary>Wakes one waiter; signals while nobody waits are remembered once.</summary>
internal sealed class AsyncSignal
{
    private readonly SemaphoreSlim _semaphore = new(0, 1);

    public void Set()
    {
        if (_semaphore.CurrentCount > 0) return;
        try
        {
            _semaphore.Release();
        }
        catch (SemaphoreFullException)
        {
            // Another thread signalled at the same moment; one is enough.
        }
    }

    public Task WaitAsync(TimeSpan timeout, CancellationToken cancel) => _semaphore.WaitAsync(timeout, cancel);
}
