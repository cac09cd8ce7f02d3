using Streaming.Core.Threads;

namespace Streaming.Simulation;

/// <summary>The process that runs this code has ended: unwinds what was on its way. Whatever catches it finds every port dead.</summary>
public sealed class CrashException() : Exception("the simulated process has ended");

/// <summary>
/// One life of the node's process, from its start to its crash. It counts points: each continuation of an await, each message of a
/// thread, each step of a port. At one of them, chosen beforehand, it ends: its memory is abandoned, and its ports answer nobody.
/// </summary>
public sealed class Life
{
    private readonly World _world;
    private readonly Action<Life, string> _ended;

    /// <param name="number">1 for the first.</param>
    /// <param name="crashAt">The point to crash at; 0 for none.</param>
    /// <param name="clock">How far the machine's wall clock is ahead, as of now.</param>
    /// <param name="ended">Told where it ended, before anything else happens.</param>
    internal Life(World world, int number, long crashAt, Func<TimeSpan> clock, Action<Life, string> ended)
    {
        _world = world;
        _ended = ended;
        Number = number;
        CrashAt = crashAt;
        Context = new World.Context(world, this);
        Time = new SimTime(world, this, clock);
        Threads = new SimThreads(world, this);
    }

    public int Number { get; }

    /// <summary>Points so far.</summary>
    public long Points { get; private set; }

    public long CrashAt { get; set; }

    public bool IsDead { get; private set; }
    public TimeProvider Time { get; }
    public IThreads Threads { get; }
    internal World.Context Context { get; }

    /// <summary>A place where the process may end.</summary>
    /// <exception cref="CrashException">It has.</exception>
    public void Point(string what)
    {
        ThrowIfDead();
        if (++Points != CrashAt) return;
        Kill(what);
        throw new CrashException();
    }

    public void ThrowIfDead()
    {
        if (IsDead) throw new CrashException();
    }

    public void Kill(string where)
    {
        if (IsDead) return;
        IsDead = true;
        _world.Note("crash:" + where, (ulong)Points);
        _ended(this, where);
    }

    /// <summary>Calls the node from outside; never completes where the life ends before.</summary>
    public Task<T> Call<T>(string what, Func<Task<T>> call)
    {
        var done = new TaskCompletionSource<T>();
        _world.After(TimeSpan.Zero, this, what, () => Relay(call, done));
        return done.Task;
    }

    private async void Relay<T>(Func<Task<T>> call, TaskCompletionSource<T> done)
    {
        try
        {
            done.TrySetResult(await call());
        }
        catch (Exception problem)
        {
            // A caller of a process that is gone hears nothing.
            if (!IsDead) done.TrySetException(problem);
        }
    }
}
