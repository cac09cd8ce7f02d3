using Streaming.Core.Feeds;
using Streaming.Core.Log;
using Streaming.Core.Ports;
using Streaming.Core.Settings;
using Streaming.Feeds.Building;
using Streaming.Users;

namespace Streaming.Feeds.Tests;

public sealed class FeedBuilderTests
{
    private static readonly FeedsSettings Popular = new()
    {
        ListLength = 10, DiversityWindow = 0, MmrLambda = 1, ExploreEvery = 0, SeenMax = 3, ServedMax = 5,
    };

    private static string[] Items(FeedList? list) => [.. (list?.Entries ?? []).Select(e => e.Item)];

    private static World Small(FeedsSettings settings, int items = 6)
    {
        var world = new World(settings);
        for (var i = 0; i < items; i++)
        {
            world.Add($"i{i}", categories: [i % 2 == 0 ? "even" : "odd"]);
            world.Act($"i{i}", weight: items - i);
            world.Ranker.Scores[World.Key($"i{i}")] = 1f - i / 10f;
        }
        return world;
    }

    [Fact]
    public void AListIsRankedAndNotedInTheUsersState()
    {
        var world = Small(Popular);
        world.Ranker.Scores[World.Key("i4")] = 2f;
        var user = world.User();
        user.ListVersion = 41;
        var list = world.Builder().Build(user, "home", "learned", World.Now)!;
        Items(list).ShouldBe(["i4", "i0", "i1", "i2", "i3", "i5"]);
        (list.User, list.Surface, list.Arm, list.Version, list.BuiltMs).ShouldBe(("u", "home", "learned", 42, World.Now));
        (list.LastEventMs, list.LastApplied, list.Models).ShouldBe((World.Now, new LogPosition(1, 7), "fake:1"));
        list.Entries[0].ShouldBe(new FeedEntry("i4", World.Key("i4"), 2f, list.Entries[0].Channel, 1f));
        user.ListVersion.ShouldBe(42);
        var noted = user.Lists.ShouldHaveSingleItem();
        (noted.Version, noted.Surface, noted.Arm, noted.Models).ShouldBe((42, "home", "learned", "fake:1"));
        noted.Items.ShouldBe(list.Entries.Select(e => e.ItemKey));
        noted.Propensities.ShouldBe(list.Entries.Select(e => e.Propensity));
    }

    [Fact]
    public void OnlyTheLastListsAreRemembered()
    {
        var world = Small(Popular);
        var (user, builder) = (world.User(), world.Builder());
        for (var i = 0; i < 11; i++) builder.Build(user, "", "learned", World.Now);
        user.Lists.Select(l => l.Version).ShouldBe(Enumerable.Range(4, 8).Select(v => (long)v));
    }

    [Fact]
    public void NothingToShowIsNoList()
    {
        var world = new World(Popular);
        var user = world.User();
        world.Builder().Build(user, "", "learned", World.Now).ShouldBeNull();
        world.Builder().BuildSegment("", "", "learned", World.Now).ShouldBeNull();
        (user.ListVersion, user.Lists.Count).ShouldBe((0, 0));
    }

    [Theory]
    [InlineData(0, 0, 0, true, false), InlineData(0, 0, 0, false, true), InlineData(0, 0, 1, false, false)]
    public void DislikedHiddenAndClickedItemsNeverComeEvenWhenTheListIsShort(int served, int seen, int clicked, bool disliked, bool hidden)
    {
        var world = Small(Popular);
        var user = world.User();
        user.Marks[World.Key("i1")] = new ItemMarks(served, seen, clicked, disliked, hidden, World.Now);
        Items(world.Builder().Build(user, "", "learned", World.Now)).ShouldBe(["i0", "i2", "i3", "i4", "i5"]);
    }

    [Fact]
    public void ExpiredUnknownAndDeletedItemsNeverCome()
    {
        var world = Small(Popular);
        world.Add("i1", expiresMs: World.Now);
        world.Act("stranger", weight: 50);
        world.Delete("i3");
        Items(world.Builder().Build(world.User(), "", "learned", World.Now)).ShouldBe(["i0", "i2", "i4", "i5"]);
        Items(world.Builder().Build(world.User(), "", "learned", World.Now - 1)).ShouldBe(["i0", "i1", "i2", "i4", "i5"]);
    }

