using Streaming.Core.Experiments;
using Streaming.Experiments.Splitting;

namespace Streaming.Experiments.Tests.Splitting;

public sealed class BucketAllocatorTests
{
    /// <summary>500 random changes of owners and counts: the wanted counts, exactly, with the fewest possible moves.</summary>
    [Fact]
    public void Any_change_moves_as_few_buckets_as_can_be()
    {
        var random = new Random(1);
        var table = BucketAllocator.Allocate(null, 1000, []);
        for (var change = 0; change < 500; change++)
        {
            var wanted = RandomOwners(random);
            var next = BucketAllocator.Allocate(table, 1000, wanted);
            foreach (var (owner, count) in wanted) next.CountOf(owner).ShouldBe(count);
            var names = table.Owners.Union(next.Owners).ToList();
            var surplus = names.Sum(o => Math.Max(0, table.CountOf(o) - next.CountOf(o)));
            var gaps = names.Sum(o => Math.Max(0, next.CountOf(o) - table.CountOf(o)));
            // Each changed bucket lowers one surplus or fills one gap or both, so no way of changing moves fewer.
            BucketAllocator.Moved(table, next).ShouldBe(Math.Max(surplus, gaps));
            table = next;
        }
    }

    [Fact]
    public void More_buckets_for_all_take_none_from_anybody()
    {
        var random = new Random(2);
        for (var trial = 0; trial < 50; trial++)
        {
            var weights = Enumerable.Range(0, random.Next(2, 8)).Select(_ => random.NextDouble() + .01).ToArray();
            var table = BucketAllocator.Allocate(null, 1000, []);
            for (var total = random.Next(20); total < 1000; total += random.Next(1, 200))
            {
                var counts = Apportionment.Webster(weights, total);
                counts.Sum().ShouldBe(total);
                var next = BucketAllocator.Allocate(table, 1000, [.. counts.Select((c, i) => ($"e:{i}", c))]);
                Enumerable.Range(0, 1000).Count(b => table.Buckets[b] != 0 && next.Buckets[b] != table.Buckets[b]).ShouldBe(0);
                table = next;
            }
        }
    }

    /// <summary>Sainte-Lague worked by hand; of the tie for the tenth of 6, 6 and 2 (6/9 and 2/3) the earlier wins.</summary>
    [Fact]
    public void Webster_as_worked_by_hand()
    {
        Apportionment.Webster([53, 24, 23], 7).ShouldBe([3, 2, 2]);
        Apportionment.Webster([6, 6, 2], 10).ShouldBe([5, 4, 1]);
        Apportionment.Webster([6, 6, 2], 12).ShouldBe([5, 5, 2]);
        Apportionment.Webster([1, 0, 1], 3).ShouldBe([2, 0, 1]);
        Apportionment.Webster([0, 0], 5).ShouldBe([0, 0]);
        Apportionment.Webster([1, 1], 1000).ShouldBe([500, 500]);
    }

    [Fact]
    public void Which_buckets_is_fixed_because_versions_of_the_log_rest_on_it()
    {
        var table = BucketAllocator.Allocate(null, 20, [("e:a", 3), ("e:b", 4)]);
        string.Concat(table.Buckets).ShouldBe(FixedTable);
    }

    // Read off the first build.
    private const string FixedTable = "20000100010210020002";

    [Fact]
    public void Those_of_an_experiment_before_are_spread_over_the_arms_of_the_next()
    {
        var first = BucketAllocator.Allocate(null, 10_000, [("old:a", 5000), ("old:b", 5000)]);
        var second = BucketAllocator.Allocate(first, 10_000, [("new:a", 5000), ("new:b", 5000)]);
        var both = Enumerable.Range(0, 10_000).Count(b => first.Buckets[b] == 1 && second.Buckets[b] == 1);
        // Hypergeometric: mean 2,500, standard deviation 25.
        both.ShouldBeInRange(2_375, 2_625);
    }

    [Fact]
    public void Nobody_is_given_more_than_there_is()
    {
        Should.Throw<ArgumentException>(() => BucketAllocator.Allocate(null, 10, [("a", 6), ("b", 5)])).Message.ShouldContain("11 of 10");
        Should.Throw<ArgumentException>(() => BucketAllocator.Allocate(null, 1000, [.. Enumerable.Range(0, 255).Select(i => ($"o{i}", 1))]));
    }

    private static List<(string Owner, int Count)> RandomOwners(Random random)
    {
        var left = 1000;
        var owners = new List<(string, int)>();
        foreach (var name in new[] { "a", "b", "c", "d", "e", "f" }.OrderBy(_ => random.Next()).Take(random.Next(7)))
        {
            var count = random.Next(0, left + 1) / (random.Next(3) + 1);
            owners.Add((name, count));
            left -= count;
        }
        return owners;
    }
}
