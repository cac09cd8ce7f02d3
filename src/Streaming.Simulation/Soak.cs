namespace Streaming.Simulation;

/// <summary>Many seeds, on as many threads as asked for; each is a world of its own.</summary>
public static class Soak
{
    /// <summary>Runs seeds <paramref name="from"/>, from + 1, ...; results come in the order of the seeds.</summary>
    /// <param name="threads">Seeds under way at a time.</param>
    /// <param name="done">Told of each when it has ended, one at a time, in any order.</param>
    public static IReadOnlyList<SeedResult> Run(ulong from, int seeds, int threads, SimulationOptions? options = null, Action<SeedResult>? done = null, CancellationToken cancel = default)
    {
        var results = new SeedResult[seeds];
        var next = -1;
        var gate = new Lock();
        Exception? problem = null;
        var workers = Enumerable.Range(0, Math.Clamp(threads, 1, seeds)).Select(i =>
        {
            // A thread of its own: a world belongs to one, and pool threads carry contexts of others.
            var thread = new Thread(() =>
            {
                try
                {
                    while (!cancel.IsCancellationRequested && Volatile.Read(ref problem) is null && Interlocked.Increment(ref next) is var at && at < seeds)
                    {
                        results[at] = Simulation.Run(from + (ulong)at, options);
                        lock (gate) done?.Invoke(results[at]);
                    }
                }
                catch (Exception thrown)
                {
                    Volatile.Write(ref problem, thrown);
                }
            }, maxStackSize: 16 << 20) { IsBackground = true, Name = $"simulation-{i}" };
            thread.Start();
            return thread;
        }).ToList();
        foreach (var worker in workers) worker.Join();
        cancel.ThrowIfCancellationRequested();
        if (problem is not null) throw new InvalidOperationException($"the simulator itself failed: {problem.Message}", problem);
        return results;
    }
}
