using System.Security.Cryptography;
using Streaming.Core.Events;
using Streaming.Core.Wire;
using Streaming.Evaluation.Simulation;

namespace Streaming.Evaluation.Tests.Simulation;

public sealed class SimulatedUsersTests
{
    private static readonly AudienceSettings Small = new() { Users = 60, Items = 120, PageViewsPerSecond = 2, ItemLifeMs = 3_600_000 };

    /// <summary>What a policy shows for a request.</summary>
    private delegate IReadOnlyList<string> Policy(ListRequest request, ISimulatedTruth truth, ref Draws draws);

    private static IReadOnlyList<string> RandomList(ListRequest request, ISimulatedTruth truth, ref Draws draws)
    {
        var items = request.Candidates.Select(i => i.Id).ToArray();
        draws.Shuffle<string>(items);
        return items[..Math.Min(10, items.Length)];
    }

    private static IReadOnlyList<string> BestList(ListRequest request, ISimulatedTruth truth, ref Draws draws) => truth.BestList(request.User, 10, request.TimeMs);

    private static IEnumerable<(ListRequest Request, ListResponse Response, double Regret)> Play(SimulatedUsers users, Policy policy, int requests)
    {
        var draws = new Draws(3);
        for (var n = 0; n < requests; n++)
        {
            var request = users.NextRequest();
            var list = policy(request, users.Truth, ref draws);
            var best = users.Truth.ExpectedClicks(request.User, users.Truth.BestList(request.User, list.Count, request.TimeMs), request.TimeMs);
            var response = users.Respond(list);
            yield return (request, response, best - response.ExpectedReward);
        }
    }

    private static string Digest(SimulatedUsers users)
    {
        var bytes = new ByteWriter();
        foreach (var (request, response, _) in Play(users, RandomList, 600))
        {
            bytes.String(request.User);
            bytes.Int64(request.TimeMs);
            foreach (var e in request.Arrivals.Concat(response.Events)) EventWriter.Write(e, bytes);
        }
        return Convert.ToHexString(SHA256.HashData(bytes.WrittenSpan));
    }

    [Fact]
    public void The_same_seed_gives_the_same_stream_and_a_reset_starts_it_again()
    {
        var settings = Small with { TrendSpread = 1 };
        var users = new SimulatedUsers(settings with { Seed = 5 });
        var first = Digest(users);
        users.Reset(5);
        Digest(users).ShouldBe(first);
        Digest(new SimulatedUsers(settings with { Seed = 5 })).ShouldBe(first);
        users.Reset(6);
        Digest(users).ShouldNotBe(first);
    }

    [Fact]
    public void The_oracle_has_no_regret_and_a_random_list_has_much()
    {
        var oracle = Play(new SimulatedUsers(Small), BestList, 400).ToList();
        oracle.ShouldAllBe(step => Math.Abs(step.Regret) < 1e-12);
        var random = Play(new SimulatedUsers(Small), RandomList, 400).ToList();
        random.ShouldAllBe(step => step.Regret > 0);
        random.Average(step => step.Regret).ShouldBeGreaterThan(1);
        // The reward is a draw of what the truth expects.
        oracle.Average(step => step.Response.Reward).ShouldBe(oracle.Average(step => step.Response.ExpectedReward), 0.15);
        oracle.Average(step => step.Response.Reward).ShouldBeGreaterThan(3 * random.Average(step => step.Response.Reward));
    }

    [Fact]
    public void The_position_bias_is_recovered_from_random_lists()
    {
        var users = new SimulatedUsers(Small with { Users = 200, Items = 400, ClickOnTrust = 0, SeenLogit = 0 });
        var clicks = new int[10];
        foreach (var (_, response, _) in Play(users, RandomList, 12_000))
            foreach (var e in response.Events)
                if (e.Kind == EventKind.Click) clicks[e.Position]++;
        for (var k = 1; k < 10; k++) (clicks[k] / (double)clicks[0]).ShouldBe(users.Truth.Examination(k), 0.1);
    }

