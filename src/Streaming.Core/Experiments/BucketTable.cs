using System.IO.Compression;

namespace Streaming.Core.Experiments;

/// <summary>Who has which bucket of a layer (or, for domains, of all users). Immutable by convention: nobody writes the array.</summary>
/// <param name="Owners">Names, <c>experiment:arm</c> or a domain's; owner i is i + 1 in <paramref name="Buckets"/>. At most <see cref="OwnersMax"/>.</param>
/// <param name="Buckets">Bucket to owner; 0 is nobody's.</param>
public sealed record BucketTable(IReadOnlyList<string> Owners, byte[] Buckets)
{
    public const int OwnersMax = 254;
    public const int BucketsMax = 10_000;

    /// <summary>Buckets of one owner.</summary>
    public int CountOf(string owner)
    {
        for (var i = 0; i < Owners.Count; i++)
            if (Owners[i] == owner) return Buckets.AsSpan().Count((byte)(i + 1));
        return 0;
    }

    /// <summary>The buckets as text: deflated, in base64. Scattered as they are, 10,000 take a few KB.</summary>
    public string Pack()
    {
        using var packed = new MemoryStream();
        using (var deflate = new DeflateStream(packed, CompressionLevel.SmallestSize, leaveOpen: true)) deflate.Write(Buckets);
        return Convert.ToBase64String(packed.GetBuffer(), 0, (int)packed.Length);
    }

    /// <exception cref="FormatException">Not what <see cref="Pack"/> made, or a bucket's owner is not there.</exception>
    public static BucketTable Unpack(IReadOnlyList<string> owners, string packed)
    {
        var buckets = new byte[BucketsMax];
        int count;
        try
        {
            using var deflate = new DeflateStream(new MemoryStream(Convert.FromBase64String(packed)), CompressionMode.Decompress);
            count = deflate.ReadAtLeast(buckets, buckets.Length, throwOnEndOfStream: false);
            if (deflate.ReadByte() >= 0) throw new FormatException($"a table has more than {BucketsMax} buckets");
        }
        catch (InvalidDataException damage)
        {
            throw new FormatException($"a table of buckets is damaged: {damage.Message}", damage);
        }
        foreach (var owner in buckets.AsSpan(0, count))
            if (owner > owners.Count) throw new FormatException($"a bucket belongs to owner {owner}; there are {owners.Count}");
        return new BucketTable(owners, buckets[..count]);
    }
}
