using Streaming.Core.Threads;

namespace Streaming.Core.Tests.Threads;

public sealed class BackgroundThreadTests
{
    [Fact]
    public void It_stands_back_and_the_thread_that_started_it_does_not()
    {
        if (!OperatingSystem.IsLinux()) return; // Elsewhere priorities are not by thread.
        var (before, inside) = (Nice(), -1);
        BackgroundThread.Start("test", before + 3, () => inside = Nice()).Join();
        inside.ShouldBe(before + 3);
        Nice().ShouldBe(before);
    }

    /// <summary>The calling thread's nice value: field 19 of proc(5)'s stat, the 17th after the name in parentheses.</summary>
    private static int Nice() => int.Parse(File.ReadAllText("/proc/thread-self/stat").Split(')')[^1].Split(' ', StringSplitOptions.RemoveEmptyEntries)[16]);
}
