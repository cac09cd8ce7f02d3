using Streaming.Core.Feeds;
using Streaming.Core.Settings;
using Streaming.Feeds.Recall;

namespace Streaming.Feeds.Tests;

public sealed class VectorTests
{
    [Theory]
    [InlineData(1, 16, 500), InlineData(2, 5, 300), InlineData(3, 33, 100), InlineData(4, 1, 50)]
    public void SearchEqualsBruteForce(int seed, int dim, int items)
    {
        var random = new Random(seed);
        var index = new FlatVectorIndex(dim, 10_000);
        var all = new Dictionary<ulong, float[]>();
        for (var i = 0; i < items * 2; i++)
        {
            var key = (ulong)random.Next(1, items);
            if (random.Next(4) == 0)
            {
                index.Remove(key);
                all.Remove(key);
                continue;
            }
            all[key] = World.Vector(random, dim);
            index.Set(key, all[key]);
        }
        index.Count.ShouldBe(all.Count);
        var query = World.Vector(random, dim);
        var into = new Candidate[10];
        var count = index.Search(query, into);
        var expected = all.Select(e => (e.Key, Score: e.Value.Zip(query, (a, b) => (double)a * b).Sum())).OrderByDescending(e => e.Score).Take(10).ToArray();
        into.AsSpan(0, count).ToArray().Select(c => c.Item).ShouldBe(expected.Select(e => e.Key));
        for (var i = 0; i < count; i++) ((double)into[i].Score).ShouldBe(expected[i].Score, 1e-4);
    }

    [Fact]
    public void AFullIndexLetsTheItemTouchedLongestAgoGo()
    {
        var index = new FlatVectorIndex(2, 3);
        foreach (var key in new ulong[] { 1, 2, 3, 1, 4 }) index.Set(key, [key, 0]);
        index.ByTouch.ShouldBe([3UL, 1UL, 4UL]);
        index.Remove(1);
        index.Set(5, [5, 0]);
        index.Set(6, [6, 0]);
        index.ByTouch.ShouldBe([4UL, 5UL, 6UL]);
        var into = new Candidate[9];
        into.AsSpan(0, index.Search([1, 0], into)).ToArray().Select(c => c.Item).ShouldBe([6UL, 5UL, 4UL]);
    }

    [Theory]
    [InlineData(1), InlineData(2)]
    public void TheOrderOfTouchEqualsAListUnderRandomUse(int seed)
    {
        var random = new Random(seed);
        var index = new FlatVectorIndex(1, 20);
        var expected = new List<ulong>();
        for (var step = 0; step < 2000; step++)
        {
            var key = (ulong)random.Next(1, 40);
            expected.Remove(key);
            if (random.Next(5) == 0) index.Remove(key);
            else
            {
                index.Set(key, [1]);
                if (expected.Count == 20) expected.RemoveAt(0);
                expected.Add(key);
            }
            if (step % 20 == 0) index.ByTouch.ShouldBe(expected);
        }
    }

    [Fact]
    public void TheQueryIsTheEmbeddingAndTheGatedShortAndLongVectors()
    {
        var world = new World(dim: 2);
        world.Add("x");
        world.Add("y");
        world.SetVector("x", 1, 0);
        world.SetVector("y", 0, 1);
        world.Act("x");
        world.Act("y");
        var user = world.User();
        world.Index.Refresh(World.Now);
        world.Recall(FeedChannels.Embedding, user).ShouldBeEmpty();
        (user.Embedding[0], user.ShortVector[1], user.LongVector[0]) = (0.25f, 1f, 0.5f);
        (user.ShortWeight, user.ShortMs, user.LongWeight, user.LongMs) = (6, World.Now - world.Users.ShortHalfLifeMs, 1, World.Now);
        // s = 3, l = 1: g = 3/4, q = (0.25 + 0.125, 0.75).
        var into = new Candidate[2];
        world.Index.Embedding.Recall(user, new RecallRequest("", World.Now), into).ShouldBe(2);
        world.Names(into).ShouldBe(["y", "x"]);
        into[0].Score.ShouldBe(0.75f, 1e-4f);
        into[1].Score.ShouldBe(0.375f, 1e-4f);
    }

    [Fact]
    public void VectorsAreCopiedOfTouchedItemsAndOnlyAtARefresh()
    {
        var world = new World(new FeedsSettings { EmbeddingScanMax = 3 }, dim: 1);
        var user = world.User();
        user.Embedding[0] = 1;
        foreach (var id in new[] { "a", "b", "c", "d" })
        {
            world.Add(id);
            world.SetVector(id, id[0] - 'a' + 1);
        }
        world.Act("a");
        world.Show("b");
        world.Recall(FeedChannels.Embedding, user).ShouldBeEmpty();
        world.Index.Refresh(World.Now);
        world.Recall(FeedChannels.Embedding, user).ShouldBe(["b", "a"]);
        world.SetVector("a", 9);
        world.Index.Refresh(World.Now);
        world.Recall(FeedChannels.Embedding, user).ShouldBe(["b", "a"]);
        world.Act("a");
        world.Act("d");
        world.Index.Refresh(World.Now);
        world.Recall(FeedChannels.Embedding, user).ShouldBe(["a", "d", "b"]);
        world.Act("c");
        world.Index.Refresh(World.Now);
        world.Recall(FeedChannels.Embedding, user).ShouldBe(["a", "d", "c"]);
        world.Delete("d");
        world.Recall(FeedChannels.Embedding, user).ShouldBe(["a", "c"]);
    }

    [Fact]
    public void SimilarTakesCoVisitedItemsFirstThenTheNearest()
    {
        var world = new World(dim: 2);
        foreach (var id in new[] { "a", "near", "far", "co" }) world.Add(id);
        world.Add("gone", expiresMs: World.Now - 1);
        world.SetVector("a", 1, 0);
        world.SetVector("near", 1, 0.1f);
        world.SetVector("far", -1, 0);
        world.SetVector("gone", 2, 0);
        foreach (var id in new[] { "a", "near", "far", "gone" }) world.Act(id);
        world.Act("co", userActions: 2, recent: ["a"]);
        world.Index.Refresh(World.Now);
        var into = new Candidate[3];
        world.Names(into.AsSpan(0, world.Index.Similar(World.Key("a"), World.Now, into))).ShouldBe(["co", "near", "far"]);
    }
}
