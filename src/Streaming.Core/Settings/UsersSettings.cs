using Streaming.Core.Events;

namespace Streaming.Core.Settings;

/// <summary>The user actor: sessions, join, interests, bounds.</summary>
public sealed record UsersSettings
{
    /// <summary>Inactivity that closes a session, ms.</summary>
    public long SessionGapMs { get; init; } = 30 * 60_000;

    /// <summary>Actions that close a session.</summary>
    public int SessionActionsMax { get; init; } = 50;

    /// <summary>How long an impression waits for its click, ms.</summary>
    public long AttributionWindowMs { get; init; } = 5 * 60_000;

    /// <summary>How long after the window a late click still corrects the label, ms.</summary>
    public long LateWindowMs { get; init; } = 60 * 60_000;

    /// <summary>Impressions waiting at most; beyond, the oldest leaves early as a negative.</summary>
    public int PendingMax { get; init; } = 200;

    /// <summary>Closed impressions remembered for late clicks at most.</summary>
    public int ClosedMax { get; init; } = 50;

    /// <summary>Positive actions remembered (long-term history), newest kept.</summary>
    public int HistoryMax { get; init; } = 100;

    /// <summary>Earlier positive items that go with an interaction, for co-visitation.</summary>
    public int RecentMax { get; init; } = 20;

    /// <summary>
    /// Positive items, newest first, that go with every example, for models that read sequences (8 bytes each in every record); 0 for
    /// none, or for 20 where deep models are on.
    /// </summary>
    public int ExampleHistoryMax { get; init; }

    /// <summary>Items with served/seen/clicked/disliked marks; beyond, the oldest unmarked-as-disliked is forgotten.</summary>
    public int MarksMax { get; init; } = 1000;

    /// <summary>Tags, categories and authors with a long-term weight.</summary>
    public int InterestsMax { get; init; } = 200;

    /// <summary>Event ids remembered to drop repeats.</summary>
    public int RecentEventIdsMax { get; init; } = 64;

    /// <summary>Half-life of the fast (short-term) vector, ms.</summary>
    public long ShortHalfLifeMs { get; init; } = 10 * 60_000;

    /// <summary>Half-life of long-term interest weights, ms.</summary>
    public long LongHalfLifeMs { get; init; } = 7L * 24 * 3_600_000;

    /// <summary>K of K' = max(1, min(K, log2 |I|)) interest vectors.</summary>
    public int InterestVectorsMax { get; init; } = 4;

    /// <summary>Weight per event type, built in or custom; a type that is neither is rejected. Negative weights push away.</summary>
    public Dictionary<string, double> ActionWeights { get; init; } = new()
    {
        ["click"] = 1, ["dwell"] = 1, ["like"] = 2, ["share"] = 3, ["add_to_cart"] = 3, ["purchase"] = 5, ["rating"] = 1,
        ["dislike"] = -2, ["hide"] = -3, ["search"] = 0,
    };

    /// <summary>
    /// Goals beyond the first positive action, by event type ("like", "purchase"; <see cref="Events.Goals.Allowed"/>): each is labelled for every impression, 1 when
    /// the action comes and 0 when the attribution window ends, for rankers of several tasks. They shape those models: another list starts them anew.
    /// </summary>
    public string[] Goals { get; init; } = [];

    /// <summary>Rating at or above which the label is positive.</summary>
    public double RatingPositiveAt { get; init; } = 4;

    /// <summary>Seconds of dwell at or above which it counts as a positive action.</summary>
    public double DwellPositiveSeconds { get; init; } = 10;

    /// <summary>
    /// What a rating below <see cref="RatingPositiveAt"/> adds to interests: mild, because the user did choose the item; at most 0.
    /// </summary>
    public double RatingNegativeWeight { get; init; } = -0.25;

    /// <summary>Search terms remembered, newest kept; also the most that one search adds.</summary>
    public int SearchTermsMax { get; init; } = 10;

    /// <summary>What a search term adds to the interest in the tag of the same name.</summary>
    public double SearchTermWeight { get; init; } = 0.25;

    /// <summary>New items seen since the last list after which a fresh one is asked for, without urgency.</summary>
    public int RefreshAfterSeen { get; init; } = 10;

    /// <summary>Rate w at which negatives are kept, in (0, 1].</summary>
    public double NegativeSampleRate { get; init; } = 1;

    /// <summary>Users held in memory; the rest lies in the store.</summary>
    public int HotUsersMax { get; init; } = 50_000;

