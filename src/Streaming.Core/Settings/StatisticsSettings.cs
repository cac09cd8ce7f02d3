namespace Streaming.Core.Settings;

/// <summary>The figures of experiments: what is added up for each user, and how often guard-rails are looked at.</summary>
public sealed record StatisticsSettings
{
    /// <summary>Whether this node adds them up. It reads the whole of <c>events</c>, so of several nodes on Kafka one should.</summary>
    public bool Enabled { get; init; } = true;

    /// <summary>Users of one experiment that are kept exactly, 130 bytes each; beyond it a random half, quarter, ... of them is.</summary>
    public int UsersMax { get; init; } = 250_000;

    /// <summary>Users whose past CUPED can use, 100 bytes each; the longest away are forgotten first.</summary>
    public int HistoryUsersMax { get; init; } = 500_000;

    /// <summary>Half-life of that past.</summary>
    public long HistoryHalfLifeMs { get; init; } = 7L * 86_400_000;

    /// <summary>Event ids by which repeats are told, 32 bytes each.</summary>
    public int RecentEventsMax { get; init; } = 400_000;

    /// <summary>Experiments, ended ones included, that figures are kept of.</summary>
    public int ExperimentsMax { get; init; } = 64;

    /// <summary>How often guard-rails are looked at; looking often costs time, not validity.</summary>
    public int LookIntervalMs { get; init; } = 30_000;

    public int CheckpointIntervalMs { get; init; } = 60_000;

    public void Validate(SettingsProblems problems)
    {
        const string at = "Experiments:Statistics";
        problems.InRange($"{at}:UsersMax", UsersMax, 1_000, 50_000_000);
        problems.InRange($"{at}:HistoryUsersMax", HistoryUsersMax, 1_000, 50_000_000);
        problems.InRange($"{at}:HistoryHalfLifeMs", HistoryHalfLifeMs, 60_000, 10L * 365 * 86_400_000);
        problems.InRange($"{at}:RecentEventsMax", RecentEventsMax, 0, 100_000_000);
        problems.InRange($"{at}:ExperimentsMax", ExperimentsMax, 1, 1_000);
        problems.InRange($"{at}:LookIntervalMs", LookIntervalMs, 10, 86_400_000);
        problems.InRange($"{at}:CheckpointIntervalMs", CheckpointIntervalMs, 100, 86_400_000);
    }
}
