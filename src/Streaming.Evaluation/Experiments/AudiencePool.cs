using Streaming.Core.Events;
using Streaming.Core.Experiments;
using Streaming.Core.Ids;
using Streaming.Evaluation.Simulation;

namespace Streaming.Evaluation.Experiments;

/// <summary>One page that a user saw, and what they did on it.</summary>
/// <param name="User">Index of the user.</param>
/// <param name="OpensSession">Whether a visit began with it.</param>
public readonly record struct PageVisit(
    int User, bool OpensSession, int Impressions, int Clicks, int Purchases, int Actions, int Dislikes, double Dwell, double Revenue)
{
    /// <summary>Adds the page to a user's sums, by <see cref="UserColumn"/>.</summary>
    public void AddTo(Span<double> sums)
    {
        sums[(int)UserColumn.Impressions] += Impressions;
        sums[(int)UserColumn.Clicks] += Clicks;
        sums[(int)UserColumn.Dwell] += Dwell;
        sums[(int)UserColumn.Purchases] += Purchases;
        sums[(int)UserColumn.Revenue] += Revenue;
        sums[(int)UserColumn.Actions] += Actions;
        sums[(int)UserColumn.Dislikes] += Dislikes;
        if (OpensSession) sums[(int)UserColumn.Sessions]++;
    }
}

/// <summary>
/// Users of the simulator (<see cref="SimulatedUsers"/>) with everything that they did, page by page in the order of time: a population from which
/// experiments draw their users. Lists are those of a recommender that knows some users better than others: a part of the slots, the user's own and the
/// same all the time, holds the best items there are for them, the rest random ones; and some users come more often than others. So clicks are what
/// makes statistics hard: users differ by much and for long, one user's clicks go together, and pages without a click end visits.
/// </summary>
public sealed class AudiencePool
{
    private AudiencePool(int users, PageVisit[] pages, int before, int pageSize) => (Users, Pages, Before, PageSize) = (users, pages, before, pageSize);

    public int Users { get; }

    /// <summary>In the order of time.</summary>
    public IReadOnlyList<PageVisit> Pages { get; }

    /// <summary>How many of <see cref="Pages"/>, from the start, were before experiments begin.</summary>
    public int Before { get; }

    public int PageSize { get; }

    /// <summary>Simulates.</summary>
    /// <param name="users">Their number; nobody leaves for good.</param>
    /// <param name="pagesPerUser">On average, in all.</param>
    /// <param name="beforeShare">Part of the time before experiments begin, in (0, 1).</param>
    /// <param name="seed">Fixes everything.</param>
    /// <param name="cancel">Ends it.</param>
    /// <param name="progress">Told the share of the pages that there is, 0 to 1.</param>
    public static AudiencePool Of(int users, double pagesPerUser, double beforeShare, long seed, CancellationToken cancel = default, Action<double>? progress = null)
    {
        var settings = new AudienceSettings { Seed = seed, Users = users, Items = 200, NewUserPerSession = 0, ActiveShare = 0.1 };
        var environment = new SimulatedUsers(settings);
        var draws = new Draws((ulong)seed * 31 + 5);
        var index = new Dictionary<string, int>(users);
        var session = new Dictionary<string, ulong>(users);
        var pages = new PageVisit[(int)(users * pagesPerUser)];
        var list = new string[settings.PageSize];
        for (var p = 0; p < pages.Length;)
        {
            if (p % 1024 == 0)
            {
                cancel.ThrowIfCancellationRequested();
                progress?.Invoke((double)p / pages.Length);
            }
            var request = environment.NextRequest();
            if (!index.TryGetValue(request.User, out var user)) index[request.User] = user = index.Count;
            Pick(environment, request, list, KnownSlots(user, list.Length), ref draws);
            var response = environment.Respond(list);
            if (Comes(user, response.Events[0].SessionId!)) pages[p++] = VisitOf(user, response.Events, Opens(response.Events, session));
        }
        return new AudiencePool(users, pages, (int)(pages.Length * beforeShare), settings.PageSize);
    }

    /// <summary>Slots in which the user gets what suits them best: few for most.</summary>
    private static int KnownSlots(int user, int slots)
    {
        var known = StableHash.Unit(StableHash.Finalise((ulong)user + 77));
        return (int)(known * known * known * (slots + 1));
    }

    /// <summary>Some come always, some for one visit in five of the others'.</summary>
    private static bool Comes(int user, string session) =>
        StableHash.Unit(StableHash.Combine(StableHash.Of(session), 5)) < 0.2 + 0.8 * StableHash.Unit(StableHash.Finalise((ulong)user + 991));

    private static void Pick(SimulatedUsers environment, ListRequest request, string[] list, int known, ref Draws draws)
    {
        var best = known == 0 ? [] : environment.Truth.BestList(request.User, known, request.TimeMs);
        var start = draws.Below(request.Candidates.Count);
        // Steps that share no divisor with the number of items visit different ones; what is among the best may come twice.
        for (var k = 0; k < list.Length; k++) list[k] = k < best.Count ? best[k] : request.Candidates[(start + k * 7) % request.Candidates.Count].Id;
    }

    /// <summary>What the events of one page come to.</summary>
    public static PageVisit VisitOf(int user, IReadOnlyList<UserEvent> events, bool opensSession)
    {
        var (impressions, clicks, purchases, actions, dislikes) = (0, 0, 0, 0, 0);
        var (dwell, revenue) = (0.0, 0.0);
        foreach (var e in events)
        {
            if (e.Kind == EventKind.Impression) impressions += e.Items.Count;
            else if (e.Kind == EventKind.Dwell) dwell += e.Value;
            else if (e.Kind is EventKind.Dislike or EventKind.Hide) dislikes++;
            else actions++;
            if (e.Kind == EventKind.Click) clicks++;
            if (e.Kind != EventKind.Purchase) continue;
            purchases++;
            revenue += e.Value;
        }
        return new PageVisit(user, opensSession, impressions, clicks, purchases, actions, dislikes, dwell, revenue);
    }

    private static bool Opens(IReadOnlyList<UserEvent> events, Dictionary<string, ulong> sessions)
    {
        var (name, id) = (events[0].User, StableHash.Of(events[0].SessionId!));
        var opens = !sessions.TryGetValue(name, out var last) || last != id;
        sessions[name] = id;
        return opens;
    }
}
