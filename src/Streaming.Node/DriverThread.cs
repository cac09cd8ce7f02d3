using Streaming.Core.Threads;

namespace Streaming.Node;

/// <summary>
/// The one thread of control on which rounds and checkpoints run, one at a time, in the order asked for. Not the pool: there a round's
/// learning and a checkpoint's writes would hold the threads that look-ups need.
/// </summary>
internal sealed class DriverThread(IThreads threads) : IAsyncDisposable
{
    private readonly ILoop<Action> _loop = threads.Start<Action>("rounds", int.MaxValue, work => work());

    /// <summary>Runs <paramref name="work"/>, which may block, on the thread.</summary>
    /// <exception cref="ObjectDisposedException">The thread has ended, or is ending.</exception>
    public Task<T> RunAsync<T>(Func<T> work)
    {
        var done = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        // Without a bound there is always room.
        _loop.PostAsync(() =>
        {
            try
            {
                done.TrySetResult(work());
            }
            catch (Exception problem)
            {
                done.TrySetException(problem);
            }
        }).GetAwaiter().GetResult();
        return done.Task;
    }

    /// <summary>Finishes what was asked for, then ends the thread.</summary>
    public ValueTask DisposeAsync() => _loop.DisposeAsync();
}

/// <summary>Waiting, for code on the <see cref="DriverThread"/>: nothing else wants that thread meanwhile. Exceptions come as they were thrown.</summary>
internal static class Blocking
{
    public static void Block(this IThreads threads, Task task)
    {
        if (!task.IsCompleted) threads.Wait(task);
        task.GetAwaiter().GetResult();
    }

    public static T Block<T>(this IThreads threads, Task<T> task)
    {
        if (!task.IsCompleted) threads.Wait(task);
        return task.GetAwaiter().GetResult();
    }

    public static void Block(this IThreads threads, ValueTask task) => threads.Block(task.AsTask());

    public static T Block<T>(this IThreads threads, ValueTask<T> task) => task.IsCompletedSuccessfully ? task.Result : threads.Block(task.AsTask());
}
