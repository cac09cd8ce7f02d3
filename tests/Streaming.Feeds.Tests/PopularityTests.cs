using Streaming.Core.Events;
using Streaming.Core.Feeds;
using Streaming.Core.Items;
using Streaming.Core.Settings;
using Streaming.Users;

namespace Streaming.Feeds.Tests;

public sealed class PopularityTests
{
    private static readonly FeedsSettings Settings = new() { PopularHalfLifeMs = 10 * World.Hour, TrendingHalfLifeMs = World.Hour };

    [Fact]
    public void PopularityHalvesEveryHalfLife()
    {
        var world = new World(Settings);
        world.Act("a", World.Now - 10 * World.Hour, weight: 4);
        world.Act("a", World.Now, weight: 1);
        world.Act("a", World.Now, weight: -3);
        world.Index.Popularity.Popularity(World.Key("a"), World.Now).ShouldBe(3, 1e-6);
        world.Index.Popularity.Popularity(World.Key("a"), World.Now + 10 * World.Hour).ShouldBe(1.5, 1e-6);
    }

    [Fact]
    public void PopularIsOrderedByDecayedWeight()
    {
        var world = new World(Settings);
        foreach (var id in new[] { "old", "new", "mid" }) world.Add(id);
        for (var i = 0; i < 5; i++) world.Act("old", World.Now - 30 * World.Hour); // 5 / 8
        world.Act("new", World.Now);                                               // 1
        world.Act("mid", World.Now, weight: 0.8f);
        world.Recall(FeedChannels.Popular, world.User()).ShouldBe(["new", "mid", "old"]);
    }

    [Fact]
    public void ACatalogueNobodyHasActedUponListsTheNewestFirst()
    {
        var world = new World(Settings);
        world.Add("b", bornMs: World.Now - 2 * World.Hour);
        world.Add("c", bornMs: World.Now - 3 * World.Hour);
        world.Add("a", bornMs: World.Now - World.Hour);
        world.Recall(FeedChannels.Popular, world.User()).ShouldBe(["a", "b", "c"]);
    }

    [Fact]
    public void ASurfaceHasItsOwnOrderOnceItsListIsHalfFull()
    {
        var world = new World(Settings);
        foreach (var id in new[] { "a", "b", "c" }) world.Add(id);
        world.Act("a", weight: 9);
        world.Act("b", weight: 5);
        world.Act("c", surface: "mail");
        world.Recall(FeedChannels.Popular, world.User(), quota: 3, surface: "mail").ShouldBe(["a", "b", "c"]);
        world.Act("b", surface: "mail", weight: 3);
        world.Recall(FeedChannels.Popular, world.User(), quota: 3, surface: "mail").ShouldBe(["b", "c", "a"]);
        world.Recall(FeedChannels.Popular, world.User(), quota: 3, surface: "home").ShouldBe(["a", "b", "c"]);
    }

    [Fact]
    public void TrendingIsRecentActivityOverTheRootOfPopularity()
    {
        var world = new World(Settings);
        foreach (var id in new[] { "evergreen", "rising", "single" }) world.Add(id);
        for (var h = 0; h < 100; h++) world.Act("evergreen", World.Now - (100 - h) * World.Hour / 10, weight: 4);
        for (var i = 0; i < 9; i++) world.Act("rising", World.Now);
        world.Act("single", World.Now);
        var into = new Candidate[3];
        var trending = world.Index.Channels.Single(c => c.Name == FeedChannels.Trending);
        trending.Recall(world.User(), new RecallRequest("", World.Now), into).ShouldBe(3);
        world.Names(into).ShouldBe(["evergreen", "rising", "single"]);
        // Hours later nobody has acted: the order holds, and the prior of the catalogue is not a rise.
        // rising: s = 9, l = 9 (+ a prior of 1e-3 x 2^-72): 9 / sqrt(9); single: 1.
        into[1].Score.ShouldBe(3f, 1e-3f);
        into[2].Score.ShouldBe(1f, 1e-3f);
        for (var i = 0; i < 2000; i++) world.Act("rising", World.Now + World.Hour);
        world.Recall(FeedChannels.Trending, world.User())[0].ShouldBe("rising");
    }

    [Theory]
    [InlineData(11), InlineData(12)]
    public void ListsEqualABruteForceCount(int seed)
    {
        var random = new Random(seed);
        var world = new World(Settings with { PopularTopMax = 30, PostingsMax = 15 });
        for (var i = 0; i < 120; i++) world.Add($"i{i}", [$"t{i % 4}"], [$"c{i % 3}"], $"a{i % 5}");
        var sums = new Dictionary<string, double>();
        var time = World.Now - 50 * World.Hour;
        for (var c = 0; c < 4000; c++, time += 40_000)
        {
            var item = $"i{(int)(120 * Math.Pow(random.NextDouble(), 2))}";
            var weight = random.Next(1, 4);
            world.Act(item, time, weight);
            sums[item] = sums.GetValueOrDefault(item) + weight * Math.Pow(2, (time - World.Now) / (double)Settings.PopularHalfLifeMs);
        }
        string[] Top(int n, Func<int, bool> where) => [.. sums.Where(e => where(int.Parse(e.Key[1..]))).OrderByDescending(e => e.Value).Take(n).Select(e => e.Key)];
        string[] Names(ulong[] keys) => [.. keys.Select(k => world.Catalog.TryGet(k, out var item) ? item.Id : "?")];
        var index = world.Index.Popularity;
        Names(index.Overall.Keys.ToArray()).ShouldBe(Top(30, _ => true));
        Names(index.OfInterest(InterestKey.Tag("t2"))!.Keys.ToArray()).ShouldBe(Top(15, i => i % 4 == 2));
        Names(index.OfInterest(InterestKey.Category("c1"))!.Keys.ToArray()).ShouldBe(Top(15, i => i % 3 == 1));
        Names(index.OfAuthor(InterestKey.Author("a3"))!.Keys.ToArray()).ShouldBe(Top(15, i => i % 5 == 3));
    }

