using Streaming.Core.Items;
using Streaming.Core.Settings;
using Streaming.Feeds.Building;

namespace Streaming.Feeds.Tests;

public sealed class RerankerTests
{
    private static readonly FeedsSettings Plain = new() { ExploreEvery = 0, DiversityWindow = 0, MmrLambda = 1 };

    private static ListPlan Plan(FeedsSettings settings) => new(settings, ArmPolicy.Learned, new SurfaceRule());

    /// <summary>A slate of candidates (best first), a reserve and a pool, with random scores, vectors, categories and authors.</summary>
    private static (Slate Slate, FakeVectors Vectors) Random(Random random, int first, int reserve, int fresh, double withVector = 0.7)
    {
        var vectors = new FakeVectors(6);
        var slate = new Slate(first + reserve + fresh, fresh);
        void Add(int count)
        {
            foreach (var score in Enumerable.Range(0, count).Select(_ => random.NextSingle()).OrderDescending().ToArray())
            {
                var item = new Item($"i{slate.Count}")
                {
                    Categories = [.. Enumerable.Range(0, random.Next(3)).Select(_ => $"c{random.Next(5)}")],
                    Author = random.Next(3) == 0 ? null : $"a{random.Next(6)}", Tags = [$"t{random.Next(4)}", $"u{random.Next(4)}"],
                };
                if (random.NextDouble() < withVector) vectors.Rows[item.Key] = World.Vector(random, 6);
                slate.Add(item.Key, item, score, 0);
            }
        }
        Add(first);
        slate.FirstCount = slate.Count;
        Add(reserve);
        slate.RankedCount = slate.Count;
        Add(fresh);
        for (var i = slate.RankedCount; i < slate.Count; i++) slate.Pool[slate.PoolCount++] = i;
        return (slate, vectors);
    }

    private static Slot[] Fill(Slate slate, FakeVectors vectors, ListPlan plan, int length, ulong draws = 1, Reranker? reranker = null)
    {
        var slots = new Slot[length];
        reranker ??= new Reranker(vectors, slate.Keys.Length, slate.Pool.Length);
        return slots[..reranker.Fill(slate, plan, draws, slots, out _)];
    }

    private static double Similarity(Slate slate, FakeVectors vectors, int a, int b)
    {
        if (vectors.Rows.TryGetValue(slate.Keys[a], out var x) && vectors.Rows.TryGetValue(slate.Keys[b], out var y))
        {
            double Dot(float[] p, float[] q) => p.Zip(q, (s, t) => (double)s * t).Sum();
            return Math.Max(0, Dot(x, y) / Math.Sqrt(Dot(x, x) * Dot(y, y)));
        }
        var (tagsA, tagsB) = (slate.Items[a].Tags, slate.Items[b].Tags);
        return (double)tagsA.Intersect(tagsB).Count() / tagsA.Union(tagsB).Count();
    }

    [Theory]
    [InlineData(1, 0.9), InlineData(2, 0.5), InlineData(3, 0.1), InlineData(4, 0.7), InlineData(5, 0.0)]
    public void LazyMmrEqualsTheNaiveOne(int seed, double lambda)
    {
        var (slate, vectors) = Random(new Random(seed), first: 60, reserve: 0, fresh: 0);
        var chosen = Fill(slate, vectors, Plan(Plain with { MmrLambda = lambda }), 40).Select(s => s.Index).ToArray();
        var (low, high) = (slate.Scores[..60].Min(), slate.Scores[..60].Max());
        var picked = new List<int>();
        foreach (var pick in chosen)
        {
            double Value(int i) => lambda * (slate.Scores[i] - low) / (high - low)
                - (1 - lambda) * (picked.Count == 0 ? 0 : picked.Max(j => Similarity(slate, vectors, i, j)));
            var best = Enumerable.Range(0, 60).Except(picked).Max(Value);
            Value(pick).ShouldBe(best, 1e-5);
            picked.Add(pick);
        }
        picked.Distinct().Count().ShouldBe(40);
    }

    [Fact]
    public void MmrByHand()
    {
        var (vectors, slate) = (new FakeVectors(2), new Slate(3, 0));
        foreach (var (id, score, vector) in new[] { ("best", 1f, new[] { 1f, 0 }), ("twin", 0.9f, [2f, 0]), ("other", 0f, [0, 3f]) })
        {
            var item = new Item(id);
            vectors.Rows[item.Key] = vector;
            slate.Add(item.Key, item, score, 0);
        }
        (slate.FirstCount, slate.RankedCount) = (3, 3);
        // After "best": twin 0.5 x 0.9 - 0.5 x 1 = -0.05; other 0.5 x 0 - 0.5 x 0 = 0.
        Fill(slate, vectors, Plan(Plain with { MmrLambda = 0.5 }), 3).Select(s => s.Index).ShouldBe([0, 2, 1]);
        Fill(slate, vectors, Plan(Plain), 3).Select(s => s.Index).ShouldBe([0, 1, 2]);
    }

