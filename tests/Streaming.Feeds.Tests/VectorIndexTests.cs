using Streaming.Feeds.Recall;

namespace Streaming.Feeds.Tests;

public sealed class VectorIndexTests
{
    private const int Dim = 32;
    private const int Wanted = 10;
    private static readonly HnswOptions Hnsw = new(M: 12, EfConstruction: 100, EfSearch: 64);

    private static VectorIndex Graph(int capacity = 100_000, int dim = Dim) => new(new VectorIndexOptions(dim, capacity, 0, Hnsw));

    /// <summary>Points in clusters of skewed sizes.</summary>
    private static IEnumerable<float[]> Clustered(int count, int seed, int dim = Dim)
    {
        var centres = Enumerable.Range(0, 60).Select(c => World.Vector(new Random(1000 + c), dim)).ToArray();
        var random = new Random(seed);
        for (var i = 0; i < count; i++)
        {
            var centre = centres[(int)(random.NextDouble() * random.NextDouble() * centres.Length)];
            yield return [.. centre.Zip(World.Vector(random, dim), (c, noise) => c + 0.6f * noise)];
        }
    }

    private static double Recall(VectorIndex index, int seed, int queries = 200)
    {
        var (exact, found, hits) = (new Candidate[Wanted], new Candidate[Wanted], 0);
        foreach (var query in Clustered(queries, seed, index.Dim))
        {
            var truth = exact.AsSpan(0, index.SearchExact(query, exact)).ToArray().Select(c => c.Item).ToHashSet();
            hits += found.AsSpan(0, index.SearchGraph(query, found, 0)).ToArray().Count(c => truth.Contains(c.Item));
        }
        return hits / (double)(Wanted * queries);
    }

    private static byte[] Saved(VectorIndex index)
    {
        using var into = new MemoryStream();
        index.Save(into);
        return into.ToArray();
    }

    [Fact]
    public void It_finds_nearly_all_of_the_nearest_also_after_moves_and_deletions()
    {
        var index = Graph();
        var key = 0UL;
        foreach (var vector in Clustered(5000, 1)) index.Set(++key, vector).ShouldBeTrue();
        Recall(index, 2).ShouldBeGreaterThan(0.97);
        var random = new Random(3);
        var deleted = new HashSet<ulong>();
        foreach (var vector in Clustered(2500, 4))
        {
            var item = (ulong)random.Next(1, 5001);
            if (random.Next(2) == 0)
            {
                index.Remove(item);
                deleted.Add(item);
            }
            else
            {
                index.Set(item, vector);
                deleted.Remove(item);
            }
        }
        index.Count.ShouldBe(5000 - deleted.Count);
        Recall(index, 5).ShouldBeGreaterThan(0.97);
        var found = new Candidate[50];
        foreach (var query in Clustered(100, 6))
            foreach (var candidate in found.AsSpan(0, index.SearchGraph(query, found, 0))) deleted.ShouldNotContain(candidate.Item);
    }

    [Theory]
    [InlineData(1), InlineData(2), InlineData(3), InlineData(4)]
    public void Under_random_use_a_small_graph_equals_the_scan(int seed)
    {
        var random = new Random(seed);
        var index = new VectorIndex(new VectorIndexOptions(5, 40, 0, Hnsw with { Seed = (ulong)seed }));
        var expected = new Dictionary<ulong, float[]>();
        var order = new List<ulong>();
        var (found, exact) = (new Candidate[8], new Candidate[8]);
        for (var step = 0; step < 1500; step++)
        {
            var key = (ulong)random.Next(1, 70);
            order.Remove(key);
            if (random.Next(4) == 0)
            {
                index.Remove(key);
                expected.Remove(key);
            }
            else
            {
                expected[key] = World.Vector(random, 5);
                index.Set(key, expected[key]);
                order.Add(key);
                if (order.Count > 40)
                {
                    expected.Remove(order[0]);
                    order.RemoveAt(0);
                }
            }
            index.ByTouch.ShouldBe(order);
            if (step % 10 != 0) continue;
            var query = World.Vector(random, 5);
            var n = index.SearchGraph(query, found, 0);
            found.AsSpan(0, n).ToArray().ShouldBe(exact.AsSpan(0, index.SearchExact(query, exact)).ToArray());
            n.ShouldBe(Math.Min(8, expected.Count));
            for (var i = 0; i < n; i++)
            {
                var vector = expected[found[i].Item];
                var cosine = vector.Zip(query, (a, b) => (double)a * b).Sum() / Math.Sqrt(vector.Sum(v => (double)v * v));
                ((double)found[i].Score).ShouldBe(cosine, 1e-4);
            }
        }
    }

    [Fact]
    public void Equal_histories_give_equal_graphs_and_a_restored_one_goes_on_alike()
    {
        var (first, second) = (Graph(), Graph());
        foreach (var index in (VectorIndex[])[first, second])
        {
            var key = 0UL;
            foreach (var vector in Clustered(600, 7)) index.Set(1 + key++ % 500, vector);
            for (var item = 3UL; item < 200; item += 7) index.Remove(item);
        }
        Saved(second).ShouldBe(Saved(first));
        var restored = Graph();
        restored.Load(new MemoryStream(Saved(first)));
        Saved(restored).ShouldBe(Saved(first));
        foreach (var index in (VectorIndex[])[first, restored])
        {
            var key = 400UL;
            foreach (var vector in Clustered(200, 8)) index.Set(key++, vector);
            index.Remove(450);
        }
        Saved(restored).ShouldBe(Saved(first));
    }

