using Streaming.Models.Ranking;

namespace Streaming.Evaluation.Ctr;

/// <summary>
/// How rankers are trained on each set: the same few options for every ranker, of which a training takes those by which the ranker's normalised entropy of the validation
/// part is lowest. So every ranker has as much or as little regularisation as it wants, LR too, and none is tuned by the test.
/// </summary>
internal static class CtrSettings
{
    /// <summary>For sets of ten thousand rows: values must recur to have a key, and training may take many passes and stops early.</summary>
    private static readonly CtrOptions Few = new() { RareBelow = 10, EpochsMax = 30, Patience = 6 };

    /// <summary>Vectors that start and stay so small that first-order weights do most of it.</summary>
    private static readonly RankerOptions Tight = new() { Dim = 4, InitScale = 0.001f, Regularisation = 3e-2f, TableRate = 1e-3f, Rate = 3e-4f };

    private static readonly RankerOptions Loose = new() { Dim = 8, Regularisation = 1e-4f, TableRate = 3e-3f };

    private static readonly IReadOnlyList<CtrOptions> OfFew =
    [
        Few with { Ranker = Tight }, Few with { Ranker = Tight, HiddenShare = 0.3 }, Few with { Ranker = Loose }, Few with { Ranker = Loose, HiddenShare = 0.3 },
    ];

    private static readonly CtrOptions Many = new() { RareBelow = 5, BatchSize = 512, EpochsMax = 10, Patience = 3, Ranker = new RankerOptions { Regularisation = 1e-4f, TableRate = 3e-3f } };

    /// <summary>Of items that live for hours: with a fifth of the values hidden, training takes longer.</summary>
    private static readonly CtrOptions Hourly = Many with { EpochsMax = 20, Patience = 6, HiddenShare = 0.2 };

    /// <param name="set">Name of the data set.</param>
    public static IReadOnlyList<CtrOptions> Of(string set) => set switch
    {
        "criteo" or "avazu" or "taobao-ads" => OfFew,
        // Articles that nobody has read yet, and those whose time is over: what their own keys say must not be all.
        "globo" => [Hourly, Hourly with { Ranker = Hourly.Ranker with { Rate = 3e-3f } }],
        _ => [Many, Many with { HiddenShare = 0.2 }],
    };
}