    [Fact]
    public void ADeletedItemLeavesEveryListAndAChangedOneItsOldTags()
    {
        var world = new World(Settings);
        world.Add("a", ["x"], ["k"], "writer");
        world.Add("b", ["x"]);
        world.Act("a", surface: "mail");
        world.Act("b", surface: "mail");
        world.Add("b", ["y"]);
        var index = world.Index.Popularity;
        index.OfInterest(InterestKey.Tag("x"))!.Keys.ToArray().ShouldBe([World.Key("a")]);
        index.OfInterest(InterestKey.Tag("y"))!.Keys.ToArray().ShouldBe([World.Key("b")]);
        world.Delete("a");
        index.OfInterest(InterestKey.Tag("x")).ShouldBeNull();
        index.OfAuthor(InterestKey.Author("writer")).ShouldBeNull();
        index.Overall.Keys.ToArray().ShouldBe([World.Key("b")]);
        index.Trending.Keys.ToArray().ShouldBe([World.Key("b")]);
        index.OfSurface("mail")!.Keys.ToArray().ShouldBe([World.Key("b")]);
        index.Popularity(World.Key("a"), World.Now).ShouldBe(0);
    }

    [Fact]
    public void NoMoreThanTheBoundIsKept()
    {
        var world = new World(Settings with { PopularItemsMax = 80, PostingListsMax = 16, PopularSurfacesMax = 2 });
        for (var i = 0; i < 500; i++)
        {
            world.Add($"i{i}", [$"t{i}"]);
            world.Act($"i{i}", World.Now + i * 1000, surface: $"s{i % 9}");
        }
        var index = world.Index.Popularity;
        index.Count.ShouldBeLessThanOrEqualTo(80);
        index.Surfaces.ShouldBe(["s0", "s1"]);
        index.Popularity(World.Key("i499"), World.Now).ShouldBeGreaterThan(0);
        Enumerable.Range(0, 500).Count(i => index.OfInterest(InterestKey.Tag($"t{i}")) is not null).ShouldBeInRange(8, 16);
        index.OfInterest(InterestKey.Tag("t499")).ShouldNotBeNull();
    }

    [Fact]
    public void InterestFusesPostingsByReciprocalRank()
    {
        var world = new World(Settings);
        world.Add("both", ["x", "y"]);
        world.Add("x1", ["x"]);
        world.Add("y1", ["y"]);
        world.Add("z1", ["z"]);
        world.Act("x1", weight: 9);
        world.Act("y1", weight: 8);
        world.Act("both", weight: 1);
        var user = world.User();
        user.Interests[InterestKey.Tag("x")] = new Interest(1, World.Now, 1);
        // Two half-lives old: weight 4 counts 1 as well, to within a float's last bits above x.
        user.Interests[InterestKey.Tag("y")] = new Interest(4.001f, World.Now - 2 * world.Users.LongHalfLifeMs, 1);
        user.Interests[InterestKey.Tag("z")] = new Interest(-1, World.Now, 1);
        var into = new Candidate[5];
        var count = world.Index.Channels.Single(c => c.Name == FeedChannels.Interest).Recall(user, new RecallRequest("", World.Now), into);
        world.Names(into.AsSpan(0, count)).ShouldBe(["both", "y1", "x1"]);
        into[0].Score.ShouldBe(2f / 61, 1e-5f);
        into[2].Score.ShouldBe(1f / 60, 1e-6f);
    }

    [Fact]
    public void AUserWithoutInterestsHasTheDeclaredOnes()
    {
        var world = new World(Settings);
        world.Add("a", ["sport"]);
        world.Add("b", categories: ["news"]);
        world.Add("c", ["music"]);
        var user = world.User();
        user.Profile = new UserProfile { Interests = ["sport", "news"] };
        world.Recall(FeedChannels.Interest, user).ShouldBe(["a", "b"], ignoreOrder: true);
    }

    [Fact]
    public void AuthorFollowsTheAuthorsOfRecentItems()
    {
        var world = new World(Settings);
        world.Add("liked", author: "ann");
        world.Add("ann1", author: "ann");
        world.Add("bob1", author: "bob");
        world.Add("none");
        world.Act("ann1", weight: 3);
        var user = world.User();
        world.Recall(FeedChannels.Author, user).ShouldBeEmpty();
        World.Like(user, "none");
        World.Like(user, "liked");
        World.Like(user, "bob1", weight: -2);
        world.Recall(FeedChannels.Author, user).ShouldBe(["ann1", "liked"]);
    }
}
