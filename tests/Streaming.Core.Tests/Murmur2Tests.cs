using System.Text;
using Streaming.Core.Ids;

namespace Streaming.Core.Tests;

public sealed class Murmur2Tests
{
    /// <summary>The vectors of Kafka's own test: org.apache.kafka.common.utils.UtilsTest.testMurmur2.</summary>
    [Theory]
    [InlineData("21", -973932308)]
    [InlineData("foobar", -790332482)]
    [InlineData("a-little-bit-long-string", -985981536)]
    [InlineData("a-little-bit-longer-string", -1486304829)]
    [InlineData("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971)]
    [InlineData("abc", 479470107)]
    public void It_equals_kafkas_own_vectors(string key, int expected) => Murmur2.Hash(Encoding.UTF8.GetBytes(key)).ShouldBe(expected);

    [Fact]
    public void A_negative_hash_makes_a_valid_partition()
    {
        // toPositive clears the sign bit; it is not the absolute value.
        Murmur2.PartitionOf("21"u8, 1000).ShouldBe((-973932308 & 0x7fffffff) % 1000);
        for (var partitions = 1; partitions < 50; partitions++) Murmur2.PartitionOf("foobar"u8, partitions).ShouldBeInRange(0, partitions - 1);
    }

    [Fact]
    public void Every_length_of_tail_counts()
    {
        var hashes = Enumerable.Range(0, 9).Select(length => Murmur2.Hash("abcdefghi"u8[..length])).ToArray();
        hashes.Distinct().Count().ShouldBe(hashes.Length);
    }
}
