using Streaming.Models.Training;

namespace Streaming.Models.Neural;

/// <summary>How a <see cref="PairRecommender"/> samples and trains.</summary>
public sealed record PairOptions
{
    /// <summary>Examples of a mini-batch, negatives included.</summary>
    public int BatchSize { get; init; } = 8192;

    /// <summary>Drawn for each interaction, anew in every epoch, uniformly from the items that the user does not have.</summary>
    public int Negatives { get; init; } = 4;

    /// <summary>lambda of the penalty lambda / 2 |row|^2 on the rows that an example reads.</summary>
    public float Regularisation { get; init; }

    /// <summary>Users whose last item is held out to decide when to stop, at most; a fifth of those with a history if that is less.</summary>
    public int ValidationUsersMax { get; init; } = 1000;

    public TrainerOptions Trainer { get; init; } = new();

    /// <exception cref="ArgumentOutOfRangeException">A number is out of its range.</exception>
    public void Check()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(Negatives, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(BatchSize, 1 + Negatives);
        ArgumentOutOfRangeException.ThrowIfNegative(ValidationUsersMax);
        if (!(Regularisation >= 0)) throw new ArgumentOutOfRangeException(nameof(Regularisation), Regularisation, "must be 0 or above");
        Trainer.Check();
    }
}
