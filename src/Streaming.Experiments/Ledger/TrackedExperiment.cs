using Streaming.Core.Settings;

namespace Streaming.Experiments.Ledger;

/// <summary>An experiment as the ledger needs to know it.</summary>
public sealed record TrackedExperiment
{
    public required string Id { get; init; }

    /// <summary>Names; the first is the control. At most <see cref="ArmsMax"/>.</summary>
    public required IReadOnlyList<string> Arms { get; init; }

    /// <summary>The arms' shares of the experiment's users at present, aligned with <see cref="Arms"/>; 0 for one that gets nobody.</summary>
    public required IReadOnlyList<double> Shares { get; init; }

    /// <summary>Arms that were stopped: their comparison stands as it was when the ledger first heard of it.</summary>
    public IReadOnlyList<string> Stopped { get; init; } = [];

    /// <summary>Users who are shown arms by name: what they do is no result.</summary>
    public IReadOnlyCollection<string> Excluded { get; init; } = [];

    /// <summary>Events from here on count, Unix ms.</summary>
    public long StartMs { get; init; } = long.MinValue;

    /// <summary>Events from here on no longer count, Unix ms.</summary>
    public long EndMs { get; init; } = long.MaxValue;

    /// <summary>False once it has ended: the first <see cref="EndMs"/> that it had then stands.</summary>
    public bool Runs { get; init; } = true;

    /// <summary>Arms whose lists are made of two rankings, to the name of the opponent's.</summary>
    public IReadOnlyDictionary<string, string> Interleaved { get; init; } = new Dictionary<string, string>();

    public const int ArmsMax = 64;
}

/// <summary>Bounds of the ledger, and the rules that it shares with the user actors.</summary>
public sealed record LedgerLimits
{
    /// <summary>Users of one experiment that are kept exactly; beyond it a sample of them is.</summary>
    public int UsersMax { get; init; } = 250_000;

    /// <summary>Users whose past is known to experiments that they will meet.</summary>
    public int HistoryUsersMax { get; init; } = 500_000;

    /// <summary>Half-life of that past.</summary>
    public double HistoryHalfLifeMs { get; init; } = 7 * 86_400_000.0;

    /// <summary>Event ids by which repeats are told.</summary>
    public int RecentEventsMax { get; init; } = 400_000;

    /// <summary>Experiments that figures are kept of; the one that has been silent longest goes first.</summary>
    public int ExperimentsMax { get; init; } = 64;

    public long SessionGapMs { get; init; } = 30 * 60_000;

    /// <summary>An event that claims a time further ahead of its record is not counted, as the user actors set it aside.</summary>
    public long FutureSkewMsMax { get; init; } = 24 * 3_600_000;

    public static LedgerLimits Of(StreamingSettings settings)
    {
        var of = settings.Experiments.Statistics;
        return new LedgerLimits
        {
            UsersMax = of.UsersMax, HistoryUsersMax = of.HistoryUsersMax, HistoryHalfLifeMs = of.HistoryHalfLifeMs, RecentEventsMax = of.RecentEventsMax,
            ExperimentsMax = of.ExperimentsMax, SessionGapMs = settings.Users.SessionGapMs, FutureSkewMsMax = settings.Users.FutureSkewMsMax,
        };
    }
}
