namespace Streaming.Models.Training;

/// <summary>How the step size goes over a training.</summary>
public enum Schedule
{
    /// <summary>The same at every step.</summary>
    Constant,

    /// <summary>Falls to 0 in a straight line.</summary>
    Linear,

    /// <summary>Falls to 0 along half a cosine (Loshchilov and Hutter 2017, without restarts).</summary>
    Cosine,
}

/// <summary>How a <see cref="Trainer"/> trains.</summary>
public sealed record TrainerOptions
{
    /// <summary>Passes over the examples at most; also the length of the schedule.</summary>
    public int EpochsMax { get; init; } = 20;

    /// <summary>Adam's step size, at its largest.</summary>
    public float Rate { get; init; } = 1e-3f;

    public Schedule Schedule { get; init; } = Schedule.Linear;

    /// <summary>Share of all steps over which the step size first rises from 0 in a straight line.</summary>
    public double WarmUp { get; init; }

    /// <summary>Epochs without a better validation metric after which it stops.</summary>
    public int Patience { get; init; } = 3;

    /// <summary>Time after which no further epoch begins, one being run in any case, and in which the schedule ends; null for none.</summary>
    public TimeSpan? TimeMax { get; init; }

    /// <summary>Where it keeps its state after every epoch and goes on from; null for nowhere.</summary>
    public string? CheckpointFile { get; init; }

    /// <summary>The step size of a step.</summary>
    /// <param name="done">Share of all steps that were taken before it, 0 to 1.</param>
    public float RateAt(double done)
    {
        if (done < WarmUp) return (float)(Rate * done / WarmUp);
        var part = WarmUp >= 1 ? 0 : (done - WarmUp) / (1 - WarmUp);
        return Schedule switch
        {
            Schedule.Constant => Rate,
            Schedule.Linear => (float)(Rate * (1 - part)),
            Schedule.Cosine => (float)(Rate * 0.5 * (1 + Math.Cos(Math.PI * part))),
            _ => throw new ArgumentOutOfRangeException(nameof(Schedule), Schedule, "no such schedule"),
        };
    }

    /// <exception cref="ArgumentOutOfRangeException">A number is out of its range.</exception>
    public void Check()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(EpochsMax, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(Patience, 1);
        if (TimeMax is { } time) ArgumentOutOfRangeException.ThrowIfLessThan(time, TimeSpan.Zero);
        if (!(Rate > 0)) throw new ArgumentOutOfRangeException(nameof(Rate), Rate, "must be above 0");
        if (WarmUp is not (>= 0 and < 1)) throw new ArgumentOutOfRangeException(nameof(WarmUp), WarmUp, "must be 0 to below 1");
    }
}
