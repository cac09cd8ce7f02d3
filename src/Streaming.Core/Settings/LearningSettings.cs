namespace Streaming.Core.Settings;

/// <summary>Online learners.</summary>
public sealed record LearningSettings
{
    /// <summary>FTRL weights: 2^bits slots of 8 bytes.</summary>
    public int FtrlBits { get; init; } = 20;

    /// <summary>Alpha of the per-coordinate rate alpha / (beta + sqrt(sum g^2)).</summary>
    public double FtrlAlpha { get; init; } = 0.1;

    public double FtrlBeta { get; init; } = 1;
    public double FtrlL1 { get; init; } = 0.5;
    public double FtrlL2 { get; init; } = 1;

    /// <summary>Features of the ranking model; empty means <see cref="FeatureNames.Default"/>.</summary>
    public IReadOnlyList<string> Features { get; init; } = [];

    /// <summary>Pairs of features like "user*category"; empty means <see cref="FeatureNames.DefaultCrosses"/>, "none" means none.</summary>
    public IReadOnlyList<string> Crosses { get; init; } = [];

    /// <summary>Dimension of user and item embeddings; the last column of a user's carries the bias.</summary>
    public int EmbeddingDim { get; init; } = 16;

    /// <summary>Adagrad step size of the embeddings.</summary>
    public double EmbeddingRate { get; init; } = 0.2;

    /// <summary>Adagrad step size of the biases.</summary>
    public double EmbeddingBiasRate { get; init; } = 0.2;

    public double EmbeddingL2 { get; init; } = 0.01;

    /// <summary>Start of the Adagrad accumulators: damps the first steps of a new row.</summary>
    public double EmbeddingAdagradInitial { get; init; } = 0.1;

    /// <summary>New rows are uniform in [-scale, scale).</summary>
    public double EmbeddingInitScale { get; init; } = 0.1;

    /// <summary>Occurrences after which an item gets an embedding.</summary>
    public int EmbeddingAdmitCount { get; init; } = 1;

    /// <summary>Items counted towards admission at once.</summary>
    public int EmbeddingPendingMax { get; init; } = 65_536;

    /// <summary>Items with an embedding at most.</summary>
    public int EmbeddingRowsMax { get; init; } = 1_000_000;

    /// <summary>An item untouched for so long loses its embedding and statistics, ms of event time.</summary>
    public long ItemExpiryMs { get; init; } = 180L * 86_400_000;

    /// <summary>Items with statistics at most; beyond, new items have none until old ones expire.</summary>
    public int StatisticsItemsMax { get; init; } = 1_000_000;

    /// <summary>Popularity figures (per item and surface, per category) at most.</summary>
    public int PopularityKeysMax { get; init; } = 2_000_000;

    /// <summary>Half-life of decayed impressions and clicks, ms.</summary>
    public long CtrHalfLifeMs { get; init; } = 7L * 86_400_000;

    /// <summary>Half-life of popularity, ms.</summary>
    public long PopularityHalfLifeMs { get; init; } = 86_400_000;

    /// <summary>Impressions' worth of the global rate mixed into an item's rate (Beta prior).</summary>
    public double CtrPriorImpressions { get; init; } = 10;

    /// <summary>Positions with a click rate of their own; further down counts as the last.</summary>
    public int PositionsMax { get; init; } = 100;

    /// <summary>Positives remembered as a pool of sampled negatives for streams of clicks alone.</summary>
    public int NegativePoolMax { get; init; } = 4096;

    /// <summary>Predictions (8 bytes each and model, in memory and in every checkpoint) with exact figures; beyond, AUC comes from a histogram and GAUC from a sample of the users.</summary>
    public int PrequentialExactMax { get; init; } = 2_000_000;

    /// <summary>Predictions (8 bytes each and model) of the users sampled for GAUC and uAUC beyond <see cref="PrequentialExactMax"/>.</summary>
    public int PrequentialUserSampleMax { get; init; } = 500_000;

