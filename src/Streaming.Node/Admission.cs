using Streaming.Core.Settings;

namespace Streaming.Node;

/// <summary>Whether new events are taken, and if not, why they have to wait.</summary>
public enum AdmissionState
{
    /// <summary>Events are taken.</summary>
    Open,

    /// <summary>The actors are too far behind: what came now would be in a list too late.</summary>
    Behind,

    /// <summary>The disk has less room than the node keeps free to end in good order.</summary>
    DiskLow,

    /// <summary>An operator has said so; forgotten when the process ends.</summary>
    Paused,
}

/// <summary>
/// Decides whether the node takes new events. Look-ups and the events taken before go on in every state, so the node comes back by
/// itself. One thread measures, any may look.
/// </summary>
internal sealed class Admission(NodeSettings settings, long freeBytesMin, Func<long>? freeBytes, TimeProvider time)
{
    /// <summary>What of the old speed a busy round leaves standing: the last ten or so count.</summary>
    private const double Kept = .9;

    /// <summary>How many times the bound one round may last: a round is late by itself only when it has stopped getting on.</summary>
    private const int RoundFactor = 5;

    private long _lag;
    private double _offsets;
    private double _seconds;
    private long _roundStarted;
    private volatile bool _diskLow;
    private volatile bool _paused;

    /// <summary>How far the state is behind the log, in offsets.</summary>
    public long LagOffsets => Volatile.Read(ref _lag);

    /// <summary>
    /// How long the actors would take, at the speed of their last busy rounds, to catch up, ms; 0 while no round was busy: a round of a few
    /// events says nothing of what a full one does.
    /// </summary>
    public double LagMs => Volatile.Read(ref _offsets) is var offsets and > 0 ? LagOffsets / offsets * Volatile.Read(ref _seconds) * 1000 : 0;

    public bool IsDiskLow => _diskLow;

    /// <summary>Whether an operator wants no events taken.</summary>
    public bool IsPaused
    {
        get => _paused;
        set => _paused = value;
    }

    public bool IsBehind => LagOffsets > settings.LagOffsetsMax || LagMs > settings.LagMsMax || RoundMs > RoundFactor * settings.LagMsMax;

    /// <summary>How long the round under way has been at it, ms; 0 between rounds. One that does not end is behind, whatever its predecessors took.</summary>
    private double RoundMs => Volatile.Read(ref _roundStarted) is var started and > 0 ? time.GetElapsedTime(started).TotalMilliseconds : 0;

    public AdmissionState State => _diskLow ? AdmissionState.DiskLow : _paused ? AdmissionState.Paused : IsBehind ? AdmissionState.Behind : AdmissionState.Open;

    /// <summary>A checkpoint that finds no room leaves a store that has to be opened again; so none is tried on the last half of the reserve.</summary>
    public bool MayCheckpoint => !_diskLow || freeBytes!() > freeBytesMin / 2;

    public void Measured(long lagOffsets) => Volatile.Write(ref _lag, lagOffsets);

    public void RoundStarts() => Volatile.Write(ref _roundStarted, time.GetTimestamp());

    public void RoundEnds() => Volatile.Write(ref _roundStarted, 0);

    /// <summary>A round that had as much to do as it takes: so many offsets in so many seconds.</summary>
    public void BusyRound(long offsets, double seconds)
    {
        Volatile.Write(ref _seconds, _seconds * Kept + seconds);
        Volatile.Write(ref _offsets, _offsets * Kept + offsets);
    }

    /// <summary>Looks at the disk; true when the answer has changed.</summary>
    public bool LookAtDisk()
    {
        if (freeBytes is null || freeBytesMin == 0) return false;
        // It has to be clearly enough again, or the state would flicker with every file that comes and goes.
        var low = freeBytes() < (_diskLow ? freeBytesMin + freeBytesMin / 8 : freeBytesMin);
        if (low == _diskLow) return false;
        _diskLow = low;
        return true;
    }
}
