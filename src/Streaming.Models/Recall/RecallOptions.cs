using Streaming.Models.Embeddings;

namespace Streaming.Models.Recall;

/// <summary>Sizes and step sizes of a <see cref="RecallModel"/>.</summary>
public sealed record RecallOptions
{
    /// <summary>d, columns of the items' rows.</summary>
    public int Dim { get; init; } = 32;

    /// <summary>Columns of the hidden layers.</summary>
    public int Hidden { get; init; } = 64;

    /// <summary>Newest items of a history that count.</summary>
    public int HistoryMax { get; init; } = 20;

    /// <summary>Adam's step size for the dense weights.</summary>
    public float Rate { get; init; } = 1e-3f;

    /// <summary>Adam's step size for the rows of the tables.</summary>
    public float TableRate { get; init; } = 5e-3f;

    /// <summary>Of the estimate of how likely a mini-batch is to hold an item.</summary>
    public FrequencyOptions Frequency { get; init; } = new();

    /// <summary>Mini-batches that name an item or a user before they get a row.</summary>
    public int AdmitCount { get; init; } = 1;

    /// <summary>Rows of a table at most; beyond, new items and users get none until old ones expire.</summary>
    public int RowsMax { get; init; } = 1_000_000;

    /// <summary>A row that no mini-batch has named for so long goes, ms of event time.</summary>
    public long RowExpiryMs { get; init; } = 180L * 86_400_000;

    /// <summary>Of the first dense weights; rows start from their keys alone.</summary>
    public ulong Seed { get; init; } = 1;

    /// <exception cref="ArgumentOutOfRangeException">Names the value that makes no sense.</exception>
    public void Check()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(Dim, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(Hidden, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(HistoryMax, 1);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(Rate);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(TableRate);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(RowExpiryMs);
    }
}