    [Fact]
    public void FatigueYieldsOnlyWhereTheListWouldBeShortAndThenComesLast()
    {
        var world = Small(Popular with { ListLength = 4 });
        var user = world.User();
        user.Marks[World.Key("i0")] = new ItemMarks(1, 3, 0, false, false, World.Now);
        user.Marks[World.Key("i1")] = new ItemMarks(5, 0, 0, false, false, World.Now);
        user.Marks[World.Key("i2")] = new ItemMarks(4, 2, 0, false, false, World.Now);
        Items(world.Builder().Build(user, "", "learned", World.Now)).ShouldBe(["i2", "i3", "i4", "i5"]);
        user.Marks[World.Key("i4")] = new ItemMarks(0, 0, 0, true, false, World.Now);
        var list = world.Builder().Build(user, "", "learned", World.Now)!;
        Items(list)[..3].ShouldBe(["i2", "i3", "i5"]);
        list.Entries.Length.ShouldBe(4);
        Items(list)[3].ShouldBeOneOf("i0", "i1");
    }

    [Fact]
    public void SurfacesHaveTheirOwnRules()
    {
        var world = Small(Popular with
        {
            ExcludedCategories = ["banned"],
            Surfaces = new()
            {
                ["even"] = new SurfaceRule { RequiredCategories = ["even"], RepeatClickedAfterMs = 1000 },
                ["odd"] = new SurfaceRule { ExcludedCategories = ["even"], ListLength = 2, SeenMax = 0 },
                ["off"] = new SurfaceRule { Quotas = FeedChannels.All.ToDictionary(c => c, _ => 0) },
            },
        });
        world.Add("i5", categories: ["odd", "banned"]);
        var (user, builder) = (world.User(), world.Builder());
        user.Marks[World.Key("i2")] = new ItemMarks(0, 0, 1, false, false, World.Now - 1000);
        user.Marks[World.Key("i1")] = new ItemMarks(0, 99, 0, false, false, World.Now);
        Items(builder.Build(user, "even", "learned", World.Now)).ShouldBe(["i0", "i2", "i4"]);
        Items(builder.Build(user, "even", "learned", World.Now - 1)).ShouldBe(["i0", "i4"]);
        Items(builder.Build(user, "odd", "learned", World.Now)).ShouldBe(["i1", "i3"]);
        // A list of nothing, not none: one of before, whose items have become unwanted, must not stay.
        builder.Build(user, "off", "learned", World.Now).ShouldNotBeNull().Entries.ShouldBeEmpty();
        Items(builder.Build(user, "", "learned", World.Now)).ShouldBe(["i0", "i3", "i4", "i1"]);
    }

    [Fact]
    public void AnEntryNamesTheChannelThatRankedItBest()
    {
        var quotas = FeedChannels.All.ToDictionary(c => c, _ => 0);
        (quotas[FeedChannels.Popular], quotas[FeedChannels.Interest]) = (10, 5);
        var world = new World(Popular with { Quotas = quotas });
        for (var i = 0; i < 6; i++)
        {
            world.Add($"i{i}", i is 3 or 5 ? ["mine"] : []);
            world.Act($"i{i}", weight: 10 - i);
        }
        var user = world.User();
        user.Interests[Core.Items.InterestKey.Tag("mine")] = new Interest(1, World.Now, 1);
        var channels = world.Builder().Build(user, "", "learned", World.Now)!.Entries.ToDictionary(e => e.Item, e => e.Channel);
        // i3: interest rank 0 of 5 = 1, popular rank 3 of 10 = 0.7. i5: 1 - 1/5 = 0.8 against 0.5.
        channels["i3"].ShouldBe(FeedChannels.Interest);
        channels["i5"].ShouldBe(FeedChannels.Interest);
        channels["i0"].ShouldBe(FeedChannels.Popular);
        channels["i4"].ShouldBe(FeedChannels.Popular);
    }

    [Fact]
    public void CandidatesAreCappedByTheirBestRank()
    {
        var world = Small(Popular with { ListLength = 3, CandidatesMax = 3 });
        foreach (var i in new[] { 3, 4, 5 }) world.Ranker.Scores[World.Key($"i{i}")] = 9;
        Items(world.Builder().Build(world.User(), "", "learned", World.Now)).ShouldBe(["i0", "i1", "i2"]);
    }

