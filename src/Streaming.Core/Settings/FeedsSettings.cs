namespace Streaming.Core.Settings;

/// <summary>Recall, filters, ranking and re-ranking.</summary>
public sealed record FeedsSettings
{
    /// <summary>Slots of a built list.</summary>
    public int ListLength { get; init; } = 50;

    public void Validate(SettingsProblems problems)
    {
        problems.InRange("Feeds:ListLength", ListLength, 1, 1000);
    }
}
