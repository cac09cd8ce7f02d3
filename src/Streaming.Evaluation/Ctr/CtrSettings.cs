using Streaming.Models.Ranking;

namespace Streaming.Evaluation.Ctr;

/// <summary>How each set's rankers are trained: chosen on ctr-chronological-validation, which never looks at the test.</summary>
internal static class CtrSettings
{
    /// <param name="set">Name of the data set.</param>
    /// <param name="model">Name of the ranker.</param>
    public static CtrOptions Of(string set, string model) => set switch
    {
        // Ten thousand rows: values must recur to be learned, and vectors be kept small.
        "criteo" or "avazu" or "taobao-ads" => new CtrOptions { RareBelow = 5, Ranker = new RankerOptions { Dim = 8, Regularisation = 1e-3f, TableRate = 3e-3f } },
        _ => new CtrOptions { RareBelow = 5, BatchSize = 512, ChecksPerEpoch = 4, EpochsMax = 5, Ranker = new RankerOptions { Dim = 16, Regularisation = 1e-5f, TableRate = 3e-3f } },
    };
}
