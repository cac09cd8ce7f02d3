using System.Diagnostics;
using Streaming.Core.Settings;
using Streaming.Feeds.Building;
using Streaming.Feeds.Recall;
using Xunit.Abstractions;

namespace Streaming.Feeds.Tests;

public sealed class BudgetTests(ITestOutputHelper output)
{
    private const int Items = 2000;

    [Fact]
    public void ABuildAllocatesOnlyWhatItReturns()
    {
        var world = World.Populated(Items, 10_000, 1);
        var (builder, user) = (world.Builder(), world.ActiveUser(Items, 1));
        var length = 0;
        for (var i = 0; i < 20; i++) length = builder.Build(user, "home", "learned", World.Now)!.Entries.Length;
        const int builds = 200;
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < builds; i++) builder.Build(user, "home", "learned", World.Now);
        var bytes = (GC.GetAllocatedBytesForCurrentThread() - before) / (double)builds;
        output.WriteLine($"{bytes:0} bytes per build of {length} entries");
        length.ShouldBe(50);
        // Entries of 32 bytes, keys of 8 and propensities of 4 in the ListRef, and the headers of five objects.
        bytes.ShouldBeLessThan(length * (32 + 8 + 4) + 400);
    }

    [Fact]
    public void LearningAnInteractionAllocatesNextToNothing()
    {
        var world = World.Populated(Items, 30_000, 1);
        var actions = Enumerable.Range(0, 2000).Select(i => world.Act($"i{i % 300}", World.Now + i, 1, "home", 5, "i1", "i2", "i3")).ToArray();
        world.Index.Refresh(World.Now);
        var learners = world.Index.Learners.ToArray();
        var before = GC.GetAllocatedBytesForCurrentThread();
        foreach (var action in actions)
            foreach (var learner in learners) learner.OnInteraction(action);
        world.Index.Refresh(World.Now);
        ((GC.GetAllocatedBytesForCurrentThread() - before) / actions.Length).ShouldBeLessThan(4);
    }

    /// <summary>Times are reported, not gated: they depend on the machine and on what else runs there.</summary>
    [Fact]
    public void TimesOfABuildAndItsParts()
    {
        var ranker = new FakeRanker(rounds: 100);
        var world = World.Populated(Items, 30_000, 1, ranker: ranker);
        var builder = world.Builder();
        var users = Enumerable.Range(0, 64).Select(u => world.ActiveUser(Items, u)).ToArray();
        foreach (var user in users)
        {
            user.Marks.Clear();
            for (var m = 0; m < 300; m++) user.Marks[World.Key($"i{m * 7 % Items}")] = new(m % 9, m % 4, m % 5 == 0 ? 1 : 0, false, false, World.Now);
        }
        Report("build (2,000 items, 150 candidates, 50 slots)", u => builder.Build(users[u], "home", "learned", World.Now)!.Entries.Length);
        var keys = Enumerable.Range(0, 150).Select(i => World.Key($"i{i}")).ToArray();
        var scores = new float[150];
        Report("of that, the fake ranker on 150 candidates", u =>
        {
            ranker.Score(users[u], keys, "home", World.Now, scores);
            return 150;
        });
        var filter = new CandidateFilter(world.Catalog);
        var plan = new ListPlan(world.Settings, ArmPolicy.Learned, new SurfaceRule());
        var into = new Candidate[75];
        foreach (var channel in world.Index.Channels.Where(c => !Core.Feeds.FeedChannels.Retrieval.Contains(c.Name)))
            Report($"recall {channel.Name}", u => channel.Recall(users[u], new RecallRequest("home", World.Now), into));
        Report("hold-out build", u => builder.Build(users[u], "home", "holdout", World.Now)!.Entries.Length);
        var merger = new CandidateMerger(world.Index.Channels, filter, world.Settings.RecallOverfetch, world.Settings.CandidatesMax, 100, 400);
        Report("recall, filters and merge", u =>
        {
            filter.Start(users[u], plan, World.Now);
            merger.Merge(users[u], plan, new RecallRequest("home", World.Now));
            return merger.Kept.Count;
        });
        Report("filtering 150 candidates", u =>
        {
            filter.Start(users[u], plan, World.Now);
            var kept = 0;
            foreach (var key in keys)
                if (filter.Check(key, out _) == FilterVerdict.Keep) kept++;
            return kept;
        });
        var (large, random) = (new FlatVectorIndex(16, 20_000), new Random(1));
        for (var i = 0; i < 20_000; i++) large.Set((ulong)i + 1, World.Vector(random, 16));
        Report("scanning 20,000 vectors of 16 for the best 60", u => large.Search(users[u].Embedding, into.AsSpan(0, 60)));
        var reranker = new Reranker(world.Vectors, 200, 10);
        var slate = new Slate(200, 10);
        foreach (var at in Enumerable.Range(0, 150).OrderByDescending(i => scores[i]))
            slate.Add(keys[at], world.Catalog.TryGet(keys[at], out var item) ? item : throw new InvalidOperationException(), scores[at], 0);
        (slate.FirstCount, slate.RankedCount) = (150, 150);
        var slots = new Slot[50];
        Report("re-ranking 150 candidates into 50 slots", u => reranker.Fill(slate, plan, (ulong)u, slots, out _));
        var action = world.Act("i1", World.Now, 1, "home", 20, [.. Enumerable.Range(2, 20).Select(i => $"i{i}")]);
        Report("learning an interaction with 20 recent items", _ =>
        {
            foreach (var learner in world.Index.Learners) learner.OnInteraction(action);
            return 1;
        });

        void Report(string what, Func<int, int> run)
        {
            var sum = 0;
            for (var i = 0; i < 1500; i++) sum += run(i % users.Length);
            // The first decile of many single runs: those least disturbed by others on the machine.
            var times = new double[1000];
            for (var i = 0; i < times.Length; i++)
            {
                var watch = Stopwatch.GetTimestamp();
                sum += run(i % users.Length);
                times[i] = Stopwatch.GetElapsedTime(watch).TotalMicroseconds;
            }
            Array.Sort(times);
            output.WriteLine($"{times[times.Length / 10],8:0.0} us  {what} (median {times[times.Length / 2]:0.0})");
            sum.ShouldBeGreaterThan(0, what);
        }
    }
}
