using Streaming.Core.Settings;

namespace Streaming.Node.Tests;

/// <summary>A wall clock that is set back, as by a first synchronisation: nothing stops, nothing is lost, and no user's time runs backwards.</summary>
public sealed class ClockTests : IDisposable
{
    private const long HourMs = 3_600_000;
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_clock_that_is_set_back_stops_nothing()
    {
        var clock = new SetBack();
        var settings = NodeRig.Settings with { Node = new NodeSettings { IdleWaitMs = 2, TickIntervalMs = 20, CheckpointIntervalMs = 100 }, Serving = new ServingSettings { FreshnessWaitMsMax = 60_000 } };
        await using var rig = await NodeRig.OpenAsync(_folder.Path, settings, time: clock);
        using var stop = new CancellationTokenSource();
        var running = rig.Node.RunAsync(stop.Token);
        await rig.Node.Ingest.ItemsAsync([.. Enumerable.Range(0, 30).Select(i => NodeRig.Json($"{{'id':'i{i}','tags':['t{i % 3}']}}"))]);
        await ClickAsync(rig, "i1");
        var before = await rig.Node.AskUserAsync("ann", s => s!.LastEventMs);
        var (ticks, checkpoint) = (rig.Node.Status().Users.Ticks, rig.Node.Status().CheckpointId);

        clock.OffsetMs = -HourMs;
        for (var i = 2; i < 12; i++) await ClickAsync(rig, $"i{i}");
        // Both go by time that has passed, not by what the clock shows.
        await NodeRig.Until(() => Task.FromResult(rig.Node.Status().Users.Ticks > ticks + 8 && rig.Node.Status().CheckpointId > checkpoint + 1));
        var state = await rig.Node.AskUserAsync("ann", s => (s!.Events, s.Positives, s.LastEventMs, s.SessionsClosed));
        state.ShouldBe((11L, 11L, before, 0L));
        rig.Node.Status().Users.DeadLetters.ShouldBe(0);

        clock.OffsetMs = 0;
        await ClickAsync(rig, "i20");
        (await rig.Node.AskUserAsync("ann", s => s!.LastEventMs)).ShouldBeGreaterThan(before);
        await stop.CancelAsync();
        await running;
    }

    /// <summary>Clicks, and waits for the list that has seen it.</summary>
    private static async Task ClickAsync(NodeRig rig, string item)
    {
        var outcome = (await rig.Node.Ingest.EventsAsync([NodeRig.Json($"{{'type':'click','user':'ann','item':'{item}'}}")]))[0];
        outcome.Problem.ShouldBeNull();
        (await rig.FindAsync("ann", outcome.Position, 60_000)).Outcome.ShouldBe(FeedOutcome.Own);
    }

    /// <summary>The system's clock, off by so much; what has passed is measured as ever.</summary>
    private sealed class SetBack : TimeProvider
    {
        private long _offsetMs;

        public long OffsetMs { set => Volatile.Write(ref _offsetMs, value); }

        public override DateTimeOffset GetUtcNow() => base.GetUtcNow().AddMilliseconds(Volatile.Read(ref _offsetMs));
    }
}