    [Fact]
    public void It_scans_up_to_the_set_size_and_has_the_graph_ready_beyond()
    {
        var index = new VectorIndex(new VectorIndexOptions(Dim, 10_000, 300, Hnsw));
        var key = 0UL;
        foreach (var vector in Clustered(400, 9))
        {
            index.Set(++key, vector);
            index.IsApproximate.ShouldBe(index.Count > 300, $"at {index.Count} items");
        }
        var (found, exact) = (new Candidate[5], new Candidate[5]);
        var query = Clustered(1, 10).Single();
        index.Search(query, found).ShouldBe(index.SearchExact(query, exact));
        found.ShouldBe(exact);
        for (var item = 1UL; item <= 350; item++) index.Remove(item);
        index.IsApproximate.ShouldBeFalse();
        index.SearchGraph(query, found, 0).ShouldBe(0);
        foreach (var vector in Clustered(400, 11)) index.Set(++key, vector);
        index.IsApproximate.ShouldBeTrue();
        Recall(index, 12, 50).ShouldBeGreaterThan(0.97);
    }

    [Fact]
    public void Items_of_equal_vectors_are_found_and_hide_nobody()
    {
        var index = Graph();
        var key = 0UL;
        var twin = Clustered(1, 13).Single();
        foreach (var vector in Clustered(1500, 14))
        {
            index.Set(++key, vector);
            if (key % 3 == 0) index.Set(10_000 + key, twin);
        }
        Recall(index, 15).ShouldBeGreaterThan(0.95);
        var found = new Candidate[Wanted];
        index.SearchGraph(twin, found, 0).ShouldBe(Wanted);
        found.ShouldAllBe(c => c.Item > 10_000);
    }

    [Fact]
    public void A_small_move_keeps_its_place_and_scores_as_it_is_now()
    {
        var index = new VectorIndex(new VectorIndexOptions(2, 100, 0, Hnsw, StillWithin: 0.1f));
        for (var i = 0; i < 50; i++) index.Set((ulong)i + 1, [MathF.Cos(i * 0.12f), MathF.Sin(i * 0.12f)]);
        var found = new Candidate[1];
        for (var turn = 0f; turn < 6; turn += 0.03f)
        {
            // Round the whole circle in small steps: it is found wherever it is.
            index.Set(1, [2 * MathF.Cos(turn), 2 * MathF.Sin(turn)]);
            index.SearchGraph([MathF.Cos(turn), MathF.Sin(turn)], found, 0).ShouldBe(1);
            found[0].Score.ShouldBe(1, 1e-5f);
        }
        index.SearchExact([MathF.Cos(5.99f), MathF.Sin(5.99f)], found);
        found[0].Item.ShouldBe(1UL);
    }

    [Fact]
    public void A_vector_without_direction_is_refused()
    {
        var index = Graph(dim: 2);
        index.Set(1, [0, 0]).ShouldBeFalse();
        index.Set(1, [float.NaN, 1]).ShouldBeFalse();
        index.Count.ShouldBe(0);
        Should.Throw<ArgumentException>(() => index.Set(0, [1, 0]));
        Should.Throw<ArgumentException>(() => index.Set(1, [1]));
    }

    [Fact]
    public void A_corrupt_file_is_refused_and_changes_nothing()
    {
        var index = Graph(dim: 3);
        var key = 0UL;
        foreach (var vector in Clustered(30, 16, 3)) index.Set(++key, vector);
        index.Remove(7);
        var bytes = Saved(index);
        var other = Graph(dim: 3);
        other.Set(5, [1, 0, 0]);
        var before = Saved(other);
        for (var at = 0; at < bytes.Length; at += 3)
        {
            var broken = (byte[])bytes.Clone();
            broken[at] ^= 0x41;
            Should.Throw<InvalidDataException>(() => other.Load(new MemoryStream(broken)), $"byte {at}");
            Should.Throw<InvalidDataException>(() => other.Load(new MemoryStream(bytes[..at])), $"cut at {at}");
        }
        Saved(other).ShouldBe(before);
    }

    [Fact]
    public void A_search_allocates_nothing()
    {
        var index = Graph();
        var key = 0UL;
        foreach (var vector in Clustered(2000, 17)) index.Set(++key, vector);
        var (query, found) = (Clustered(1, 18).Single(), new Candidate[Wanted]);
        for (var i = 0; i < 10; i++) index.Search(query, found);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 500; i++) index.Search(query, found);
        (GC.GetAllocatedBytesForCurrentThread() - before).ShouldBe(0);
    }

    /// <summary>Version 1, packed by Python's struct and a bitwise CRC-32C: three items and a hole, linked by hand.</summary>
    [Fact]
    public void Version_1_stays_readable()
    {
        var golden = Convert.FromBase64String(
            "AQIAAAAEAAAACwAAAAAAAAAAAAAAAAAAACEAAAAAAAAALAAAAAAAAAAAAIA/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAwP8AAMD/AADA/wAAwP8AAMD/AADA/wAAwP8AAMD/AAAAAAAAgD8AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAACamRk/zcxMPwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAMAAAACAAAAAAAAAAMAAAABAAAAAQQAAAAAAAAAAAAAAM3MzDwAAAAAAgAAAAcAAAAAAAAABAAAAAMAAAAA/wABAQAAAAMAAAABAAAAAwAAAAIAAAACAAAAAAAAAAAAAADlYqwv");
        var index = new VectorIndex(new VectorIndexOptions(2, 100, 0, new HnswOptions(M: 2, Seed: 7)));
        index.Load(new MemoryStream(golden));
        Saved(index).ShouldBe(golden);
        index.ByTouch.ShouldBe([33UL, 11UL, 44UL]);
        var found = new Candidate[3];
        index.SearchGraph([1, 0], found, 0).ShouldBe(3);
        found.Select(c => c.Item).ShouldBe([11UL, 44UL, 33UL]);
    }
}
