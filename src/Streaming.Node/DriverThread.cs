using System.Collections.Concurrent;
using Streaming.Core.Threads;

namespace Streaming.Node;

/// <summary>
/// The one thread on which rounds and checkpoints run, one at a time, in the order asked for. Not the pool: there a round's learning
/// and a checkpoint's writes would hold the threads that look-ups need.
/// </summary>
internal sealed class DriverThread : IDisposable
{
    private readonly BlockingCollection<Action> _queue = [];
    private readonly Thread _thread;

    public DriverThread() => _thread = BackgroundThread.Start("rounds", BackgroundThread.Prompt, () =>
    {
        foreach (var work in _queue.GetConsumingEnumerable()) work();
    });

    /// <summary>Runs <paramref name="work"/>, which may block, on the thread.</summary>
    /// <exception cref="ObjectDisposedException">The thread has ended, or is ending.</exception>
    public Task<T> RunAsync<T>(Func<T> work)
    {
        var done = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        try
        {
            _queue.Add(() =>
            {
                try
                {
                    done.TrySetResult(work());
                }
                catch (Exception problem)
                {
                    done.TrySetException(problem);
                }
            });
        }
        catch (InvalidOperationException)
        {
            throw new ObjectDisposedException(nameof(DriverThread));
        }
        return done.Task;
    }

    /// <summary>Finishes what was asked for, then ends the thread.</summary>
    public void Dispose()
    {
        _queue.CompleteAdding();
        _thread.Join();
    }
}

/// <summary>Waiting, for code on the <see cref="DriverThread"/>: nothing else wants that thread meanwhile. Exceptions come as they were thrown.</summary>
internal static class Blocking
{
    public static void Block(this Task task) => task.GetAwaiter().GetResult();

    public static T Block<T>(this Task<T> task) => task.GetAwaiter().GetResult();

    public static void Block(this ValueTask task) => task.AsTask().GetAwaiter().GetResult();

    public static T Block<T>(this ValueTask<T> task) => task.IsCompletedSuccessfully ? task.Result : task.AsTask().GetAwaiter().GetResult();
}
