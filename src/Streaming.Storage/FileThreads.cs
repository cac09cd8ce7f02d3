using System.Collections.Concurrent;
using Streaming.Core.Threads;

namespace Streaming.Storage;

/// <summary>
/// Threads that do nothing but block in file writes. On the pool, the pages of one checkpoint would keep every pool thread in a
/// write for a second, and whatever else waits for the pool, look-ups first of all, with them.
/// </summary>
internal sealed class FileThreads
{
    /// <summary>Writes of the event log: short, awaited by whoever appends.</summary>
    public static readonly FileThreads Log = new("log-io", 4, nice: 0);

    /// <summary>Pages of the stores: many at a time at a checkpoint, awaited by nobody in a hurry.</summary>
    public static readonly FileThreads Store = new("store-io", 1, BackgroundThread.Idle);

    private readonly BlockingCollection<IThreadPoolWorkItem> _queue = [];

    private FileThreads(string name, int threads, int nice)
    {
        for (var i = 0; i < threads; i++) BackgroundThread.Start($"{name}-{i}", nice, Run);
    }

    public void Queue(IThreadPoolWorkItem work) => _queue.Add(work);

    private void Run()
    {
        foreach (var work in _queue.GetConsumingEnumerable()) work.Execute();
    }
}
