using MathNet.Numerics.Distributions;
using Streaming.Core.Events;
using Streaming.Core.Feeds;
using Streaming.Core.Ids;
using Streaming.Experiments.Interleaving;
using Streaming.Learning.Interleaving;

namespace Streaming.Evaluation.Simulation;

/// <summary>The set-up of the study.</summary>
/// <param name="Users">Simulated at any time.</param>
/// <param name="PagesPerUser">Pages of a run over its users.</param>
/// <param name="Noise">Standard deviation, in logits, of what both rankers get wrong about an item for a user.</param>
/// <param name="Worse">Of what B gets wrong beside: the planted difference.</param>
/// <param name="Repeats">Experiments drawn to check each number of users.</param>
public sealed record InterleavingSetUp(int Users = 3000, int PagesPerUser = 20, double Noise = 1.0, double Worse = 0.3, int Repeats = 400)
{
    public double Alpha { get; init; } = 0.05;
    public double Power { get; init; } = 0.8;
}

/// <summary>One way of comparing the rankers.</summary>
/// <param name="Method">"ab", "team_draft", "probabilistic" (a click goes to the team whose coin fell) or "probabilistic_marginalised" (to both, by their parts).</param>
/// <param name="Effect">By the users of the run: of an A/B test the difference of the click rates over B's; of interleaving P(A preferred) - P(B preferred).</param>
/// <param name="UsersNeeded">In all, for the power at the level.</param>
/// <param name="PowerThere">Share of experiments with so many users, drawn from the run's with replacement, that found A the better one.</param>
/// <param name="FoundWrong">Share that found B the better one.</param>
public sealed record MethodNeeds(string Method, double Effect, double UsersNeeded, double PowerThere, double FoundWrong);

/// <summary>
/// How many users it takes to find the better of two rankers: split over two arms, each user seeing one ranker, or interleaved, each user seeing
/// both in one list. The rankers know the simulated users' true click probabilities up to noise; B's is a little larger. Numbers of users come from
/// the variance that a run shows (z-scores) and are checked by experiments of that size, drawn from the run.
/// </summary>
public static class InterleavingStudy
{
    public static IReadOnlyList<string> Methods { get; } = ["ab", "team_draft", "probabilistic", "probabilistic_marginalised"];

    /// <param name="setUp">The plan.</param>
    /// <param name="seed">Fixes everything.</param>
    /// <param name="cancel">Ends the study.</param>
    public static IReadOnlyList<MethodNeeds> Run(InterleavingSetUp setUp, long seed, CancellationToken cancel = default)
    {
        var a = Browse(setUp, seed, null, Team.A, cancel);
        var b = Browse(setUp, seed, null, Team.B, cancel);
        var drawn = Browse(setUp, seed, new ProbabilisticInterleave(), Team.None, cancel);
        return
        [
            Split(setUp, a, b, seed),
            Interleaved("team_draft", setUp, Browse(setUp, seed, new TeamDraft(), Team.None, cancel), seed),
            Interleaved("probabilistic", setUp, drawn, seed),
            Interleaved("probabilistic_marginalised", setUp, [.. drawn.Select(o => new Outcome { CreditA = o.PartA, CreditB = o.PartB })], seed),
        ];
    }

    /// <summary>What one user did: pages, clicks, clicks on A's items and on B's, and both by their parts in each.</summary>
    private sealed class Outcome
    {
        public int Pages, Clicks;
        public double CreditA, CreditB, PartA, PartB;
    }

    /// <summary>All users see one ranker's lists, or lists of both.</summary>
    private static Outcome[] Browse(InterleavingSetUp setUp, long seed, IInterleaver? interleaver, Team alone, CancellationToken cancel)
    {
        var settings = new AudienceSettings
        {
            Seed = seed, Users = setUp.Users, Items = 60, Topics = 12, Authors = 30, ItemLifeMs = 86_400_000, PageViewsPerSecond = 20, PageSize = 6,
        };
        var environment = new SimulatedUsers(settings);
        var users = new Dictionary<string, Outcome>();
        var (orderA, orderB) = (new int[settings.Items * 3], new int[settings.Items * 3]);
        var (teams, parts) = (new Team[settings.PageSize], new double[settings.PageSize]);
        var list = new List<string>();
        for (var n = 0; n < setUp.Users * setUp.PagesPerUser; n++)
        {
            if (n % 1024 == 0) cancel.ThrowIfCancellationRequested();
            var request = environment.NextRequest();
            var count = Math.Min(request.Candidates.Count, orderA.Length);
            Rank(environment.Truth, request, setUp, orderA.AsSpan(0, count), orderB.AsSpan(0, count));
            list.Clear();
            interleaver?.Start(orderA.AsSpan(0, count), orderB.AsSpan(0, count), StableHash.Combine((ulong)seed, (ulong)n));
            for (var s = 0; s < settings.PageSize; s++)
            {
                var slot = interleaver?.Next() ?? new DraftedSlot((alone == Team.A ? orderA : orderB)[s], alone, 1, alone == Team.A ? 1 : 0);
                (teams[s], parts[s]) = (slot.Team, slot.ShareA);
                list.Add(request.Candidates[slot.Item].Id);
            }
            var response = environment.Respond(list);
            if (!users.TryGetValue(request.User, out var outcome)) users[request.User] = outcome = new Outcome();
            outcome.Pages++;
            foreach (var e in response.Events)
            {
                if (e.Kind != EventKind.Click) continue;
                outcome.Clicks++;
                outcome.PartA += parts[e.Position];
                outcome.PartB += 1 - parts[e.Position];
                if (teams[e.Position] == Team.A) outcome.CreditA++;
                else if (teams[e.Position] == Team.B) outcome.CreditB++;
            }
        }
        return [.. users.Values];
    }

