using Streaming.Models.Training;

namespace Streaming.Models.Sequences;

/// <summary>How a <see cref="SequenceRecommender"/> trains.</summary>
public sealed record SequenceOptions
{
    /// <summary>Sequences of a mini-batch.</summary>
    public int BatchSize { get; init; } = 64;

    /// <summary>Share of the items that are masked in an epoch, drawn anew in each; only for a network that has a mask.</summary>
    public double MaskShare { get; init; } = 0.2;

    /// <summary>Users whose last item is held out to decide when to stop, at most; a fifth of those with a history if that is less.</summary>
    public int ValidationUsersMax { get; init; } = 1000;

    public TrainerOptions Trainer { get; init; } = new();

    /// <exception cref="ArgumentOutOfRangeException">A number is out of its range.</exception>
    public void Check()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(BatchSize, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(ValidationUsersMax);
        if (MaskShare is not (> 0 and < 1)) throw new ArgumentOutOfRangeException(nameof(MaskShare), MaskShare, "must be between 0 and 1");
        Trainer.Check();
    }
}
