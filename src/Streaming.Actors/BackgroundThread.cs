using System.Runtime.InteropServices;

namespace Streaming.Actors;

/// <summary>
/// Lets the look-ups go first: an actor's thread has a burst of work per round, and a look-up that must wait for the burst to end
/// misses its deadline, while a list that is a millisecond later misses nothing. On Linux a thread's priority is its nice value,
/// which the runtime's own <see cref="Thread.Priority"/> does not set.
/// </summary>
internal static partial class BackgroundThread
{
    private const int ThisThread = 0;
    private const int Process = 0;
    private const int Nice = 5;

    /// <summary>Lowers the calling thread's priority; where that is refused it stays as it is.</summary>
    public static void LowerPriority()
    {
        if (OperatingSystem.IsLinux()) _ = SetPriority(Process, ThisThread, Nice);
        else Thread.CurrentThread.Priority = ThreadPriority.BelowNormal;
    }

    [LibraryImport("libc", EntryPoint = "setpriority")]
    private static partial int SetPriority(int which, int who, int priority);
}