    /// <summary>Both rankers' orders of the candidates. Their errors about an item and user stay.</summary>
    private static void Rank(ISimulatedTruth truth, ListRequest request, InterleavingSetUp setUp, Span<int> orderA, Span<int> orderB)
    {
        var (keysA, keysB) = (new double[orderA.Length], new double[orderA.Length]);
        var user = StableHash.Of(request.User);
        for (var i = 0; i < orderA.Length; i++)
        {
            var item = request.Candidates[i];
            var p = Math.Clamp(truth.TrueClickProbability(request.User, item.Id, request.TimeMs), 1e-6, 1 - 1e-6);
            var pair = StableHash.Combine(user, item.Key);
            var known = Math.Log(p / (1 - p)) + setUp.Noise * Normal01(pair, 1);
            (keysA[i], keysB[i], orderA[i], orderB[i]) = (-known, -known - setUp.Worse * Normal01(pair, 3), i, i);
        }
        keysA.AsSpan().Sort(orderA);
        keysB.AsSpan().Sort(orderB);
    }

    private static double Normal01(ulong pair, ulong salt) =>
        Math.Sqrt(-2 * Math.Log(1 - StableHash.Unit(StableHash.Combine(pair, salt)))) * Math.Cos(2 * Math.PI * StableHash.Unit(StableHash.Combine(pair, salt + 1)));

    /// <summary>Clicks per page, users as clusters (delta method); n = 2 (z + z)^2 (sA^2 + sB^2) / d^2 users over two equal arms.</summary>
    private static MethodNeeds Split(InterleavingSetUp setUp, Outcome[] a, Outcome[] b, long seed)
    {
        var ((meanA, varianceA), (meanB, varianceB)) = (Rate(a, a.Length, null), Rate(b, b.Length, null));
        var z = Normal.InvCDF(0, 1, 1 - setUp.Alpha / 2) + Normal.InvCDF(0, 1, setUp.Power);
        var difference = meanA - meanB;
        var needed = Math.Ceiling(2 * z * z * (varianceA + varianceB) / (difference * difference));
        var draws = new Draws(StableHash.Combine((ulong)seed, 0xab));
        var (found, wrong) = (0, 0);
        for (var n = 0; n < setUp.Repeats; n++)
        {
            var size = (int)Math.Max(2, Math.Min(needed / 2, 2_000_000));
            var ((drawnA, ofA), (drawnB, ofB)) = (Rate(a, size, Drawn), Rate(b, size, Drawn));
            var score = (drawnA - drawnB) / Math.Sqrt((ofA + ofB) / size);
            if (Math.Abs(score) <= Normal.InvCDF(0, 1, 1 - setUp.Alpha / 2)) continue;
            if (score > 0 == difference > 0) found++;
            else wrong++;
        }
        return new MethodNeeds("ab", difference / meanB, needed, (double)found / setUp.Repeats, (double)wrong / setUp.Repeats);

        int Drawn(int below) => draws.Below(below);
    }

    /// <summary>The rate of clicks per page and the variance of a user's part in it; of all users, or of some drawn with replacement.</summary>
    private static (double Rate, double Variance) Rate(Outcome[] users, int count, Func<int, int>? draw)
    {
        double pages = 0, clicks = 0, pp = 0, pc = 0, cc = 0;
        for (var i = 0; i < count; i++)
        {
            var user = users[draw?.Invoke(users.Length) ?? i];
            pages += user.Pages;
            clicks += user.Clicks;
            pp += (double)user.Pages * user.Pages;
            pc += (double)user.Pages * user.Clicks;
            cc += (double)user.Clicks * user.Clicks;
        }
        var rate = clicks / pages;
        var mean = pages / count;
        return (rate, (cc - 2 * rate * pc + rate * rate * pp) / (count - 1) / (mean * mean));
    }

    private static MethodNeeds Interleaved(string method, InterleavingSetUp setUp, Outcome[] users, long seed)
    {
        var (shareA, shareB) = ((double)users.Count(u => u.CreditA > u.CreditB) / users.Length, (double)users.Count(u => u.CreditB > u.CreditA) / users.Length);
        var needed = Math.Ceiling(InterleavingTest.UsersNeeded(shareA, shareB, setUp.Alpha, setUp.Power));
        var draws = new Draws(StableHash.Combine((ulong)seed, StableHash.Of(method)));
        var (found, wrong) = (0, 0);
        for (var n = 0; n < setUp.Repeats; n++)
        {
            var (a, b) = (0L, 0L);
            for (var i = 0; i < Math.Min(needed, 4_000_000); i++)
            {
                var user = users[draws.Below(users.Length)];
                if (user.CreditA > user.CreditB) a++;
                else if (user.CreditB > user.CreditA) b++;
            }
            if (InterleavingTest.PValue(a, b) >= setUp.Alpha) continue;
            if (a > b) found++;
            else wrong++;
        }
        return new MethodNeeds(method, shareA - shareB, needed, (double)found / setUp.Repeats, (double)wrong / setUp.Repeats);
    }
}
