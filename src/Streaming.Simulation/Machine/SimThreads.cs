using Streaming.Core.Threads;

namespace Streaming.Simulation;

/// <summary>Threads of control as turns in the world's order: each takes one message at a turn, and whoever blocks lets the others go on.</summary>
internal sealed class SimThreads(World world, Life life) : IThreads
{
    public ILoop<T> Start<T>(string name, int queuedMax, Action<T> handle) => new Loop<T>(world, life, name, queuedMax, handle);

    public void Wait(Task task)
    {
        while (!task.IsCompleted)
        {
            life.ThrowIfDead();
            if (!world.Next()) throw new StuckException("a thread waits for what nobody will do");
        }
        life.ThrowIfDead();
    }

    private sealed class Loop<T>(World world, Life life, string name, int queuedMax, Action<T> handle) : ILoop<T>
    {
        private readonly Queue<T> _queue = new();
        private readonly Queue<(T Message, TaskCompletionSource Room)> _waiting = new();
        private readonly TaskCompletionSource _over = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private bool _planned;
        private bool _ended;

        public ValueTask PostAsync(T message, CancellationToken cancel)
        {
            life.ThrowIfDead();
            ObjectDisposedException.ThrowIf(_ended, this);
            if (_queue.Count < queuedMax)
            {
                _queue.Enqueue(message);
                Plan();
                return ValueTask.CompletedTask;
            }
            var room = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _waiting.Enqueue((message, room));
            return new ValueTask(room.Task);
        }

        public ValueTask DisposeAsync()
        {
            _ended = true;
            if (!_planned) _over.TrySetResult();
            return new ValueTask(_over.Task);
        }

        private void Plan()
        {
            if (_planned) return;
            _planned = true;
            world.After(TimeSpan.Zero, life, name, Turn);
        }

        private void Turn()
        {
            var message = _queue.Dequeue();
            if (_waiting.TryDequeue(out var next))
            {
                _queue.Enqueue(next.Message);
                next.Room.SetResult();
            }
            handle(message);
            // Only now: a thread is not started again while it blocks.
            _planned = false;
            if (_queue.Count > 0) Plan();
            else if (_ended) _over.TrySetResult();
        }
    }
}
