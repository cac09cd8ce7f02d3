namespace Streaming.Models.Ranking;

/// <summary>What the rows of a ranker are made of.</summary>
/// <param name="Fields">Bags of keys of a row; a field with one value is a bag of one.</param>
public sealed record RankerShape(int Fields)
{
    /// <summary>S: the first fields, which describe the target; every step of the user's sequence has the same, by the same keys.</summary>
    public int TargetFields { get; init; } = 1;

    /// <summary>The last fields, which pool what the sequence tells step by step: networks that read the sequence leave them out.</summary>
    public int PooledFields { get; init; }

    /// <summary>D: real values; each is a field too, its vector the value times a learned one.</summary>
    public int DenseColumns { get; init; }

    /// <summary>L: steps of the user's sequence at most, the newest; 0 for none.</summary>
    public int SequenceMax { get; init; }

    /// <summary>Whether a row has one more bag, of crossed keys, that only first-order terms read.</summary>
    public bool HasCrosses { get; init; }

    /// <summary>Positions with a bias of their own, the last for all beyond; 0 for none.</summary>
    public int PositionsMax { get; init; }

    /// <summary>K: labels of a row.</summary>
    public int Tasks { get; init; } = 1;

    /// <summary>Tells tasks of one number from others, so that a file of the one is no file of the other; 0 for a single one.</summary>
    public int TasksCode { get; init; }

    /// <summary>F: vectors that a network sees, the dense ones last.</summary>
    public int Vectors => Fields + DenseColumns;

    /// <summary>The same without the pooled ones.</summary>
    public int PlainVectors => Vectors - PooledFields;

    /// <exception cref="ArgumentOutOfRangeException">Names the value that makes no sense.</exception>
    public void Check()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(TargetFields, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(PooledFields);
        ArgumentOutOfRangeException.ThrowIfLessThan(Fields, TargetFields + PooledFields);
        ArgumentOutOfRangeException.ThrowIfNegative(DenseColumns);
        ArgumentOutOfRangeException.ThrowIfNegative(SequenceMax);
        ArgumentOutOfRangeException.ThrowIfNegative(PositionsMax);
        ArgumentOutOfRangeException.ThrowIfLessThan(Tasks, 1);
    }
}

/// <summary>Widths and step sizes of a ranker.</summary>
public sealed record RankerOptions
{
    /// <summary>d: columns of a field's vector.</summary>
    public int Dim { get; init; } = 16;

    /// <summary>Hidden columns of the deep part.</summary>
    public IReadOnlyList<int> Hidden { get; init; } = [64, 32];

    /// <summary>Step size of the dense weights.</summary>
    public float Rate { get; init; } = 1e-3f;

    /// <summary>Step size of the rows of the tables.</summary>
    public float TableRate { get; init; } = 1e-2f;

    /// <summary>lambda of the penalty lambda / 2 |row|^2 on the vectors that a mini-batch reads.</summary>
    public float Regularisation { get; init; }

    /// <summary>New vectors are uniform in [-scale, scale); first-order weights start at 0.</summary>
    public float InitScale { get; init; } = 0.05f;

    /// <summary>
    /// Added to the network's K log-odds, so that training starts at the rates of the labels and not at one half: a rare label's rate else is what all weights learn first. It is
    /// not saved. None for 0.
    /// </summary>
    public IReadOnlyList<float> StartLogOdds { get; init; } = [];

    /// <summary>Mini-batches that name a key before it gets a row.</summary>
    public int AdmitCount { get; init; } = 1;

    /// <summary>Rows of a table at most.</summary>
    public int RowsMax { get; init; } = 10_000_000;

    /// <summary>Of the first values.</summary>
    public ulong Seed { get; init; } = 1;

    /// <exception cref="ArgumentOutOfRangeException">Names the value that makes no sense.</exception>
    public void Check()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(Dim, 1);
        ArgumentOutOfRangeException.ThrowIfZero(Hidden.Count, nameof(Hidden));
        foreach (var columns in Hidden) ArgumentOutOfRangeException.ThrowIfLessThan(columns, 1, nameof(Hidden));
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(Rate);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(TableRate);
        ArgumentOutOfRangeException.ThrowIfNegative(Regularisation);
        ArgumentOutOfRangeException.ThrowIfNegative(InitScale);
    }
}
