using Streaming.Core.Log;
using Streaming.Core.Threads;

namespace Streaming.Node;

/// <summary>Measuring what <see cref="Admission"/> decides by.</summary>
public sealed partial class StreamingNode
{
    /// <summary>On Kafka every look costs a round trip per partition; back-pressure is in no such hurry.</summary>
    private static readonly TimeSpan LagInterval = TimeSpan.FromMilliseconds(500);

    private readonly Admission _admission;
    private readonly Lock _measuring = new();
    private long _lagMeasured;

    /// <summary>Looks at how far the actors are behind and at what the disk has left.</summary>
    private void Measure()
    {
        if (!_measuring.TryEnter()) return;
        try
        {
            MeasureNow();
        }
        catch (Exception problem) when (problem is EventLogException or ObjectDisposedException)
        {
            // The round that needs the log says so; here the last measure stands.
        }
        finally
        {
            _measuring.Exit();
        }
    }

    private void MeasureNow()
    {
        var positions = Volatile.Read(ref _applied);
        long lag = 0;
        for (var p = 0; p < positions.Length; p++)
        {
            var behind = Math.Max(0, Log.RangeAsync(Topics.Events, p).Block().End - positions[p]);
            _meters.Lag(p, behind);
            lag += behind;
        }
        _admission.Measured(lag);
        BackgroundThread.IsPressed = _admission.IsBehind;
        _lagMeasured = _parts.Time.GetTimestamp();
        if (!_admission.LookAtDisk()) return;
        _parts.Notice(_admission.IsDiskLow
            ? new NodeNotice(NoticeLevel.Error, "the disk has less than Storage:FreeMbMin left: no new events are taken until it has more; look-ups go on")
            : new NodeNotice(NoticeLevel.Info, "the disk has room again: events are taken"));
    }
}
