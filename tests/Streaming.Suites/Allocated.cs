namespace Streaming.Suites;

/// <summary>What a piece of code allocates.</summary>
public static class Allocated
{
    private const int Runs = 5;

    /// <summary>
    /// Bytes that the calling thread allocates in one run of <paramref name="action"/>, the least of five: what the code itself allocates
    /// is in every run, what the runtime does once on its behalf (compiling it anew, a first use) is not. Warm it before.
    /// </summary>
    public static long Bytes(Action action)
    {
        var least = long.MaxValue;
        for (var run = 0; run < Runs && least > 0; run++)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            action();
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }
        return least;
    }

    /// <summary>Bytes that the calling thread allocates per call, once warm.</summary>
    public static double PerCall(Action action)
    {
        const int calls = 2000;
        for (var i = 0; i < calls; i++) action();
        return (double)Bytes(() =>
        {
            for (var i = 0; i < calls; i++) action();
        }) / calls;
    }
}
