using Streaming.Models.Embeddings;

namespace Streaming.Models.Deep;

/// <summary>Shape and step sizes of a <see cref="TwoTower"/>.</summary>
public sealed record TwoTowerOptions
{
    /// <summary>d: columns of every embedding; an item has two, its own and its side information's.</summary>
    public int Dim { get; init; } = 16;

    /// <summary>e: columns of the towers' vectors.</summary>
    public int VectorDim { get; init; } = 32;

    /// <summary>Hidden columns of each tower, with ReLU behind each; none makes the towers linear.</summary>
    public IReadOnlyList<int> HiddenColumns { get; init; } = [64];

    /// <summary>Past items that count at most, the newest.</summary>
    public int HistoryMax { get; init; } = 20;

    /// <summary>Factor per step back in the past items, in (0, 1]; 1 is the plain mean.</summary>
    public float HistoryDecay { get; init; } = 0.9f;

    /// <summary>Whether users have rows of their own. They say nothing of a new user.</summary>
    public bool UserRows { get; init; }

    /// <summary>Categories, authors and tags of an item that count at most.</summary>
    public int SideKeysMax { get; init; } = 8;

    /// <summary>tau: the cosine is divided by it before the softmax.</summary>
    public float Temperature { get; init; } = 0.1f;

    /// <summary>Whether logits are corrected by the items' sampling probability.</summary>
    public bool CorrectsSampling { get; init; } = true;

    /// <summary>Whether items that the mini-batch shows without a click join the candidates of its softmax.</summary>
    public bool LogNegatives { get; init; }

    /// <summary>Of the estimate of that probability.</summary>
    public FrequencyOptions Frequency { get; init; } = new();

    /// <summary>Adam's step size for the dense weights.</summary>
    public float Rate { get; init; } = 1e-3f;

    /// <summary>Adam's step size for the rows of the tables.</summary>
    public float TableRate { get; init; } = 1e-2f;

    /// <summary>New rows of side information and users are uniform in [-scale, scale).</summary>
    public float InitScale { get; init; } = 0.1f;

    /// <summary>New rows of items are uniform in [-scale, scale): small, so that an item starts where its side information places it.</summary>
    public float ItemInitScale { get; init; } = 0.01f;

    /// <summary>Mini-batches that name an item before it gets a row of its own.</summary>
    public int AdmitCount { get; init; } = 1;

    /// <summary>Rows of a table at most.</summary>
    public int RowsMax { get; init; } = 10_000_000;

    /// <summary>Of the first dense weights; rows start from their keys alone.</summary>
    public ulong Seed { get; init; } = 1;

    /// <exception cref="ArgumentOutOfRangeException">Names the value that makes no sense.</exception>
    public void Check()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(Dim, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(VectorDim, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(HistoryMax, 1);
        foreach (var columns in HiddenColumns) ArgumentOutOfRangeException.ThrowIfLessThan(columns, 1, nameof(HiddenColumns));
        if (HistoryDecay is not (> 0 and <= 1)) throw new ArgumentOutOfRangeException(nameof(HistoryDecay), HistoryDecay, "allowed is (0, 1]");
        ArgumentOutOfRangeException.ThrowIfNegative(SideKeysMax);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(Temperature);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(Rate);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(TableRate);
    }
}
