namespace Streaming.Core.Settings;

/// <summary>Traffic splitting.</summary>
public sealed record ExperimentsSettings
{
    /// <summary>Salt of the assignment hash; changing it reshuffles users.</summary>
    public string Salt { get; init; } = "streaming";

    /// <summary>Share of users whose feed is popular-only: the hold-out that shows what learning is worth, in [0, 1).</summary>
    public double HoldoutShare { get; init; } = 0.05;

    public void Validate(SettingsProblems problems)
    {
        problems.NotEmpty("Experiments:Salt", Salt);
        problems.InRange("Experiments:HoldoutShare", HoldoutShare, 0, 0.99);
    }
}