    /// <summary>How far an event's time may lie ahead of its record's own time, ms; beyond, it is set aside.</summary>
    public long FutureSkewMsMax { get; init; } = 24 * 3_600_000;

    /// <summary>
    /// Deleted users remembered per shard, so that late events of theirs do not bring them back; beyond, those deleted longest ago
    /// are forgotten for good.
    /// </summary>
    public int ForgottenUsersMax { get; init; } = 1_000_000;

    /// <summary>Records waiting in a shard's mailbox before the log is read no further.</summary>
    public int MailboxRecordsMax { get; init; } = 8192;

    /// <summary>The kinds of <see cref="Goals"/>, in their order; of sound settings.</summary>
    public IReadOnlyList<EventKind> GoalKinds() => [.. Goals.Select(name => EventKinds.Parse(name))];

    public void Validate(SettingsProblems problems)
    {
        for (var i = 0; i < Goals.Length; i++)
        {
            if (!Events.Goals.Allowed.Contains(EventKinds.Parse(Goals[i])))
                problems.Add($"Users:Goals:{i}", $"is '{Goals[i]}'; allowed are {string.Join(", ", Events.Goals.Allowed.Select(EventKinds.Name))}");
            else if (Goals.Take(i).Contains(Goals[i])) problems.Add($"Users:Goals:{i}", $"names '{Goals[i]}' a second time");
            else if (!(ActionWeights.GetValueOrDefault(Goals[i]) > 0)) problems.Add($"Users:Goals:{i}", $"is '{Goals[i]}', which is no positive action: Users:ActionWeights:{Goals[i]} must be above 0");
        }
        problems.InRange("Users:SessionGapMs", SessionGapMs, 1_000, 86_400_000);
        problems.InRange("Users:SessionActionsMax", SessionActionsMax, 1, 1000);
        problems.InRange("Users:AttributionWindowMs", AttributionWindowMs, 1, 86_400_000L * 30);
        problems.InRange("Users:LateWindowMs", LateWindowMs, 0, 86_400_000L * 30);
        problems.InRange("Users:PendingMax", PendingMax, 1, 10_000);
        problems.InRange("Users:ClosedMax", ClosedMax, 0, 10_000);
        problems.InRange("Users:HistoryMax", HistoryMax, 1, 10_000);
        problems.InRange("Users:RecentMax", RecentMax, 1, 200);
        problems.InRange("Users:ExampleHistoryMax", ExampleHistoryMax, 0, 200);
        problems.InRange("Users:MarksMax", MarksMax, 10, 100_000);
        problems.InRange("Users:InterestsMax", InterestsMax, 1, 10_000);
        problems.InRange("Users:RecentEventIdsMax", RecentEventIdsMax, 0, 10_000);
        problems.InRange("Users:ShortHalfLifeMs", ShortHalfLifeMs, 1_000, 86_400_000);
        problems.InRange("Users:LongHalfLifeMs", LongHalfLifeMs, 60_000, 86_400_000L * 365);
        problems.InRange("Users:InterestVectorsMax", InterestVectorsMax, 1, 16);
        problems.InRange("Users:RatingPositiveAt", RatingPositiveAt, -1e9, 1e9);
        problems.InRange("Users:DwellPositiveSeconds", DwellPositiveSeconds, 0, 86_400);
        problems.InRange("Users:RatingNegativeWeight", RatingNegativeWeight, -1000, 0);
        problems.InRange("Users:SearchTermsMax", SearchTermsMax, 0, 1000);
        problems.InRange("Users:SearchTermWeight", SearchTermWeight, 0, 1000);
        problems.InRange("Users:RefreshAfterSeen", RefreshAfterSeen, 1, 10_000);
        problems.InRange("Users:NegativeSampleRate", NegativeSampleRate, 1e-6, 1);
        problems.InRange("Users:ForgottenUsersMax", ForgottenUsersMax, 1, 100_000_000);
        problems.InRange("Users:HotUsersMax", HotUsersMax, 16, 100_000_000);
        problems.InRange("Users:MailboxRecordsMax", MailboxRecordsMax, 1, 1 << 20);
        problems.InRange("Users:FutureSkewMsMax", FutureSkewMsMax, 0, 86_400_000L * 3650);
        foreach (var (type, weight) in ActionWeights)
            problems.InRange($"Users:ActionWeights:{type}", weight, -1000, type is "dislike" or "hide" ? 0 : 1000);
    }
}
