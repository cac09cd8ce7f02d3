using System.Threading.Channels;

namespace Streaming.Core.Threads;

/// <summary>
/// The port of a node's own threads of control. In production they are the system's (<see cref="SystemThreads"/>); a simulation takes
/// their turns itself, on one thread and in an order that a seed decides.
/// </summary>
public interface IThreads
{
    /// <summary>Starts a thread of control that handles what is posted to it, one at a time, in order.</summary>
    /// <param name="name">Shown by debuggers and top.</param>
    /// <param name="queuedMax">Messages that wait at most; <see cref="int.MaxValue"/> for no bound.</param>
    /// <param name="handle">Must not throw.</param>
    ILoop<T> Start<T>(string name, int queuedMax, Action<T> handle);

    /// <summary>Holds the thread of control that calls until the task is done, however it ends. Nothing else may want that thread.</summary>
    void Wait(Task task);
}

/// <summary>One thread of control. Disposing it handles what was posted and then ends it.</summary>
public interface ILoop<in T> : IAsyncDisposable
{
    /// <summary>Completes when there was room for the message.</summary>
    /// <exception cref="ObjectDisposedException">The loop has ended, or is ending.</exception>
    ValueTask PostAsync(T message, CancellationToken cancel = default);
}

/// <summary>Threads of the system, in the background and standing back for look-ups.</summary>
public sealed class SystemThreads : IThreads
{
    public static readonly SystemThreads Instance = new();

    private SystemThreads()
    {
    }

    public ILoop<T> Start<T>(string name, int queuedMax, Action<T> handle) => new Loop<T>(name, queuedMax, handle);

    public void Wait(Task task) => task.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing).GetAwaiter().GetResult();

    private sealed class Loop<T> : ILoop<T>
    {
        private readonly Channel<T> _mailbox;
        private readonly Action<T> _handle;
        private readonly Thread _thread;

        public Loop(string name, int queuedMax, Action<T> handle)
        {
            _handle = handle;
            _mailbox = queuedMax == int.MaxValue
                ? Channel.CreateUnbounded<T>(new UnboundedChannelOptions { SingleReader = true })
                : Channel.CreateBounded<T>(new BoundedChannelOptions(queuedMax) { SingleReader = true });
            _thread = BackgroundThread.Start(name, BackgroundThread.Prompt, Run);
        }

        public ValueTask PostAsync(T message, CancellationToken cancel) =>
            _mailbox.Writer.TryWrite(message) ? ValueTask.CompletedTask : PostLaterAsync(message, cancel);

        public async ValueTask DisposeAsync()
        {
            _mailbox.Writer.TryComplete();
            await Task.Run(_thread.Join).ConfigureAwait(false);
        }

        private async ValueTask PostLaterAsync(T message, CancellationToken cancel)
        {
            try
            {
                await _mailbox.Writer.WriteAsync(message, cancel).ConfigureAwait(false);
            }
            catch (ChannelClosedException)
            {
                throw new ObjectDisposedException(_thread.Name);
            }
        }

        private void Run()
        {
            var reader = _mailbox.Reader;
            while (reader.WaitToReadAsync().AsTask().GetAwaiter().GetResult())
                while (reader.TryRead(out var message)) _handle(message);
        }
    }
}
