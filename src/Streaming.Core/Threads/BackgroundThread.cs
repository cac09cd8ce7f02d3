using System.Runtime.InteropServices;

namespace Streaming.Core.Threads;

/// <summary>
/// Threads for work that goes on beside the answering of requests. Where cores are short a look-up, which takes a fraction of a
/// millisecond, must not queue behind a slice of learning or of a checkpoint: the system lets it in front of them.
/// </summary>
public static partial class BackgroundThread
{
    /// <summary>Work that a click waits for: actors, learning, lists.</summary>
    public const int Prompt = 10;

    /// <summary>Work that nobody waits for: pages of a checkpoint.</summary>
    public const int Idle = 19;

    /// <summary>Starts a thread that does not keep the process alive.</summary>
    /// <param name="name">Shown by debuggers and top.</param>
    /// <param name="nice">How far to stand back, 0 (not at all) to 19; only Linux knows it by thread.</param>
    /// <param name="body">Must not throw.</param>
    public static Thread Start(string name, int nice, Action body)
    {
        var thread = new Thread(() =>
        {
            // Who 0 is the calling thread on Linux. Best effort: a system that refuses costs look-ups some latency, no more.
            if (OperatingSystem.IsLinux()) _ = SetPriority(which: 0, who: 0, nice);
            body();
        })
        { IsBackground = true, Name = name };
        thread.Start();
        return thread;
    }

    /// <summary>
    /// Lets whoever waits for this core go first; returns at once where nobody does. To be called between units of some ten
    /// microseconds: a scheduler without a high-resolution tick would otherwise let a background thread that has got the core keep it
    /// for milliseconds, however many look-ups have become ready meanwhile.
    /// </summary>
    public static void StandBack()
    {
        if (!IsPressed) Thread.Yield();
    }

    /// <summary>
    /// Set while the work is far behind: then it stands back no longer than its priority says. Where every core is taken by requests, each
    /// standing back costs a turn of all of them, and the actors would fall behind further the more is asked of them.
    /// </summary>
    public static bool IsPressed { get; set; }

    [LibraryImport("libc", EntryPoint = "setpriority")]
    private static partial int SetPriority(int which, int who, int nice);
}
