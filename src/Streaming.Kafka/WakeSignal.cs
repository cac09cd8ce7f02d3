namespace Streaming.Kafka;

/// <summary>An async auto-reset event for one waiter at a time; setting it is safe from a native callback.</summary>
internal sealed class WakeSignal
{
    private readonly Lock _lock = new();
    private TaskCompletionSource? _waiter;
    private bool _set;

    public void Set()
    {
        TaskCompletionSource? waiter;
        lock (_lock)
        {
            _set = true;
            waiter = _waiter;
            _waiter = null;
        }
        waiter?.TrySetResult();
    }

    public void Reset()
    {
        lock (_lock) _set = false;
    }

    /// <summary>True when set, false when <paramref name="timeout"/> passed first.</summary>
    public async ValueTask<bool> WaitAsync(TimeSpan timeout, TimeProvider time, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        Task set;
        lock (_lock)
        {
            if (_set) return true;
            _waiter ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            set = _waiter.Task;
        }
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var delay = Task.Delay(timeout, time, stop.Token);
        if (await Task.WhenAny(set, delay) == set)
        {
            await stop.CancelAsync(); // the timer need not run on
            return true;
        }
        await delay; // throws when cancelled
        return false;
    }
}