    [Theory]
    [InlineData(0, 0, 0, false)]
    [InlineData(0.4, 0.2, 0, true)]
    [InlineData(0, 0, 1.5, true)]
    public void Drift_changes_the_best_list(double drift, double jump, double trend, bool changes)
    {
        // Items that neither age nor expire, users who stay and forget nothing that they have seen: only tastes can move.
        var users = new SimulatedUsers(Small with
        {
            DriftPerSession = drift, JumpPerSession = jump, TrendSpread = trend, NewUserPerSession = 0, ItemLifeMs = 3_650L * 86_400_000, AgeLogit = 0,
            SeenLogit = 0, ClickedLogit = 0,
        });
        var first = users.NextRequest();
        var before = BestOfTwenty(first.TimeMs);
        users.Respond([]);
        var last = Play(users, RandomList, 15_000).Last().Request;
        last.TimeMs.ShouldBeGreaterThan(first.TimeMs + 3_600_000);
        var after = BestOfTwenty(last.TimeMs);
        if (changes) after.Zip(before, (a, b) => a.Intersect(b).Count()).Average().ShouldBeLessThan(7);
        else after.SelectMany(l => l).ShouldBe(before.SelectMany(l => l));

        List<IReadOnlyList<string>> BestOfTwenty(long timeMs) => [.. Enumerable.Range(1, 20).Select(n => users.Truth.BestList($"u{n}", 10, timeMs))];
    }

    [Fact]
    public void Users_do_all_that_users_do_and_items_and_users_come_and_go()
    {
        var users = new SimulatedUsers(Small with
        {
            HideUnappealing = 0.3, DislikeUnappealing = 0.3, LikeAfterClick = 0.6, ShareAfterClick = 0.6, CartAfterClick = 0.6, NewUserPerSession = 0.2,
        });
        var steps = Play(users, RandomList, 6_000).ToList();
        var events = steps.SelectMany(s => s.Request.Arrivals.Concat(s.Response.Events)).ToList();
        var kinds = events.Select(e => e.Kind).ToHashSet();
        foreach (var kind in new[]
                 {
                     EventKind.Impression, EventKind.Click, EventKind.Dwell, EventKind.Like, EventKind.Share, EventKind.AddToCart, EventKind.Purchase,
                     EventKind.Dislike, EventKind.Hide, EventKind.UserUpsert,
                 })
            kinds.ShouldContain(kind);
        events.Where(e => e.Kind == EventKind.Purchase).ShouldAllBe(e => e.Value >= 5 && e.Value <= 100);
        steps.Select(s => s.Request.TimeMs).ShouldBe(steps.Select(s => s.Request.TimeMs).Order());
        steps[0].Request.NewItems.Count.ShouldBe(120);
        steps.Skip(1).Sum(s => s.Request.NewItems.Count).ShouldBeInRange(40, 200, "3000 s at 120 items per hour");
        steps.ShouldAllBe(s => s.Request.Candidates.All(i => !i.IsExpired(s.Request.TimeMs)));
        steps.Select(s => s.Request.User).Distinct().Count().ShouldBeGreaterThan(80, "new ones took the place of 60");
        steps.Count(s => s.Response.SessionEnded).ShouldBeGreaterThan(300);
        // Every event is one that the live path takes.
        var bytes = new ByteWriter();
        foreach (var e in events)
        {
            bytes.Clear();
            EventWriter.Write(e, bytes);
            EventParser.TryParse(bytes.WrittenSpan, 0, out _, out var reason).ShouldBeTrue(reason);
        }
    }

    [Fact]
    public void Requests_and_answers_come_in_turn()
    {
        var users = new SimulatedUsers(Small);
        Should.Throw<InvalidOperationException>(() => users.Respond([]));
        var request = users.NextRequest();
        Should.Throw<InvalidOperationException>(users.NextRequest);
        Should.Throw<ArgumentException>(() => users.Respond([request.Candidates[0].Id], [0.5f, 0.5f]));
        users.Truth.TrueClickProbability(request.User, "no such item", request.TimeMs).ShouldBe(0);
        Should.Throw<ArgumentException>(() => users.Truth.TrueClickProbability("nobody", request.Candidates[0].Id, request.TimeMs));
        users.Respond([]).Events.ShouldBeEmpty();
    }
}
