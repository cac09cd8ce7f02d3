namespace Streaming.Core.Settings;

/// <summary>Online learners.</summary>
public sealed record LearningSettings
{
    /// <summary>FTRL weights: 2^bits slots.</summary>
    public int FtrlBits { get; init; } = 20;

    public double FtrlAlpha { get; init; } = 0.05;
    public double FtrlBeta { get; init; } = 1;
    public double FtrlL1 { get; init; } = 0.5;
    public double FtrlL2 { get; init; } = 1;

    /// <summary>Dimension of user and item embeddings.</summary>
    public int EmbeddingDim { get; init; } = 16;

    public double EmbeddingRate { get; init; } = 0.1;
    public double EmbeddingL2 { get; init; } = 0.01;

    public void Validate(SettingsProblems problems)
    {
        problems.InRange("Learning:FtrlBits", FtrlBits, 10, 30);
        problems.InRange("Learning:FtrlAlpha", FtrlAlpha, 1e-6, 10);
        problems.InRange("Learning:FtrlBeta", FtrlBeta, 0, 100);
        problems.InRange("Learning:FtrlL1", FtrlL1, 0, 1000);
        problems.InRange("Learning:FtrlL2", FtrlL2, 0, 1000);
        problems.InRange("Learning:EmbeddingDim", EmbeddingDim, 1, 512);
        problems.InRange("Learning:EmbeddingRate", EmbeddingRate, 1e-6, 10);
        problems.InRange("Learning:EmbeddingL2", EmbeddingL2, 0, 100);
    }
}
