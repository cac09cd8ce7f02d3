namespace Streaming.Kafka;

/// <summary>
/// Bounds what is under way by records and bytes. Entering waits its turn without a thread while the bound is reached; one
/// record always fits, however large.
/// </summary>
internal sealed class InFlightGate(int recordsMax, long bytesMax)
{
    private readonly Lock _lock = new();
    private readonly LinkedList<Waiter> _waiters = new();
    private int _records;
    private long _bytes;

    private sealed class Waiter(long bytes) : TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)
    {
        public long Bytes => bytes;
    }

    public bool TryEnter(long bytes)
    {
        lock (_lock)
        {
            // Those who wait go first, or a stream of small records would starve a large one.
            if (_waiters.Count > 0 || !Fits(bytes)) return false;
            Take(bytes);
            return true;
        }
    }

    public async ValueTask EnterAsync(long bytes, CancellationToken cancel)
    {
        LinkedListNode<Waiter> node;
        lock (_lock)
        {
            cancel.ThrowIfCancellationRequested();
            if (_waiters.Count == 0 && Fits(bytes))
            {
                Take(bytes);
                return;
            }
            node = _waiters.AddLast(new Waiter(bytes));
        }
        using var registration = cancel.UnsafeRegister(_ => Withdraw(node, cancel), null);
        await node.Value.Task;
    }

    public void Exit(long bytes)
    {
        lock (_lock)
        {
            _records--;
            _bytes -= bytes;
            Admit();
        }
    }

    private bool Fits(long bytes) => _records == 0 || (_records < recordsMax && _bytes + bytes <= bytesMax);

    private void Take(long bytes)
    {
        _records++;
        _bytes += bytes;
    }

    private void Admit()
    {
        while (_waiters.First is { } first && Fits(first.Value.Bytes))
        {
            _waiters.RemoveFirst();
            Take(first.Value.Bytes);
            first.Value.SetResult();
        }
    }

    private void Withdraw(LinkedListNode<Waiter> node, CancellationToken cancel)
    {
        lock (_lock)
        {
            if (node.List is null) return; // admitted in the meantime
            _waiters.Remove(node);
            node.Value.SetCanceled(cancel);
            Admit();
        }
    }
}
