using Streaming.Core.Feeds;
using Streaming.Core.Items;
using Streaming.Core.Settings;
using Streaming.Feeds.Building;
using Streaming.Learning.Interleaving;
using Streaming.Suites;

namespace Streaming.Feeds.Tests;

/// <summary>Lists of two rankings: whose each slot is, with which probability, and in which order the steps come.</summary>
public sealed class InterleavedListTests
{
    private static readonly FeedsSettings Plain = new()
    {
        ListLength = 8, DiversityWindow = 0, MmrLambda = 1, ExploreEvery = 0, SeenMax = 3, ServedMax = 5,
    };

    private static ArmPolicy Duel(IRanker opponent, Func<IInterleaver>? method = null) =>
        new() { Name = "duel", Interleaving = new InterleavingPolicy(opponent, method ?? (() => new TeamDraft())) };

    /// <summary>Items i0, i1, ... by the arm's ranker; the opponent's order is the reverse.</summary>
    private static (World World, FakeRanker Opponent) Opposed(FeedsSettings settings, int items = 8)
    {
        var (world, opponent) = (new World(settings), new FakeRanker());
        for (var i = 0; i < items; i++)
        {
            world.Add($"i{i}", categories: [i < items / 2 ? "first" : "second"]);
            world.Act($"i{i}", weight: items - i);
            world.Ranker.Scores[World.Key($"i{i}")] = 1f - i / 10f;
            opponent.Scores[World.Key($"i{i}")] = i;
        }
        return (world, opponent);
    }

    [Fact]
    public void EverySlotSaysWhoseItIsAndTheListRefToo()
    {
        var (world, opponent) = Opposed(Plain);
        var builder = world.Builder(ArmPolicy.Learned, Duel(opponent));
        for (var u = 0; u < 30; u++)
        {
            var user = world.User($"u{u}");
            var list = builder.Build(user, "", "duel", World.Now)!;

            list.Teams.Length.ShouldBe(8);
            user.Lists[^1].Teams.ShouldBe(list.Teams);
            user.Lists[^1].Propensities.ShouldBe(list.Entries.Select(e => e.Propensity));
            for (var s = 0; s < 8; s += 2) list.Teams[s..(s + 2)].Order().ShouldBe([Team.A, Team.B]);
            string[] Of(Team team) => [.. list.Entries.Where((_, s) => list.Teams[s] == team).Select(e => e.Item)];
            // The rankings are each other's reverse, so each team has its own half, in its own order.
            Of(Team.A).ShouldBe(["i0", "i1", "i2", "i3"]);
            Of(Team.B).ShouldBe(["i7", "i6", "i5", "i4"]);
            for (var s = 0; s < 6; s++) list.Entries[s].Propensity.ShouldBe(s % 2 == 0 ? 0.5f : 1f);
            // Scores are the arm's own ranker's, whoever picked.
            list.Entries.ShouldAllBe(e => e.Score == world.Ranker.Scores[e.ItemKey]);
        }
        builder.Build(world.User(), "", "learned", World.Now)!.Teams.ShouldBeEmpty();
    }

    [Fact]
    public void TheSameUserAndVersionGetTheSameListAndVersionsDiffer()
    {
        var (world, opponent) = Opposed(Plain);
        var arm = Duel(opponent, () => new ProbabilisticInterleave());
        string Build(FeedBuilder builder, long version)
        {
            var user = world.User();
            user.ListVersion = version;
            var list = builder.Build(user, "", "duel", World.Now)!;
            return string.Join(' ', list.Entries.Select((e, s) => $"{e.Item}{list.Teams[s]}"));
        }
        var (one, other) = (world.Builder(arm), world.Builder(arm));
        Enumerable.Range(0, 20).Select(v => Build(one, v)).ShouldBe(Enumerable.Range(0, 20).Select(v => Build(other, v)));
        Enumerable.Range(0, 20).Select(v => Build(one, v)).Distinct().Count().ShouldBeGreaterThan(10);
    }

    /// <summary>Each ranking is re-ranked before they are interleaved: windows hold in each team's picks as its ranker alone would have shown them.</summary>
    [Fact]
    public void EachRankingIsDiversifiedOnItsOwn()
    {
        var (world, opponent) = Opposed(Plain with { DiversityWindow = 2, DiversityMax = 1 });
        var list = world.Builder(Duel(opponent)).Build(world.User(), "", "duel", World.Now)!;
        string First(Team team) => list.Entries[Array.IndexOf(list.Teams, team)].Item;
        (First(Team.A), First(Team.B)).ShouldBe(("i0", "i7"));
        // Alone, A's list is i0 i4 i1 i5 ..., B's i7 i3 i6 i2 ...: the second picks are of the other category.
        var seconds = list.Entries.Select(e => e.Item).Skip(2).Take(2).Order();
        seconds.ShouldBe(["i3", "i4"]);
    }