    [Fact]
    public void TheHoldoutIsPopularOnlyAndTheSameForAll()
    {
        var settings = new FeedsSettings { ListLength = 40 };
        var world = World.Populated(300, 3000, 5, settings);
        var builder = world.Builder();
        var (mine, other) = (world.ActiveUser(300, 1), world.ActiveUser(300, 2));
        var list = builder.Build(mine, "", "holdout", World.Now)!;
        var popular = world.Recall(FeedChannels.Popular, world.User(), 300);
        Items(list).ShouldBe(popular.Where(id => !mine.Marks.ContainsKey(World.Key(id)) || Allowed(mine.Marks[World.Key(id)])).Take(40));
        list.Entries.ShouldAllBe(e => e.Channel == FeedChannels.Popular && e.Propensity == 1f);
        list.Models.ShouldBe("popularity");
        other.Marks.Clear();
        mine.Marks.Clear();
        Items(builder.Build(mine, "", "holdout", World.Now)).ShouldBe(Items(builder.Build(other, "", "holdout", World.Now)));

        bool Allowed(ItemMarks m) => m is { Disliked: false, Hidden: false, Clicked: 0 } && m.Seen < settings.SeenMax && m.Served < settings.ServedMax;
    }

    [Fact]
    public void ArmsMayHaveTheirOwnQuotasAndRanker()
    {
        var world = Small(Popular);
        var upsideDown = new FakeRanker();
        for (var i = 0; i < 6; i++) upsideDown.Scores[World.Key($"i{i}")] = i;
        upsideDown.Scores[World.Key("i5")] = float.NaN;
        var builder = world.Builder(
            ArmPolicy.Learned, new ArmPolicy { Name = "other", Ranker = upsideDown, Quotas = new Dictionary<string, int> { [FeedChannels.Popular] = 4 } },
            new ArmPolicy { Name = "diverged", Ranker = upsideDown });
        Items(builder.Build(world.User(), "", "learned", World.Now)).ShouldBe(["i0", "i1", "i2", "i3", "i4", "i5"]);
        Items(builder.Build(world.User(), "", "other", World.Now)).ShouldBe(["i3", "i2", "i1", "i0"]);
        builder.Build(world.User(), "", "diverged", World.Now)!.Entries.ShouldContain(e => e.Item == "i5" && e.Score == 0);
        Should.Throw<ArgumentException>(() => builder.Build(world.User(), "", "holdout", World.Now)).Message.ShouldContain("learned, other, diverged");
    }

    [Fact]
    public void FreshItemsAreExploredWithTheirPropensity()
    {
        var world = Small(Popular with { ExploreEvery = 2, ExploreEpsilon = 1, Quotas = new() { [FeedChannels.Popular] = 6 }, ListLength = 4 });
        foreach (var id in new[] { "n0", "n1", "hidden" }) world.Add(id, bornMs: World.Now - World.Hour);
        var user = world.User();
        user.Marks[World.Key("hidden")] = new ItemMarks(0, 0, 0, false, true, World.Now);
        var list = world.Builder().Build(user, "", "learned", World.Now)!;
        Items(list)[0].ShouldBe("i0");
        list.Entries.Where((_, s) => s % 2 == 1).Select(e => e.Item).ShouldBe(["n0", "n1"], ignoreOrder: true);
        list.Entries.Where((_, s) => s % 2 == 1).ShouldAllBe(e => e.Channel == FeedChannels.Fresh && e.Score > 0);
        list.Entries.Select(e => e.Propensity).ShouldBe([1f, 0.5f, 1f, 1f]);
    }

    [Fact]
    public void TheSameStateGivesTheSameListAndVersionsExploreDifferently()
    {
        var (first, second) = (World.Populated(500, 4000, 7), World.Populated(500, 4000, 7));
        var (one, two) = (first.Builder(), second.Builder());
        var (a, b) = (first.ActiveUser(500, 3), second.ActiveUser(500, 3));
        var explored = new HashSet<string>();
        for (var i = 0; i < 30; i++)
        {
            // The second builder also serves others in between: buffers carry nothing over.
            two.Build(second.ActiveUser(500, 100 + i), "home", "learned", World.Now);
            var (x, y) = (one.Build(a, "home", "learned", World.Now)!, two.Build(b, "home", "learned", World.Now)!);
            x.Entries.ShouldBe(y.Entries);
            x.Entries.Select(e => e.Item).Distinct().Count().ShouldBe(x.Entries.Length);
            foreach (var entry in x.Entries)
                if (entry.Propensity < 0.5f) explored.Add(entry.Item);
        }
        explored.Count.ShouldBeGreaterThan(10);
    }