    /// <summary>The slate's kernel S, by the vectors' cosine; symmetric, and with vectors of positive parts alone positive semi-definite.</summary>
    private static double[,] Kernel(Slate slate, FakeVectors vectors, int count)
    {
        var kernel = new double[count, count];
        for (var a = 0; a < count; a++)
        for (var b = 0; b < count; b++) kernel[a, b] = a == b ? 1 : Similarity(slate, vectors, a, b);
        return kernel;
    }

    /// <summary>Determinant of a part of the kernel, by expansion along its first row: slow, and not the Cholesky factors that it is to check.</summary>
    private static double Determinant(double[,] kernel, int[] rows, int[] columns) => rows.Length == 0 ? 1 : Enumerable.Range(0, columns.Length).Sum(
        c => (c % 2 == 0 ? 1 : -1) * kernel[rows[0], columns[c]] * Determinant(kernel, rows[1..], [.. columns[..c], .. columns[(c + 1)..]]));

    [Theory]
    [InlineData(1, 0.9), InlineData(2, 0.5), InlineData(3, 0.1), InlineData(4, 0.7), InlineData(5, 0.0)]
    public void LazyDppTakesTheLargestGainInLogDeterminant(int seed, double lambda)
    {
        var (slate, vectors) = Random(new Random(seed), first: 12, reserve: 0, fresh: 0, withVector: 1);
        foreach (var row in vectors.Rows.Values)
            for (var d = 0; d < row.Length; d++) row[d] = Math.Abs(row[d]);
        var chosen = Fill(slate, vectors, Plan(Plain with { MmrLambda = lambda, Diversity = FeedsSettings.DiversityDpp }), 6).Select(s => s.Index).ToArray();
        chosen.Distinct().Count().ShouldBe(6);
        var kernel = Kernel(slate, vectors, 12);
        var (low, high) = (slate.Scores[..12].Min(), slate.Scores[..12].Max());
        double Relevance(int i) => (slate.Scores[i] - low) / (high - low);
        // (1 - lambda) log det L_Y of the paper's kernel, its quality part written out: lambda = 0 and 1 need no other.
        double Objective(int[] set) => lambda * set.Sum(Relevance) + (1 - lambda) * Math.Log(Math.Max(1e-12, Determinant(kernel, set, set)));
        for (var s = 0; s < chosen.Length; s++)
        {
            var above = chosen[..s];
            double Value(int i) => Objective([.. above, i]);
            Value(chosen[s]).ShouldBe(Enumerable.Range(0, 12).Except(above).Max(Value), 1e-4);
        }
    }

    [Fact]
    public void DppPutsWhatTheItemsAboveSpanTogetherLastWhereMmrSeesOnlyTheNearest()
    {
        var (vectors, slate) = (new FakeVectors(3), new Slate(4, 0));
        foreach (var (id, score, vector) in new[] { ("x", 1f, new[] { 1f, 0, 0 }), ("y", 0.99f, [0, 1f, 0]), ("both", 0.5f, [1f, 1f, 0.05f]), ("like x", 0f, [0.72f, 0, 0.7f]) })
        {
            var item = new Item(id);
            vectors.Rows[item.Key] = vector;
            slate.Add(item.Key, item, score, 0);
        }
        (slate.FirstCount, slate.RankedCount) = (4, 4);
        // "both" is .71 like x and .71 like y, so hardly more than "like x" to its nearest; but x and y leave nothing of it.
        Fill(slate, vectors, Plan(Plain with { MmrLambda = 0.5 }), 4).Select(s => s.Index).ShouldBe([0, 1, 2, 3]);
        Fill(slate, vectors, Plan(Plain with { MmrLambda = 0.5, Diversity = FeedsSettings.DiversityDpp }), 4).Select(s => s.Index).ShouldBe([0, 1, 3, 2]);
    }

    [Fact]
    public void DppWithTwinsAndWithoutPositiveSemiDefiniteSimilaritiesStillFillsTheList()
    {
        for (var seed = 1; seed <= 20; seed++)
        {
            var (slate, vectors) = Random(new Random(seed), first: 60, reserve: 10, fresh: 5, withVector: 0.5);
            for (var i = 0; i < 10; i++)
                if (vectors.Rows.TryGetValue(slate.Keys[i], out var row)) vectors.Rows[slate.Keys[i + 20]] = [.. row];
            var settings = Plain with { MmrLambda = 0.8, Diversity = FeedsSettings.DiversityDpp, DiversityWindow = 5, DiversityMax = 2, ExploreEvery = 4, ExploreEpsilon = 0.5 };
            var slots = Fill(slate, vectors, Plan(settings), 65, (ulong)seed);
            slots.Length.ShouldBe(65);
            slots.Select(s => s.Index).Distinct().Count().ShouldBe(65);
            slots.ShouldAllBe(s => float.IsFinite(s.Propensity));
        }
    }

