using Streaming.Core.Events;
using Streaming.Core.Log;
using Streaming.Core.Threads;
using Streaming.Core.Wire;

namespace Streaming.Node;

/// <summary>What goes on beside the rounds: ticks, and measuring what <see cref="Admission"/> decides by.</summary>
public sealed partial class StreamingNode
{
    /// <summary>
    /// Between two looks at the backlog: often, so that what is let in meanwhile is not more than the node takes; less often where a look costs
    /// more than a hundredth of that, as on Kafka, where it is a round trip per partition.
    /// </summary>
    private static readonly TimeSpan LagInterval = TimeSpan.FromMilliseconds(20), LagIntervalMax = TimeSpan.FromMilliseconds(500);

    private readonly Admission _admission;
    private readonly Lock _measuring = new();
    private long _lagMeasured;
    private TimeSpan _lagTook;

    private bool IsLagDue
    {
        get
        {
            var interval = 100 * _lagTook;
            return _parts.Time.GetElapsedTime(_lagMeasured) >= (interval < LagInterval ? LagInterval : interval > LagIntervalMax ? LagIntervalMax : interval);
        }
    }

    /// <summary>Looks at how far the actors are behind and at what the disk has left.</summary>
    private void Measure()
    {
        if (!_measuring.TryEnter()) return;
        var started = _parts.Time.GetTimestamp();
        try
        {
            MeasureNow();
        }
        catch (EventLogException problem)
        {
            _parts.Notice(new NodeNotice(NoticeLevel.Warning, $"the backlog cannot be measured: {problem.Message}", problem));
        }
        catch (ObjectDisposedException)
        {
            // The node is closing.
        }
        finally
        {
            _lagTook = _parts.Time.GetElapsedTime(started);
            _measuring.Exit();
        }
    }

    private void MeasureNow()
    {
        // Also when it fails: every look at a log that does not answer takes its whole time-out.
        _lagMeasured = _parts.Time.GetTimestamp();
        var positions = Volatile.Read(ref _applied);
        long lag = 0;
        for (var p = 0; p < positions.Length; p++)
        {
            if (_sharing is { } sharing && !sharing.Leads(p))
            {
                _meters.Lag(p, 0);
                continue;
            }
            var behind = Math.Max(0, Threads.Block(Log.RangeAsync(Topics.Events, p).AsTask()).End - positions[p]);
            _meters.Lag(p, behind);
            lag += behind;
        }
        _admission.Measured(lag);
        BackgroundThread.IsPressed = _admission.IsBehind;
        if (!_admission.LookAtDisk()) return;
        _parts.Notice(_admission.IsDiskLow
            ? new NodeNotice(NoticeLevel.Error, "the disk has less than Storage:FreeMbMin left: no new events are taken until it has more; look-ups go on")
            : new NodeNotice(NoticeLevel.Info, "the disk has room again: events are taken"));
    }

    /// <summary>A step that the node can do without for a while: where the log refuses, a notice says so.</summary>
    private async Task ExpectAsync(string what, Func<Task> step)
    {
        try
        {
            await step();
        }
        catch (EventLogException problem) when (!problem.NeedsRestart)
        {
            _parts.Notice(new NodeNotice(NoticeLevel.Warning, $"{what}: {problem.Message}", problem));
        }
    }

    /// <summary>
    /// Puts the changed weights that are in force here into every partition led here: whatever is appended to these from then on counts by them. Where others
    /// lead, their next ticks do.
    /// </summary>
    /// <exception cref="EventLogException">The log does not take it; the next tick says it again.</exception>
    public Task TellWeightsAsync() => TickAsync(NowMs());

    /// <summary>Moves event time on in every partition led here, and says what actions weigh.</summary>
    private async Task TickAsync(long timeMs)
    {
        var json = new ByteWriter();
        EventWriter.Write(new UserEvent { Kind = EventKind.Tick, Type = "tick", User = "", TimeMs = timeMs, Context = _changedWeights.ToContext() }, json);
        var shards = _sharing?.Leading ?? [.. Enumerable.Range(0, _shards.Length)];
        if (shards.Count == 0) return;
        await Log.AppendAsync(Topics.Events, shards.Select(p => new LogEntry(default, json.WrittenMemory, timeMs, p)).ToArray());
    }
}
