namespace Streaming.Core.Settings;

/// <summary>Traffic splitting.</summary>
public sealed record ExperimentsSettings
{
    /// <summary>Salt of the assignment hash; changing it reshuffles users.</summary>
    public string Salt { get; init; } = "streaming";

    /// <summary>Share of users whose feed is popular-only: the hold-out that shows what learning is worth, in [0, 1).</summary>
    public double HoldoutShare { get; init; } = 0.05;

    /// <summary>
    /// Shares of users whose lists a deep model makes, by the model's name, in [0, 1) (<c>Deep:Models</c>), or the live ranker with another
    /// <c>Feeds:Diversity</c>, by its value. Everybody else, the hold-out apart, has the arm "learned".
    /// </summary>
    public Dictionary<string, double> ArmShares { get; init; } = [];

    /// <summary>Arms of isolated experiments at most: each learns in an overlay of its own.</summary>
    public int OverlaysMax { get; init; } = 16;

    /// <summary>Weights of its own that an overlay holds at most (32 to 64 bytes each); beyond, it reads new ones from the shared ones and does not learn them.</summary>
    public int OverlayEntriesMax { get; init; } = 1 << 18;

    public const int OverlaysMaxMax = 256;

    /// <summary>What is measured of experiments.</summary>
    public StatisticsSettings Statistics { get; init; } = new();

    /// <summary>
    /// A file of definitions (README, "Experiments"), taken over where the log has none yet; later changes come through the API. Empty
    /// for none.
    /// </summary>
    public string File { get; init; } = "";

    /// <summary>
    /// Whether every user may ask for any arm as testers may, and counts in the results all the same: for demonstrations, where whoever looks
    /// wants to compare. Off, it takes a definition to make somebody a tester.
    /// </summary>
    public bool EverybodyTests { get; init; }

    /// <summary>
    /// How long a look-up waits for the first list of an arm that its user was moved into, or that a tester asked for, ms; after that it
    /// answers with the popular list.
    /// </summary>
    public int FirstListWaitMs { get; init; } = 200;

    public void Validate(SettingsProblems problems)
    {
        problems.InRange("Experiments:FirstListWaitMs", FirstListWaitMs, 0, 60_000);
        Statistics.Validate(problems);
        problems.NotEmpty("Experiments:Salt", Salt);
        problems.InRange("Experiments:HoldoutShare", HoldoutShare, 0, 0.99);
        problems.InRange("Experiments:OverlaysMax", OverlaysMax, 0, OverlaysMaxMax);
        problems.InRange("Experiments:OverlayEntriesMax", OverlayEntriesMax, 1, 1 << 28);
        foreach (var (arm, share) in ArmShares) problems.InRange($"Experiments:ArmShares:{arm}", share, 0, 0.99);
        if (HoldoutShare is >= 0 and <= 0.99 && HoldoutShare + ArmShares.Values.Sum() > 1)
            problems.Add("Experiments:ArmShares", $"and the hold-out come to {HoldoutShare + ArmShares.Values.Sum():0.###}; together they may be 1 at most");
    }
}