    /// <summary>Last predictions in the windowed figures.</summary>
    public int PrequentialWindowMax { get; init; } = 10_000;

    /// <summary>Users, and items, that the baselines keep a mean for; beyond, new ones get the global mean.</summary>
    public int BaselineKeysMax { get; init; } = 1_000_000;

    public void Validate(SettingsProblems problems)
    {
        problems.InRange("Learning:FtrlBits", FtrlBits, 10, 28);
        problems.InRange("Learning:FtrlAlpha", FtrlAlpha, 1e-6, 10);
        problems.InRange("Learning:FtrlBeta", FtrlBeta, 1e-6, 100);
        problems.InRange("Learning:FtrlL1", FtrlL1, 0, 1000);
        problems.InRange("Learning:FtrlL2", FtrlL2, 0, 1000);
        ValidateFeatures(problems);
        problems.InRange("Learning:EmbeddingDim", EmbeddingDim, 2, 512);
        problems.InRange("Learning:EmbeddingRate", EmbeddingRate, 1e-6, 10);
        problems.InRange("Learning:EmbeddingBiasRate", EmbeddingBiasRate, 1e-6, 10);
        problems.InRange("Learning:EmbeddingL2", EmbeddingL2, 0, 100);
        problems.InRange("Learning:EmbeddingAdagradInitial", EmbeddingAdagradInitial, 1e-9, 1000);
        problems.InRange("Learning:EmbeddingInitScale", EmbeddingInitScale, 0, 10);
        problems.InRange("Learning:EmbeddingAdmitCount", EmbeddingAdmitCount, 1, 1000);
        problems.InRange("Learning:EmbeddingPendingMax", EmbeddingPendingMax, 1, 1 << 26);
        problems.InRange("Learning:EmbeddingRowsMax", EmbeddingRowsMax, 1, 1 << 28);
        problems.InRange("Learning:ItemExpiryMs", ItemExpiryMs, 1000, 86_400_000L * 36_500);
        problems.InRange("Learning:StatisticsItemsMax", StatisticsItemsMax, 1, 1 << 26);
        problems.InRange("Learning:PopularityKeysMax", PopularityKeysMax, 1, 1 << 26);
        problems.InRange("Learning:CtrHalfLifeMs", CtrHalfLifeMs, 1000, 86_400_000L * 3650);
        problems.InRange("Learning:PopularityHalfLifeMs", PopularityHalfLifeMs, 1000, 86_400_000L * 3650);
        problems.InRange("Learning:CtrPriorImpressions", CtrPriorImpressions, 1e-3, 1e6);
        problems.InRange("Learning:PositionsMax", PositionsMax, 1, 10_000);
        problems.InRange("Learning:NegativePoolMax", NegativePoolMax, 1, 1 << 24);
        problems.InRange("Learning:PrequentialExactMax", PrequentialExactMax, 0, 100_000_000);
        problems.InRange("Learning:PrequentialUserSampleMax", PrequentialUserSampleMax, 1, 100_000_000);
        problems.InRange("Learning:PrequentialWindowMax", PrequentialWindowMax, 1, 10_000_000);
        problems.InRange("Learning:BaselineKeysMax", BaselineKeysMax, 1, 1 << 26);
    }

    private void ValidateFeatures(SettingsProblems problems)
    {
        for (var i = 0; i < Features.Count; i++)
            if (!FeatureNames.All.Contains(Features[i]))
                problems.Add($"Learning:Features:{i}", $"is '{Features[i]}'; allowed are {string.Join(", ", FeatureNames.All)}");
        if (Crosses is ["none"]) return;
        for (var i = 0; i < Crosses.Count; i++)
            if (!FeatureNames.TryParseCross(Crosses[i], out _, out _))
                problems.Add($"Learning:Crosses:{i}", $"is '{Crosses[i]}'; it must be a*b with a and b among {string.Join(", ", FeatureNames.All)}");
    }
}