    [Fact]
    public void AnOpponentOfNoNumbersTakesNothingWithIt()
    {
        var (world, opponent) = Opposed(Plain);
        foreach (var key in opponent.Scores.Keys) opponent.Scores[key] = float.NaN;
        world.Builder(Duel(opponent)).Build(world.User(), "", "duel", World.Now)!.Entries.Length.ShouldBe(8);
    }

    /// <summary>
    /// Over many draws, given the slots above with their teams, an item comes in a slot as often as its propensity says, with and without exploration.
    /// </summary>
    [Theory]
    [InlineData("team-draft", 0.0), InlineData("team-draft", 0.4), InlineData("probabilistic", 0.0), InlineData("probabilistic", 0.4)]
    public void PropensitiesEqualTheFrequenciesGivenTheSlotsAbove(string method, double epsilon)
    {
        const int slots = 4, draws = 60_000;
        var (slate, opponent) = Slates();
        var plan = new ListPlan(Plain with { ExploreEvery = 2, ExploreEpsilon = epsilon }, ArmPolicy.Learned, new SurfaceRule());
        IInterleaver interleaver = method == "team-draft" ? new TeamDraft() : new ProbabilisticInterleave();
        var reranker = new Reranker(new FakeVectors(2), slate.Keys.Length, slate.Pool.Length);
        var shown = new Dictionary<string, Dictionary<int, (int Count, float Stated)>>();
        var row = new Slot[slots];
        for (var d = 1; d <= draws; d++)
        {
            reranker.FillInterleaved(slate, opponent, plan, interleaver, (ulong)d, row).ShouldBe(slots);
            var above = "";
            foreach (var slot in row)
            {
                if (!shown.TryGetValue(above, out var next)) shown[above] = next = [];
                next.TryGetValue(slot.Index, out var entry);
                if (entry.Count > 0) slot.Propensity.ShouldBe(entry.Stated);
                next[slot.Index] = (entry.Count + 1, slot.Propensity);
                above += $"{slot.Index}{slot.Team} ";
            }
        }
        var checks = 0;
        foreach (var (above, next) in shown)
        {
            var n = next.Values.Sum(e => e.Count);
            if (n < 2000) continue;
            foreach (var (item, (count, stated)) in next)
            {
                ((double)count / n).ShouldBe(stated, 5 * Math.Sqrt(stated * (1 - stated) / n) + 1e-6, $"{item} after {above}");
                checks++;
            }
        }
        checks.ShouldBeGreaterThan(8);
    }

    /// <summary>Five candidates in two orders, and two more that only exploration shows; one candidate is fresh too.</summary>
    private static (Slate Slate, Slate Opponent) Slates()
    {
        var (slate, opponent) = (new Slate(7, 3), new Slate(7, 0));
        for (var i = 0; i < 7; i++) slate.Add((ulong)i + 1, new Item($"i{i}"), 1f - i / 10f, 0);
        slate.FirstCount = slate.RankedCount = 5;
        foreach (var index in (int[])[1, 5, 6]) slate.Pool[slate.PoolCount++] = index;
        foreach (var twin in (int[])[2, 0, 4, 1, 3])
        {
            opponent.Twins[opponent.Count] = twin;
            opponent.Add(slate.Keys[twin], slate.Items[twin], 1f - opponent.Count / 10f, 0);
        }
        opponent.FirstCount = opponent.RankedCount = 5;
        return (slate, opponent);
    }

    [Fact]
    public void AnInterleavedBuildAllocatesTheTeamsMoreAndNothingElse()
    {
        var world = World.Populated(2000, 10_000, 1);
        var opponent = new FakeRanker(rounds: 3);
        var (plain, duel) = (Bytes("learned"), Bytes("duel"));
        // An array of 50 bytes and its header.
        (duel - plain).ShouldBeInRange(0, 96);

        double Bytes(string arm)
        {
            var (builder, user) = (world.Builder(ArmPolicy.Learned, Duel(opponent)), world.ActiveUser(2000, 1));
            const int builds = 50;
            void Builds()
            {
                for (var i = 0; i < builds; i++) builder.Build(user, "home", arm, World.Now);
            }
            Builds();
            return Allocated.Bytes(Builds) / (double)builds;
        }
    }
}
