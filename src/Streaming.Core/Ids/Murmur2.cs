using System.Buffers.Binary;

namespace Streaming.Core.Ids;

/// <summary>
/// Murmur2 as Kafka's Java client computes it (org.apache.kafka.common.utils.Utils.murmur2), so that a keyed record lands on
/// the partition where any Kafka client with the default partitioner would put it.
/// </summary>
public static class Murmur2
{
    /// <summary>The 32-bit hash with Kafka's fixed seed.</summary>
    public static int Hash(ReadOnlySpan<byte> data)
    {
        const uint seed = 0x9747b28c;
        const uint m = 0x5bd1e995;
        const int r = 24;
        unchecked
        {
            var h = seed ^ (uint)data.Length;
            while (data.Length >= 4)
            {
                var k = BinaryPrimitives.ReadUInt32LittleEndian(data);
                k *= m;
                k ^= k >> r;
                k *= m;
                h *= m;
                h ^= k;
                data = data[4..];
            }
            if (data.Length == 3) h ^= (uint)data[2] << 16;
            if (data.Length >= 2) h ^= (uint)data[1] << 8;
            if (data.Length >= 1)
            {
                h ^= data[0];
                h *= m;
            }
            h ^= h >> 13;
            h *= m;
            h ^= h >> 15;
            return (int)h;
        }
    }

    /// <summary>Kafka's default partition of a key: toPositive(murmur2(key)) % partitions.</summary>
    public static int PartitionOf(ReadOnlySpan<byte> key, int partitions) => (Hash(key) & 0x7fffffff) % partitions;
}
