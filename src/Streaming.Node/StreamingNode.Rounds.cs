using Streaming.Actors;

namespace Streaming.Node;

/// <summary>A round after the other, on the driver's thread.</summary>
public sealed partial class StreamingNode
{
    /// <inheritdoc cref="Rounds.Run"/>
    internal Task<int> RoundAsync(RoundLimits? limits, long nowMs, long receivedMs, CancellationToken cancel) => _driver.RunAsync(() =>
    {
        cancel.ThrowIfCancellationRequested();
        AnswerQuestions(_models);
        MoveExperiments(nowMs);
        var followed = StepShards();
        var wanted = _wanted.Waiting();
        var work = Round(Here(_fresh.TakeApplied(_applied), r => r.User), Here(wanted, w => w.User), limits, nowMs, receivedMs, null);
        _wanted.Done(wanted);
        return work + followed;
    });

    /// <summary>Does again what a round did that a witness was told of.</summary>
    internal Task<int> RoundAgainAsync(RoundInput input) => _driver.RunAsync(() => Round(input.Requests, input.Wanted, input.Limits, input.NowMs, 0, input.Quiet));

    private int Round(
        IReadOnlyList<(string User, string Surface)> requests, IReadOnlyList<WantedList> wanted, RoundLimits? limits, long nowMs, long receivedMs, bool? quiet)
    {
        if (wanted.Count > 0) Threads.Block(Task.WhenAll(wanted.Select(w => _host.RequestListAsync(w.User, w.Surface, w.Arm))));
        foreach (var (user, surface) in requests) Threads.Block(_host.RequestListAsync(user, surface));
        // The node's own clock: how long a round took decides what is taken in, and a simulation's time is not the machine's.
        var started = _parts.Time.GetTimestamp();
        var (before, from) = (_rounds.Records, EventPositions);
        _admission.RoundStarts();
        var work = _rounds.Run(limits, nowMs, receivedMs, quiet);
        _admission.RoundEnds();
        var took = _parts.Time.GetElapsedTime(started);
        if (_rounds.Records > before) _meters.Round(_host.Counts, took);
        if (_rounds.Records - before > _parts.Settings.Node.RoundEventsMax / 2)
            _admission.BusyRound(EventPositions.Sum() - from.Sum(), took.TotalSeconds);
        _clockMs = Math.Max(_clockMs, _shards.Max(s => s.ClockMs));
        Volatile.Write(ref _applied, EventPositions);
        if (limits is null && (IsLagDue || (work == 0 && _admission.LagOffsets > 0))) Measure();
        Interlocked.Exchange(ref _roundEnd, NewRoundEnd()).TrySetResult();
        if (!_rounds.WasHeldBack) _parts.Witness?.Round(new RoundInput(new RoundLimits(EventPositions, ItemPositions), nowMs, _rounds.Quiet, requests, wanted));
        return work;
    }

    /// <summary>Moves event time past every attribution window and takes rounds until no list waits: the end of a replay.</summary>
    internal async Task FinishAsync(long clockMs, CancellationToken cancel)
    {
        await TickAsync(clockMs + _parts.Settings.Users.AttributionWindowMs + 1);
        while (await RoundAsync(null, clockMs, 0, cancel) > 0)
        {
            // Until nothing is left.
        }
        await FinishDeepAsync();
        _models.RefreshSegments(PutSegment, clockMs);
    }
}
