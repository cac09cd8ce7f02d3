namespace Streaming.Node;

/// <summary>Wakes one waiter; signals while nobody waits are remembered once.</summary>
internal sealed class AsyncSignal(TimeProvider time)
{
    private readonly Lock _gate = new();
    private TaskCompletionSource? _waiter;
    private bool _set;

    public void Set()
    {
        TaskCompletionSource? waiter;
        lock (_gate)
        {
            waiter = _waiter;
            _waiter = null;
            _set = waiter is null;
        }
        waiter?.TrySetResult();
    }

    /// <summary>Completes at the next signal, or when the timeout has passed. One may wait at a time.</summary>
    public async Task WaitAsync(TimeSpan timeout, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        TaskCompletionSource waiter;
        lock (_gate)
        {
            if (_set)
            {
                _set = false;
                return;
            }
            _waiter = waiter = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }
        await using var timer = time.CreateTimer(static w => ((TaskCompletionSource)w!).TrySetResult(), waiter, timeout, Timeout.InfiniteTimeSpan);
        await using var registration = cancel.Register(() => waiter.TrySetCanceled(cancel));
        try
        {
            await waiter.Task;
        }
        finally
        {
            lock (_gate)
                if (_waiter == waiter) _waiter = null;
        }
    }
}
