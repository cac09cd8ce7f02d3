using Streaming.Models.Ranking;

namespace Streaming.Evaluation.Ctr;

/// <summary>How rankers are trained on each set, all of them alike: chosen on the validation twins of criteo, taobao-ads and ranklens, which never look at the test.</summary>
internal static class CtrSettings
{
    /// <param name="set">Name of the data set.</param>
    public static CtrOptions Of(string set) => set switch
    {
        // Seven thousand rows to learn from: values must recur, and vectors start and stay so small that first-order weights do most of it.
        "criteo" or "avazu" => new CtrOptions
        {
            RareBelow = 10, EpochsMax = 30, Patience = 6, Ranker = new RankerOptions { Dim = 4, InitScale = 0.001f, Regularisation = 3e-2f, TableRate = 1e-3f, Rate = 3e-4f },
        },
        "taobao-ads" => new CtrOptions
        {
            RareBelow = 10, EpochsMax = 30, Patience = 6, Ranker = new RankerOptions { Dim = 8, Regularisation = 1e-4f, TableRate = 3e-3f },
        },
        _ => new CtrOptions { RareBelow = 5, BatchSize = 512, EpochsMax = 10, Patience = 3, Ranker = new RankerOptions { Regularisation = 1e-4f, TableRate = 3e-3f } },
    };
}
