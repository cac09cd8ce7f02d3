using Streaming.Core.Events;
using Streaming.Core.Feeds;
using Streaming.Core.Settings;

namespace Streaming.Users.Tests;

/// <summary>Seeded event sequences of one user: every kind, repeats, late events, jumps over windows, several surfaces and requests.</summary>
internal static class RandomEvents
{
    public const long Window = 1000, Late = 700;

    private static readonly EventKind[] Actions =
    [
        EventKind.Click, EventKind.Click, EventKind.Click, EventKind.Like, EventKind.Purchase, EventKind.Dislike, EventKind.Hide, EventKind.Dwell,
    ];

    /// <summary>A step is an event, or a wake-up where the event is null; times are Unix ms.</summary>
    public static List<(UserEvent? Event, long TimeMs)> Make(int seed, int count, bool everyKind)
    {
        var random = new Random(seed);
        var steps = new List<(UserEvent?, long)>();
        var now = 0L;
        for (var i = 0; i < count; i++)
        {
            now += random.Next(12) == 0 ? random.Next(3000) : random.Next(120);
            var at = random.Next(6) == 0 ? Math.Max(0, now - random.Next(2500)) : now;
            if (random.Next(12) == 0) steps.Add((null, Bench.T0 + at));
            else
            {
                var e = One(random, at, everyKind);
                steps.Add((e, e.TimeMs));
            }
        }
        return steps;
    }

    private static UserEvent One(Random random, long at, bool everyKind)
    {
        string Item() => $"i{random.Next(12)}";
        var request = random.Next(3) switch { 0 => null, 1 => $"r{random.Next(6)}", _ => RequestId.Format("arm", random.Next(4), 1) };
        var surface = random.Next(3) == 0 ? "mail" : "home";
        var kind = random.Next(100) switch
        {
            < 35 => EventKind.Impression,
            < 80 => Actions[random.Next(Actions.Length)],
            < 85 when everyKind => EventKind.Rating,
            < 88 when everyKind => EventKind.Search,
            < 92 when everyKind => EventKind.Served,
            < 94 when everyKind => EventKind.UserUpsert,
            _ => EventKind.Impression,
        };
        var e = Bench.Event(kind, at, Item()) with
        {
            RequestId = request, Surface = surface, Value = random.Next(1, 20), Position = random.Next(-1, 8),
            EventId = everyKind && random.Next(3) == 0 ? $"e{random.Next(60)}" : null,
            SessionId = everyKind && random.Next(5) == 0 ? $"s{random.Next(2)}" : null,
            Query = kind == EventKind.Search ? $"term{random.Next(20)} Other" : null,
        };
        if (kind == EventKind.UserUpsert) return e with { Profile = new UserProfile { Interests = [Item()], Attributes = [new("k", Item())] } };
        if (kind is EventKind.Impression or EventKind.Served && random.Next(2) == 0)
            return e with { Item = null, Items = [.. Enumerable.Range(0, random.Next(1, 6)).Select(p => new ShownItem(Item(), p, random.Next(2) == 0 ? 0.5f : float.NaN))] };
        return e;
    }

    /// <summary>Windows as <see cref="Window"/> and <see cref="Late"/>; bounds so tight that all of them bite, or out of reach.</summary>
    public static UsersSettings Settings(bool tight) => new()
    {
        AttributionWindowMs = Window, LateWindowMs = Late, SessionGapMs = 1500, LongHalfLifeMs = 60_000, ShortHalfLifeMs = 2000,
        PendingMax = tight ? 8 : 10_000, ClosedMax = tight ? 5 : 10_000, HistoryMax = tight ? 12 : 1000, MarksMax = tight ? 10 : 1000,
        InterestsMax = tight ? 9 : 1000, RecentEventIdsMax = 8, SessionActionsMax = tight ? 6 : 50, SearchTermsMax = 3,
        NegativeSampleRate = tight ? 0.5 : 1, RefreshAfterSeen = 3, DwellPositiveSeconds = 10,
    };
}
