using Streaming.Core.Feeds;
using Streaming.Core.Settings;
using Streaming.Feeds.Recall;

namespace Streaming.Feeds.Tests;

public sealed class FreshTests
{
    private static World Make(FeedsSettings settings)
    {
        var world = new World(settings);
        world.Add("old", bornMs: World.Now - 25 * World.Hour);
        world.Add("later", bornMs: World.Now + World.Hour);
        world.Add("b", bornMs: World.Now - 2 * World.Hour);
        world.Add("a", bornMs: World.Now - World.Hour);
        return world;
    }

    private static string[] Pool(World world, long nowMs = World.Now)
    {
        var keys = new ulong[50];
        return [.. keys[..world.Index.Fresh.Pool(nowMs, keys)].Select(k => world.Catalog.TryGet(k, out var item) ? item.Id : "?")];
    }

    [Fact]
    public void ThePoolHoldsYoungBornItemsNewestFirst()
    {
        var world = Make(new FeedsSettings());
        Pool(world).ShouldBe(["a", "b"]);
        Pool(world, World.Now + 2 * World.Hour).ShouldBe(["later", "a", "b"]);
        Pool(world, World.Now + 23 * World.Hour).ShouldBe(["later"]);
        world.Index.Refresh(World.Now + 24 * World.Hour);
        world.Index.Fresh.Count.ShouldBe(1);
        world.Delete("later");
        world.Index.Fresh.Count.ShouldBe(0);
    }

    [Fact]
    public void AnItemWithEnoughImpressionsLeavesThePoolAndAnUpsertDoesNotBringItBack()
    {
        var world = Make(new FeedsSettings { FreshImpressionsMax = 5 });
        world.Show("a", sampleRate: 0.25f); // counts 4
        world.Show("a", label: 1, correction: true); // counts none
        Pool(world).ShouldBe(["a", "b"]);
        world.Show("a", label: 1);
        Pool(world).ShouldBe(["b"]);
        world.Add("a", ["tag"], bornMs: World.Now - World.Hour);
        Pool(world).ShouldBe(["b"]);
    }

    [Fact]
    public void RecallIsAnUpperConfidenceBound()
    {
        var world = Make(new FeedsSettings { FreshUcb = 0.5 });
        for (var i = 0; i < 7; i++) world.Show("a", label: i < 4 ? 1 : 0);
        world.Show("b");
        var into = new Candidate[5];
        world.Index.Fresh.Recall(world.User(), new RecallRequest("", World.Now), into).ShouldBe(2);
        world.Names(into.AsSpan(0, 2)).ShouldBe(["a", "b"]);
        into[0].Score.ShouldBe((float)(4.5 / 12 + 0.5 * Math.Sqrt(Math.Log(9) / 8)), 1e-5f);
        into[1].Score.ShouldBe((float)(0.5 / 6 + 0.5 * Math.Sqrt(Math.Log(9) / 2)), 1e-5f);
    }

    [Fact]
    public void NoMoreThanTheBoundIsTrackedNewestKept()
    {
        var world = new World(new FeedsSettings { FreshItemsMax = 10, FreshPoolMax = 4 });
        var order = Enumerable.Range(0, 50).ToArray();
        new Random(3).Shuffle(order);
        foreach (var i in order) world.Add($"i{i}", bornMs: World.Now - i * 1000);
        world.Index.Fresh.Count.ShouldBe(10);
        Pool(world).ShouldBe(["i0", "i1", "i2", "i3"]);
        world.Recall(FeedChannels.Fresh, world.User()).Length.ShouldBe(4);
    }
}