    [Fact]
    public void ShardsMayBuildAtOnce()
    {
        var world = World.Populated(500, 4000, 7);
        var expected = Enumerable.Range(0, 64).Select(u => world.Builder().Build(world.ActiveUser(500, u), "", "learned", World.Now)!.Entries).ToArray();
        Parallel.For(0, 4, _ =>
        {
            var builder = world.Builder();
            for (var u = 0; u < 64; u++) builder.Build(world.ActiveUser(500, u), "", "learned", World.Now)!.Entries.ShouldBe(expected[u]);
        });
    }

    [Fact]
    public void SegmentListsArePopularByTagThenSurfaceThenOverall()
    {
        var world = new World(Popular with { ListLength = 5, PopularTopMax = 6 });
        world.Add("s1", ["sport"]);
        world.Add("s2", categories: ["sport"]);
        world.Add("s3", ["sport"], expiresMs: World.Now);
        foreach (var id in new[] { "m1", "m2", "o1" }) world.Add(id);
        world.Act("s1", weight: 1);
        world.Act("s2", weight: 2);
        world.Act("s3", weight: 9);
        world.Act("m2", weight: 3, surface: "mail");
        world.Act("m1", weight: 4, surface: "mail");
        world.Act("s1", weight: 0.1f, surface: "mail");
        world.Act("o1", weight: 8);
        var builder = world.Builder();
        var list = builder.BuildSegment("sport", "mail", "learned", World.Now)!;
        Items(list).ShouldBe(["s1", "s2", "m1", "m2", "o1"]);
        (list.User, list.Surface, list.Version, list.Arm).ShouldBe((IFeedCache.SegmentUser("sport"), "mail", World.Now, "learned"));
        Items(builder.BuildSegment("", "mail", "learned", World.Now)).ShouldBe(["m1", "m2", "s1", "o1", "s2"]);
        Items(builder.BuildSegment("", "", "learned", World.Now)).ShouldBe(["o1", "m1", "m2", "s2", "s1"]);
        Items(builder.BuildSegment("nothing", "", "learned", World.Now)).ShouldBe(["o1", "m1", "m2", "s2", "s1"]);
    }

    [Fact]
    public void SegmentsAreDueWhenTheirOrderChangesOrTheyAge()
    {
        var settings = Popular with { SegmentRefreshMs = 1000, Surfaces = new() { ["mail"] = new SurfaceRule() } };
        var world = new World(settings);
        var lists = new SegmentLists(world.Index, settings);
        foreach (var (id, tag) in new[] { ("a", "x"), ("b", "x"), ("c", "y") }) lists.OnItem(world.Add(id, [tag]));
        string[] Due(long nowMs, int max = 100)
        {
            var into = new Segment[max];
            return [.. into[..lists.Due(nowMs, into)].Select(s => $"{s.Name}@{s.Surface}")];
        }
        Due(World.Now, 4).ShouldBe(["@", "@mail", "x@", "x@mail"]);
        Due(World.Now).ShouldBe(["y@", "y@mail"]);
        Due(World.Now).ShouldBeEmpty();
        world.Act("a");
        Due(World.Now);
        world.Act("a");
        Due(World.Now).ShouldBeEmpty();
        world.Act("b", weight: 9);
        Due(World.Now + 1).ShouldBe(["@", "@mail", "x@", "x@mail"]);
        Due(World.Now + 1000).ShouldBe(["y@", "y@mail"]);
        world.Act("c", surface: "new");
        Due(World.Now + 1000).ShouldContain("x@new");
        lists.Count.ShouldBe(9);
    }

    [Fact]
    public void EverybodysSegmentDoesNotWaitForNewTags()
    {
        var world = new World(Popular);
        var lists = new SegmentLists(world.Index, Popular);
        var into = new Segment[1];
        lists.Due(World.Now, into).ShouldBe(1);
        into[0].ShouldBe(new Segment("", ""));
        foreach (var tag in new[] { "x", "y", "z" }) lists.OnItem(world.Add("item-" + tag, [tag]));
        lists.Due(World.Now + 1, into).ShouldBe(1);
        into[0].ShouldBe(new Segment("", ""));
        lists.Due(World.Now + 1, into).ShouldBe(1);
        into[0].Name.ShouldBe("x");
    }

    [Fact]
    public void SegmentsAreBounded()
    {
        var settings = Popular with { SegmentsMax = 7 };
        var world = new World(settings);
        var lists = new SegmentLists(world.Index, settings);
        for (var i = 0; i < 50; i++) lists.OnItem(world.Add($"i{i}", [$"t{i}"]));
        lists.Count.ShouldBe(7);
    }
}
