using Streaming.Core.Events;
using Streaming.Core.Settings;
using Streaming.Feeds.Recall;
using Streaming.Users;

namespace Streaming.Feeds.Tests;

public sealed class ItemCfTests
{
    private static Dictionary<string, float> Similar(World world, string item)
    {
        var into = new Candidate[20];
        var found = into.AsSpan(0, world.Index.ItemCf.Similar(World.Key(item), into));
        var names = world.Names(found);
        var result = new Dictionary<string, float>();
        for (var i = 0; i < names.Length; i++) result.Add(names[i], found[i].Score);
        return result;
    }

    private static World Worked(double alpha)
    {
        var world = new World(new FeedsSettings { ItemCfAlpha = alpha, RecentDecay = 0.5 });
        foreach (var id in new[] { "a", "b", "c" }) world.Add(id);
        // User 1: a, then b, then c. User 2: a, then c with weight 2.
        world.Act("a", userActions: 1);
        world.Act("b", userActions: 2, recent: ["a"]);
        world.Act("c", userActions: 3, recent: ["b", "a"]);
        world.Act("a", userActions: 1);
        world.Act("c", weight: 2, userActions: 2, recent: ["a"]);
        return world;
    }

    [Theory]
    [InlineData(0.5), InlineData(0.8), InlineData(0.0), InlineData(1.0)]
    public void SimilaritiesEqualTheHandWorkedOnes(double alpha)
    {
        var world = Worked(alpha);
        // N_a = 2, N_b = 1, N_c = 2; log(1 + |N(u)|) of 2 and of 3 actions are ln 3 and ln 4.
        var ab = 1 / Math.Log(3);
        var bc = 1 / Math.Log(4);
        var ac = 0.5 / Math.Log(4) + 2 / Math.Log(3);
        double Sim(double c, double ni, double nj) => c / (Math.Pow(ni, 1 - alpha) * Math.Pow(nj, alpha));
        Similar(world, "a")["b"].ShouldBe((float)Sim(ab, 2, 1), 1e-5f);
        Similar(world, "b")["a"].ShouldBe((float)Sim(ab, 1, 2), 1e-5f);
        Similar(world, "a")["c"].ShouldBe((float)Sim(ac, 2, 2), 1e-5f);
        Similar(world, "c")["b"].ShouldBe((float)Sim(bc, 2, 1), 1e-5f);
        Similar(world, "nobody").ShouldBeEmpty();
    }

    [Fact]
    public void RecallAddsUpTheNeighboursOfRecentItemsSessionFirst()
    {
        var world = Worked(0.5);
        var user = world.User();
        World.Like(user, "a");
        World.Like(user, "b");
        user.Session.Actions.Add(new PastAction(World.Key("a"), EventKind.Click, 2, World.Now));
        var into = new Candidate[10];
        // Seeds: a (session, weight 2, rank 0), b (history, rank 1: x 0.5); they are no recommendations themselves.
        world.Index.ItemCf.Recall(user, new RecallRequest("", World.Now), into).ShouldBe(1);
        var ac = (0.5 / Math.Log(4) + 2 / Math.Log(3)) / 2;
        var bc = 1 / Math.Log(4) / Math.Sqrt(2);
        world.Names(into.AsSpan(0, 1)).ShouldBe(["c"]);
        into[0].Score.ShouldBe((float)(2 * ac + 0.5 * bc), 1e-5f);
    }

    [Fact]
    public void NegativeActionsAndRepeatsOfTheItemItselfTeachNothing()
    {
        var world = new World();
        world.Act("a");
        world.Act("b", weight: -2, userActions: 2, recent: ["a"]);
        world.Act("a", userActions: 2, recent: ["a"]);
        world.Index.ItemCf.Count.ShouldBe(1);
        Similar(world, "a").ShouldBeEmpty();
    }

    [Fact]
    public void AFullListWearsItsWeakestNeighbourDownUntilANewcomerFits()
    {
        var world = new World(new FeedsSettings { ItemCfNeighboursMax = 2, ItemCfAlpha = 0 });
        foreach (var id in new[] { "hub", "strong", "weak", "new" }) world.Add(id);
        void Pair(string item, float weight) => world.Act(item, weight: weight * MathF.Log(2), userActions: 1, recent: ["hub"]);
        world.Act("hub");
        Pair("strong", 9);
        Pair("weak", 4);
        Pair("new", 3);
        Similar(world, "hub").ShouldBe(new Dictionary<string, float> { ["strong"] = 9, ["weak"] = 1 }, Comparer);
        Pair("new", 3);
        Similar(world, "hub").ShouldBe(new Dictionary<string, float> { ["strong"] = 9, ["new"] = 3 }, Comparer);
    }

    private static readonly IEqualityComparer<KeyValuePair<string, float>> Comparer = EqualityComparer<KeyValuePair<string, float>>.Create(
        (a, b) => a.Key == b.Key && Math.Abs(a.Value - b.Value) < 1e-4f, e => e.Key.GetHashCode());

    [Fact]
    public void TheStalestItemsAreForgottenWholly()
    {
        var world = new World(new FeedsSettings { ItemCfItemsMax = 80 });
        for (var i = 0; i < 300; i++)
        {
            world.Add($"i{i}");
            world.Act($"i{i}", userActions: 2, recent: i == 0 ? [] : ["i0", $"i{i - 1}"]);
            if (i % 10 == 0) world.Act("i0");
        }
        world.Index.ItemCf.Count.ShouldBeLessThanOrEqualTo(80);
        Similar(world, "i5").ShouldBeEmpty();
        Similar(world, "i299").Keys.ShouldContain("i0");
        // No list still names a forgotten item.
        foreach (var neighbour in Similar(world, "i0").Keys) Similar(world, neighbour).ShouldNotBeEmpty();
    }
}
