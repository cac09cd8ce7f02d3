using Streaming.Node;

namespace Streaming.Host.Http;

/// <summary>
/// Where posts wait while the node is too far behind to take them, in the order in which they came. One task looks after all of them, however
/// many there are, and lets them in few at a time: all at once they would put the node behind again before it can say so.
/// </summary>
/// <param name="state">Of the node.</param>
/// <param name="longest">How long one waits at most.</param>
/// <param name="time">Of the waits.</param>
internal sealed class WaitingRoom(Func<AdmissionState> state, TimeSpan longest, TimeProvider time)
{
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(10);

    /// <summary>Let in at the first look after the node was behind; twice as many at each that finds it open still.</summary>
    private const int FirstBatch = 8;

    private readonly Lock _gate = new();
    private readonly Queue<(TaskCompletionSource Waiter, long Since)> _waiters = new();
    private bool _isLooking;

    /// <summary>How many wait.</summary>
    public int Count
    {
        get { lock (_gate) return _waiters.Count; }
    }

    /// <summary>Returns once the node may be asked again: when it has caught up and all that came before were let in, or when it is no use to wait longer.</summary>
    public Task WaitAsync()
    {
        lock (_gate)
        {
            if (longest == TimeSpan.Zero || (_waiters.Count == 0 && state() != AdmissionState.Behind)) return Task.CompletedTask;
            var waiter = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _waiters.Enqueue((waiter, time.GetTimestamp()));
            if (!_isLooking)
            {
                _isLooking = true;
                _ = LookAfterAsync();
            }
            return waiter.Task;
        }
    }

    private async Task LookAfterAsync()
    {
        var batch = FirstBatch;
        while (true)
        {
            await Task.Delay(Look, time).ConfigureAwait(false);
            var isBehind = state() == AdmissionState.Behind;
            var room = isBehind ? 0 : batch;
            batch = isBehind ? FirstBatch : Math.Min(2 * batch, 1 << 20);
            lock (_gate)
            {
                while (_waiters.TryPeek(out var first) && (room-- > 0 || time.GetElapsedTime(first.Since) >= longest))
                {
                    _waiters.Dequeue();
                    first.Waiter.SetResult();
                }
                if (_waiters.Count > 0) continue;
                _isLooking = false;
                return;
            }
        }
    }
}
