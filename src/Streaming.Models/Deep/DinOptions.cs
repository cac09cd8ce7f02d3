namespace Streaming.Models.Deep;

/// <summary>Shape and step sizes of a <see cref="Din"/>.</summary>
public sealed record DinOptions
{
    /// <summary>d: columns of every embedding; an item has two, its own and its side information's.</summary>
    public int Dim { get; init; } = 16;

    /// <summary>Past items that count at most, the newest.</summary>
    public int HistoryMax { get; init; } = 20;

    /// <summary>Hidden columns of the local activation unit; the paper's.</summary>
    public int UnitColumns { get; init; } = 36;

    /// <summary>Hidden columns of the MLP; the paper's.</summary>
    public IReadOnlyList<int> HiddenColumns { get; init; } = [200, 80];

    /// <summary>Whether users have rows of their own.</summary>
    public bool UserRows { get; init; } = true;

    /// <summary>Positions with a bias of their own, the last for all beyond; 0 for none.</summary>
    public int PositionsMax { get; init; } = 32;

    /// <summary>Dense columns (<see cref="ExampleBatch.Dense"/>): figures of user and item that the ids cannot tell in time.</summary>
    public int DenseColumns { get; init; }

    /// <summary>Categories, authors and tags of an item that count at most.</summary>
    public int SideKeysMax { get; init; } = 8;

    /// <summary>Adam's step size for the dense weights.</summary>
    public float Rate { get; init; } = 1e-3f;

    /// <summary>Adam's step size for the rows of the tables.</summary>
    public float TableRate { get; init; } = 1e-3f;

    /// <summary>New rows are uniform in [-scale, scale).</summary>
    public float InitScale { get; init; } = 0.05f;

    /// <summary>Mini-batches that name a user or an item before it gets a row.</summary>
    public int AdmitCount { get; init; } = 1;

    /// <summary>Rows of a table at most.</summary>
    public int RowsMax { get; init; } = 10_000_000;

    /// <summary>Of the first weights and of the first values of rows.</summary>
    public ulong Seed { get; init; } = 1;

    /// <exception cref="ArgumentOutOfRangeException">Names the value that makes no sense.</exception>
    public void Check()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(Dim, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(HistoryMax, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(UnitColumns, 1);
        ArgumentOutOfRangeException.ThrowIfZero(HiddenColumns.Count, nameof(HiddenColumns));
        foreach (var columns in HiddenColumns) ArgumentOutOfRangeException.ThrowIfLessThan(columns, 1, nameof(HiddenColumns));
        ArgumentOutOfRangeException.ThrowIfNegative(PositionsMax);
        ArgumentOutOfRangeException.ThrowIfNegative(DenseColumns);
        ArgumentOutOfRangeException.ThrowIfNegative(SideKeysMax);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(Rate);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(TableRate);
    }
}