    [Theory]
    [InlineData(Diversity.Mmr), InlineData(Diversity.Dpp)]
    public void AnOrderOutsideOfTheFeedIsTheFeedsOwn(Diversity kind)
    {
        var (slate, vectors) = Random(new Random(7), first: 30, reserve: 0, fresh: 0);
        var setting = kind == Diversity.Dpp ? FeedsSettings.DiversityDpp : FeedsSettings.DiversityMmr;
        var feed = Fill(slate, vectors, Plan(Plain with { MmrLambda = 0.6, Diversity = setting }), 30).Select(s => s.Index).ToArray();
        DiverseOrder.Of(slate.Scores.AsSpan(0, 30), (a, b) => (float)Similarity(slate, vectors, a, b), kind, 0.6f).ShouldBe(feed);
    }

    [Theory]
    [InlineData(1, 4, 1), InlineData(2, 5, 2), InlineData(3, 8, 3), InlineData(4, 2, 1), InlineData(5, 100, 9)]
    public void AWindowHoldsAtMostMOfACategoryOrAuthorUnlessNothingElseIsLeft(int seed, int window, int max)
    {
        var random = new Random(seed);
        var settings = Plain with { DiversityWindow = window, DiversityMax = max, MmrLambda = 0.8, ExploreEvery = 3, ExploreEpsilon = 0.5 };
        for (var round = 0; round < 20; round++)
        {
            var (slate, vectors) = Random(random, first: 50, reserve: 10, fresh: 10);
            var slots = Fill(slate, vectors, Plan(settings), 45, (ulong)round + 1);
            slots.Length.ShouldBe(45);
            for (var s = 0; s < slots.Length; s++)
            {
                var before = slots[Math.Max(0, s - window + 1)..s].Select(p => slate.Items[p.Index]).ToArray();
                bool Fits(Item item) => item.Categories.Distinct().All(c => before.Count(b => b.Categories.Contains(c)) < max)
                    && (item.Author is null || before.Count(b => b.Author == item.Author) < max);
                if (Fits(slate.Items[slots[s].Index])) continue;
                slots[s].Explored.ShouldBeFalse();
                var used = slots[..s].Select(p => p.Index);
                var range = slots[s].Index < slate.FirstCount ? (0, slate.FirstCount) : (slate.FirstCount, slate.RankedCount - slate.FirstCount);
                Enumerable.Range(range.Item1, range.Item2).Except(used).Where(i => Fits(slate.Items[i])).ShouldBeEmpty();
            }
        }
    }

    [Fact]
    public void TheReserveComesAfterEveryCandidate()
    {
        var (slate, vectors) = Random(new Random(1), first: 5, reserve: 5, fresh: 0);
        for (var i = 5; i < 10; i++) slate.Scores[i] += 10;
        var order = Fill(slate, vectors, Plan(Plain with { DiversityWindow = 3, DiversityMax = 1, MmrLambda = 0.7 }), 20).Select(s => s.Index).ToArray();
        order.Length.ShouldBe(10);
        order[..5].ShouldAllBe(i => i < 5);
    }

    [Theory]
    [InlineData(0.3, true), InlineData(0.3, false), InlineData(1.0, false), InlineData(0.0, true)]
    public void PropensitiesEqualTheFrequenciesOfManyDraws(double epsilon, bool greedyIsFresh)
    {
        var (slate, vectors) = Random(new Random(9), first: 10, reserve: 0, fresh: 4);
        // Slot 2 (of 0, 1, 2) explores; without MMR the greedy choice there is candidate 2.
        if (greedyIsFresh) slate.Pool[0] = 2;
        var plan = Plan(Plain with { ExploreEvery = 3, ExploreEpsilon = epsilon });
        var reranker = new Reranker(vectors, 14, 4);
        var counts = new Dictionary<int, int>();
        var stated = new Dictionary<int, float>();
        const int draws = 20_000;
        for (var d = 1; d <= draws; d++)
        {
            var slots = Fill(slate, vectors, plan, 3, (ulong)d, reranker);
            slots[0].ShouldBe(new Slot(0, false, 1f));
            counts[slots[2].Index] = counts.GetValueOrDefault(slots[2].Index) + 1;
            stated.TryAdd(slots[2].Index, slots[2].Propensity);
            slots[2].Propensity.ShouldBe(stated[slots[2].Index]);
        }
        ((double)stated.Values.Sum()).ShouldBe(1, 1e-5);
        foreach (var (index, count) in counts) ((double)count / draws).ShouldBe(stated[index], 0.015);
        if (epsilon is > 0 and < 1) stated[2].ShouldBe((float)(1 - epsilon + (greedyIsFresh ? epsilon / 4 : 0)), 1e-5f);
        if (epsilon > 0) stated[12].ShouldBe((float)(epsilon / 4), 1e-5f);
    }

    [Fact]
    public void WithNothingLeftToExploreASlotIsCertain()
    {
        var (slate, vectors) = Random(new Random(2), first: 10, reserve: 0, fresh: 1);
        var slots = Fill(slate, vectors, Plan(Plain with { ExploreEvery = 1, ExploreEpsilon = 1 }), 20);
        slots.Length.ShouldBe(11);
        slots[0].ShouldBe(new Slot(10, true, 1f));
        slots[1..].ShouldAllBe(s => !s.Explored && s.Propensity == 1f);
    }
}
