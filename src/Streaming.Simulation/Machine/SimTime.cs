namespace Streaming.Simulation;

/// <summary>The clocks of a machine: one that only runs, and one on the wall that is set forward and back.</summary>
internal sealed class SimTime(World world, Life? life, Func<TimeSpan> clock) : TimeProvider
{
    /// <summary>Wall time at the start.</summary>
    public static readonly DateTimeOffset Start = DateTimeOffset.FromUnixTimeMilliseconds(1_700_000_000_000);

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override DateTimeOffset GetUtcNow() => Start.AddTicks(world.Now) + clock();

    public override long GetTimestamp() => world.Now;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new Timer(world, life, callback, state);
        timer.Change(dueTime, period);
        return timer;
    }

    private sealed class Timer(World world, Life? life, TimerCallback callback, object? state) : ITimer
    {
        private int _version;

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            var version = ++_version;
            if (dueTime != Timeout.InfiniteTimeSpan) Plan(version, dueTime, period);
            return true;
        }

        public void Dispose() => _version++;

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }

        private void Plan(int version, TimeSpan dueTime, TimeSpan period) => world.After(dueTime, life, "timer", () =>
        {
            if (version != _version) return;
            if (period != Timeout.InfiniteTimeSpan && period > TimeSpan.Zero) Plan(version, period, period);
            callback(state);
        });
    }
}
