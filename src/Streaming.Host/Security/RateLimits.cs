using System.Net;
using System.Net.Sockets;
using System.Threading.RateLimiting;
using Streaming.Core.Settings;

namespace Streaming.Host.Security;

/// <summary>
/// Requests per second of an address and of a key, as token buckets. The partitions are bounded whoever knocks: addresses share
/// <see cref="AddressBuckets"/> buckets by hash, so that two of them may now and then share a limit, and keys have one each.
/// </summary>
internal sealed class RateLimits : IDisposable
{
    private const int AddressBuckets = 4096;

    private readonly PartitionedRateLimiter<int>? _addresses;
    private readonly PartitionedRateLimiter<int>? _keys;

    public RateLimits(SecuritySettings settings)
    {
        _addresses = Limiter(settings.RequestsPerSecondPerAddress);
        _keys = Limiter(settings.RequestsPerSecondPerKey);
    }

    /// <summary>False when the address has used up its share.</summary>
    public bool Admits(IPAddress? address) => _addresses is null || Take(_addresses, BucketOf(address));

    /// <summary>False when the key has used up its share.</summary>
    public bool Admits(ApiKey key) => _keys is null || Take(_keys, key.Index);

    public void Dispose()
    {
        _addresses?.Dispose();
        _keys?.Dispose();
    }

    /// <summary>Whoever has one IPv6 address has the 2^64 of its network.</summary>
    internal static int BucketOf(IPAddress? address)
    {
        Span<byte> bytes = stackalloc byte[16];
        bytes.Clear();
        if (address is null) return 0;
        if (address.IsIPv4MappedToIPv6) address = address.MapToIPv4();
        address.TryWriteBytes(bytes, out var length);
        if (address.AddressFamily == AddressFamily.InterNetworkV6) length = 8;
        var hash = new HashCode();
        hash.AddBytes(bytes[..length]);
        return (int)((uint)hash.ToHashCode() % AddressBuckets);
    }

    private static bool Take(PartitionedRateLimiter<int> limiter, int partition)
    {
        using var lease = limiter.AttemptAcquire(partition);
        return lease.IsAcquired;
    }

    private static PartitionedRateLimiter<int>? Limiter(int perSecond) => perSecond == 0
        ? null
        : PartitionedRateLimiter.Create<int, int>(partition => RateLimitPartition.GetTokenBucketLimiter(partition, _ => new TokenBucketRateLimiterOptions
        {
            // A fifth of a second's worth at a time, so that a limit of 10 is no burst of 10 and then silence.
            TokenLimit = 2 * perSecond, TokensPerPeriod = Math.Max(1, perSecond / 5), ReplenishmentPeriod = TimeSpan.FromSeconds(Math.Max(1, perSecond / 5) / (double)perSecond),
            QueueLimit = 0, AutoReplenishment = true,
        }));
}
