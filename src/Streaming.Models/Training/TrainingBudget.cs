namespace Streaming.Models.Training;

/// <summary>
/// Where a training stands in its schedule, 0 to 1. Without a time limit an epoch is the same part of it every time. With one, what is left of
/// the schedule is shared by the epochs that the time left is enough for, as long as the last one took, so that the last of them ends it.
/// </summary>
/// <param name="options">Epochs and time.</param>
/// <param name="first">Epochs that a checkpoint brought.</param>
public sealed class TrainingBudget(TrainerOptions options, int first)
{
    private TimeSpan? _began;
    private int _epoch = first - 1;
    private double _from, _to = (double)first / options.EpochsMax;

    /// <summary>Whether another epoch may begin; one may in any case.</summary>
    /// <param name="elapsed">Since this run began.</param>
    public bool Allows(TimeSpan elapsed) => _began is null || options.TimeMax is not { } limit || (elapsed <= limit && _to < 1);

    /// <param name="elapsed">Since this run began.</param>
    public void BeginEpoch(TimeSpan elapsed)
    {
        _epoch++;
        _from = _to;
        _to = Math.Min(1, _from + 1.0 / options.EpochsMax);
        if (options.TimeMax is { } limit && _began is { } began)
        {
            var affordable = Math.Max(1, Math.Floor((limit - elapsed) / (elapsed - began)));
            _to = Math.Max(_to, _from + (1 - _from) / affordable);
        }
        _began = elapsed;
    }

    /// <param name="done">Share of the epoch's steps before this one.</param>
    public double Place(double done) => options.TimeMax is null ? (_epoch + done) / options.EpochsMax : _from + (_to - _from) * done;
}
