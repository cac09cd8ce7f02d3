using Streaming.Feeds.Structures;

namespace Streaming.Feeds.Tests;

public sealed class StructureTests
{
    [Fact]
    public void ForwardDecayEqualsTheDecayedSum()
    {
        const double halfLife = 1000;
        var log = double.NegativeInfinity;
        log = ForwardDecay.Add(log, 1_700_000_000_000, 4, halfLife);
        log = ForwardDecay.Add(log, 1_700_000_001_000, 1, halfLife);
        // 4 has halved to 2, and a late 8 of one half-life ago counts 4.
        ForwardDecay.Value(log, 1_700_000_001_000, halfLife).ShouldBe(3, 1e-6);
        log = ForwardDecay.Add(log, 1_700_000_000_000, 8, halfLife);
        ForwardDecay.Value(log, 1_700_000_001_000, halfLife).ShouldBe(7, 1e-6);
        ForwardDecay.Value(log, 1_700_000_003_000, halfLife).ShouldBe(7 / 4.0, 1e-6);
    }

    [Fact]
    public void ForwardDecayNeitherOverflowsNorMindsLongGaps()
    {
        var log = ForwardDecay.Add(double.NegativeInfinity, 0, 1, 1);
        log = ForwardDecay.Add(log, 4_000_000_000_000, 1, 1);
        ForwardDecay.Value(log, 4_000_000_000_000, 1).ShouldBe(1, 1e-9);
    }

    [Theory]
    [InlineData(1), InlineData(2), InlineData(3)]
    public void TopListEqualsTheSortedTopOfAllWhileScoresGrow(int seed)
    {
        var random = new Random(seed);
        var list = new TopList(20);
        var all = new Dictionary<ulong, double>();
        for (var step = 0; step < 3000; step++)
        {
            var key = (ulong)random.Next(1, 200);
            all[key] = all.GetValueOrDefault(key) + random.Next(1, 4);
            list.Offer(key, all[key]);
            if (step % 50 != 0) continue;
            var expected = all.OrderByDescending(e => e.Value).ThenBy(e => e.Key).Take(20).ToArray();
            list.Keys.ToArray().ShouldBe(expected.Select(e => e.Key));
            list.Scores.ToArray().ShouldBe(expected.Select(e => e.Value));
        }
    }

    [Fact]
    public void TopListMovesShrunkItemsDownAndCountsChangesOfOrderOnly()
    {
        var list = new TopList(3);
        foreach (var (key, score) in new[] { (1UL, 10.0), (2UL, 8.0), (3UL, 6.0) }) list.Offer(key, score);
        var version = list.OrderVersion;
        list.Offer(1, 11);
        list.Offer(9, 1);
        list.OrderVersion.ShouldBe(version);
        list.Offer(1, 5);
        list.Keys.ToArray().ShouldBe([2UL, 3UL, 1UL]);
        list.OrderVersion.ShouldBeGreaterThan(version);
        list.Remove(3);
        list.Keys.ToArray().ShouldBe([2UL, 1UL]);
        list.Scores.ToArray().ShouldBe([8.0, 5.0]);
    }

    [Theory]
    [InlineData(1), InlineData(2), InlineData(3), InlineData(4)]
    public void TopKEqualsASort(int seed)
    {
        var random = new Random(seed);
        var all = Enumerable.Range(1, random.Next(1, 300)).Select(i => new Candidate((ulong)i, random.Next(20))).ToArray();
        random.Shuffle(all);
        var into = new Candidate[random.Next(1, 40)];
        var top = new TopK(into);
        foreach (var candidate in all) top.Offer(candidate.Item, candidate.Score);
        top.Offer(1, float.NaN);
        var expected = all.OrderByDescending(c => c.Score).ThenBy(c => c.Item).Take(into.Length).ToArray();
        into.AsSpan(0, top.Sort()).ToArray().ShouldBe(expected);
    }

    [Fact]
    public void DescendingOrdersFloatsOfEverySignWithNaNLast()
    {
        float[] scores = [0f, -1f, float.NaN, 3f, -0f, float.NegativeInfinity, 3f, float.PositiveInfinity, 1e-20f];
        var order = new ulong[scores.Length];
        Descending.Sort(scores, order);
        order.Select(Descending.Index).ShouldBe([7, 3, 6, 8, 0, 4, 1, 2, 5]);
    }

    [Fact]
    public void KeyMapHoldsWhatADictionaryHoldsAcrossGrowthAndClears()
    {
        var random = new Random(5);
        var map = new KeyMap<int>(4);
        for (var round = 0; round < 20; round++)
        {
            map.Clear();
            var expected = new Dictionary<ulong, int>();
            for (var i = 0; i < 300; i++)
            {
                var key = (ulong)random.Next(1, 150);
                map.GetOrAdd(key, out var existed) += i;
                existed.ShouldBe(expected.ContainsKey(key));
                expected[key] = expected.GetValueOrDefault(key) + i;
            }
            map.Count.ShouldBe(expected.Count);
            map.Contains(999).ShouldBeFalse();
            var found = new Dictionary<ulong, int>();
            for (var i = 0; i < map.Count; i++) found.Add(map.Keys[i], map.Values[i]);
            found.OrderBy(e => e.Key).ShouldBe(expected.OrderBy(e => e.Key));
        }
    }
}
