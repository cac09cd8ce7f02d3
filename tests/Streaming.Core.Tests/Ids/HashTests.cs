using System.Text;
using Streaming.Core.Ids;

namespace Streaming.Core.Tests.Ids;

public sealed class StableHashTests
{
    /// <summary>Computed by a separate implementation (Python). Hashes are on disk: these numbers never change.</summary>
    [Theory]
    [InlineData("", 13331581593930102267UL)]
    [InlineData("a", 14158662131669457493UL)]
    [InlineData("user-1", 7305279834824330708UL)]
    [InlineData("12345678", 4003045212665474341UL)]
    [InlineData("123456789", 15679185132368504261UL)]
    [InlineData("汉字/😀", 6963051872101457681UL)]
    [InlineData("the quick brown fox jumps over the lazy dog", 14797380051854820659UL)]
    public void Hashes_are_fixed(string text, ulong expected)
    {
        StableHash.Of(text).ShouldBe(expected);
        StableHash.Of(Encoding.UTF8.GetBytes(text)).ShouldBe(expected);
    }

    [Fact]
    public void Long_texts_hash_as_their_bytes()
    {
        foreach (var length in new[] { 169, 170, 171, 511, 512, 513, 5000 })
        {
            var text = new string('é', length);
            StableHash.Of(text).ShouldBe(StableHash.Of(Encoding.UTF8.GetBytes(text)));
        }
    }

    [Fact]
    public void Combination_and_finaliser_are_fixed()
    {
        StableHash.Combine(1, 2).ShouldBe(6679451543617984354UL);
        StableHash.Combine(2, 1).ShouldBe(8981798664099287247UL);
        StableHash.Finalise(0).ShouldBe(0UL);
        StableHash.Finalise(1).ShouldBe(12994781566227106604UL);
        StableHash.Unit(ulong.MaxValue).ShouldBeLessThan(1);
        StableHash.Unit(0).ShouldBe(0);
        StableHash.Unit(1UL << 63).ShouldBe(0.5);
    }

    [Fact]
    public void Low_bits_and_units_are_uniform_over_ids_that_count_up()
    {
        const int n = 100_000, cells = 64;
        var low = new int[cells];
        var unit = new int[cells];
        var seen = new HashSet<ulong>();
        for (var i = 0; i < n; i++)
        {
            var hash = StableHash.Of($"user-{i}");
            seen.Add(hash).ShouldBeTrue();
            low[hash % cells]++;
            unit[(int)(StableHash.Unit(hash) * cells)]++;
        }
        // 63 degrees of freedom: 120 is far beyond the 99.99th percentile (about 113).
        ChiSquare(low).ShouldBeLessThan(120);
        ChiSquare(unit).ShouldBeLessThan(120);

        double ChiSquare(int[] counts) => counts.Sum(c => Math.Pow(c - (double)n / cells, 2) / ((double)n / cells));
    }
}
