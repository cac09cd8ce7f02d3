using Streaming.Core.Ids;
using Streaming.Evaluation;

namespace Streaming.Simulation;

/// <summary>The simulation cannot go on: nothing is left to run, or it never ends.</summary>
public sealed class StuckException(string message) : Exception(message);

/// <summary>
/// Virtual time, and the order of everything that happens in it: one thread takes one step after another, those of the same moment in
/// an order that the seed draws. Whatever is noted goes into <see cref="Trace"/>: two runs with equal traces have done the same.
/// </summary>
public sealed class World
{
    private readonly PriorityQueue<Step, (long Due, ulong Tie)> _steps = new();
    private readonly int _thread = Environment.CurrentManagedThreadId;
    private readonly long _stepsMax;
    private readonly Context _outside;
    private Draws _ties;
    private volatile string? _hopeless;

    private readonly record struct Step(Life? Owner, string What, Action Run);

    /// <param name="seed">Of the order.</param>
    /// <param name="stepsMax">More steps mean that it never ends.</param>
    public World(ulong seed, long stepsMax = 5_000_000)
    {
        _ties = new Draws(seed);
        _stepsMax = stepsMax;
        _outside = new Context(this, null);
    }

    /// <summary>Virtual time since the start, in ticks of <see cref="TimeSpan"/>; never goes back.</summary>
    public long Now { get; private set; }

    public long Steps { get; private set; }

    /// <summary>Hash of all that was noted, in order.</summary>
    public ulong Trace { get; private set; } = 1;

    /// <summary>Told of every note; for a person who looks at one seed.</summary>
    public Action<string>? Watch { get; set; }

    public void Note(string what, ulong value = 0)
    {
        Trace = StableHash.Combine(Trace, StableHash.Combine(StableHash.Of(what), StableHash.Combine((ulong)Now, value)));
        Watch?.Invoke($"{TimeSpan.FromTicks(Now):mm\\:ss\\.fff} {what} {value:x}");
    }

    /// <summary>Plans a step. Those of a life that has ended meanwhile are dropped.</summary>
    public void After(TimeSpan delay, Life? owner, string what, Action run)
    {
        if (Environment.CurrentManagedThreadId != _thread)
        {
            // The order of threads is not the seed's: such a step cannot be taken, and the run has failed.
            _hopeless ??= $"'{what}' came from another thread:\n{Environment.StackTrace}";
            return;
        }
        _steps.Enqueue(new Step(owner, what, run), (Now + Math.Max(0, delay.Ticks), _ties.Next()));
    }

    /// <summary>Completes after a time; never, where the life that waits ends before.</summary>
    public Task Delay(TimeSpan delay, Life? owner, string what)
    {
        var done = new TaskCompletionSource();
        After(delay, owner, what, done.SetResult);
        return done.Task;
    }

    /// <summary>The run has failed, and no further step would tell more.</summary>
    public void GiveUp(string why) => _hopeless ??= why;

    /// <summary>Takes the next step; false when there is none.</summary>
    public bool Next()
    {
        if (_hopeless is { } why) throw new StuckException(why);
        while (_steps.TryDequeue(out var step, out var when))
        {
            if (step.Owner is { IsDead: true }) continue;
            Now = Math.Max(Now, when.Due);
            if (++Steps > _stepsMax) throw new StuckException($"more than {_stepsMax} steps");
            Note(step.What, (ulong)(step.Owner?.Number ?? 0));
            var before = SynchronizationContext.Current;
            SynchronizationContext.SetSynchronizationContext(step.Owner?.Context ?? _outside);
            try
            {
                step.Owner?.Point(step.What);
                step.Run();
            }
            catch (CrashException)
            {
                // The life has ended in the middle of this step.
            }
            finally
            {
                SynchronizationContext.SetSynchronizationContext(before);
            }
            return true;
        }
        return false;
    }

    /// <summary>Takes steps until something holds.</summary>
    /// <exception cref="StuckException">It never did.</exception>
    public void Until(Func<bool> holds, string what)
    {
        while (!holds())
            if (!Next()) throw new StuckException($"nothing is left to run, and still not: {what}");
    }

    /// <summary>Lets others have their turns for a time, for code of a life that blocks so long.</summary>
    /// <exception cref="CrashException">The life ended meanwhile.</exception>
    public void Pass(TimeSpan time, Life life)
    {
        if (time <= TimeSpan.Zero) return;
        var over = false;
        After(time, null, "pass", () => over = true);
        while (!over)
        {
            Next();
            life.ThrowIfDead();
        }
    }

    /// <summary>Starts asynchronous code that belongs to no life, in a step of its own.</summary>
    public Task Go(string what, Func<Task> code)
    {
        var done = new TaskCompletionSource();
        After(TimeSpan.Zero, null, what, () => Relay(code(), done));
        return done.Task;
    }

    private static async void Relay(Task task, TaskCompletionSource done)
    {
        try
        {
            await task;
            done.TrySetResult();
        }
        catch (Exception problem)
        {
            done.TrySetException(problem);
        }
    }

    /// <summary>Where the continuations of awaits go: into the world's order.</summary>
    internal sealed class Context(World world, Life? life) : SynchronizationContext
    {
        public override void Post(SendOrPostCallback d, object? state) => world.After(TimeSpan.Zero, life, "await", () => d(state));

        public override void Send(SendOrPostCallback d, object? state) => throw new NotSupportedException("nobody blocks in a simulation");

        public override SynchronizationContext CreateCopy() => this;
    }
}
