using System.Buffers;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;

namespace Streaming.Core.Ids;

/// <summary>
/// The 64-bit hash by which items, users and features are keyed in memory and in everything persisted. It is FNV-1a over
/// 8-byte little-endian words with a Murmur3 finaliser per word: stable across processes, machines and versions, so it may be
/// written to disk. It is not a defence against chosen collisions; with 10 million keys the chance of any accidental
/// collision is about 3e-6.
/// </summary>
public static class StableHash
{
    private const ulong Offset = 0xcbf29ce484222325UL;
    private const ulong Prime = 0x100000001b3UL;

    /// <summary>Hash of the UTF-8 form of <paramref name="text"/>. Never 0, which means "no key" throughout.</summary>
    public static ulong Of(string text) => Of(text.AsSpan());

    /// <inheritdoc cref="Of(string)"/>
    [SkipLocalsInit]
    public static ulong Of(ReadOnlySpan<char> text)
    {
        var max = Encoding.UTF8.GetMaxByteCount(text.Length);
        if (max <= 512)
        {
            Span<byte> bytes = stackalloc byte[512];
            return Of(bytes[..Encoding.UTF8.GetBytes(text, bytes)]);
        }
        var rented = ArrayPool<byte>.Shared.Rent(max);
        var hash = Of(rented.AsSpan(0, Encoding.UTF8.GetBytes(text, rented)));
        ArrayPool<byte>.Shared.Return(rented);
        return hash;
    }

    /// <summary>Hash of raw bytes. Never 0.</summary>
    public static ulong Of(ReadOnlySpan<byte> bytes)
    {
        var hash = Offset ^ (ulong)bytes.Length;
        while (bytes.Length >= 8)
        {
            hash = (hash ^ Finalise(MemoryMarshal.Read<ulong>(bytes))) * Prime;
            bytes = bytes[8..];
        }
        ulong tail = 0;
        for (var i = 0; i < bytes.Length; i++) tail |= (ulong)bytes[i] << (8 * i);
        hash = Finalise((hash ^ Finalise(tail)) * Prime);
        return hash == 0 ? 1 : hash;
    }

    /// <summary>Order-dependent combination of two hashes: the key of a feature cross. Never 0.</summary>
    public static ulong Combine(ulong a, ulong b)
    {
        var hash = Finalise((a * 0x9E3779B97F4A7C15UL) ^ (b + 0xD6E8FEB86659FD93UL));
        return hash == 0 ? 1 : hash;
    }

    /// <summary>Murmur3's 64-bit finaliser: a bijection with full avalanche. Also the basis of seeded, order-free draws.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Finalise(ulong k)
    {
        k ^= k >> 33;
        k *= 0xff51afd7ed558ccdUL;
        k ^= k >> 33;
        k *= 0xc4ceb9fe1a85ec53UL;
        k ^= k >> 33;
        return k;
    }

    /// <summary>A uniform draw in [0, 1) from a hash: deterministic randomness that needs no shared generator.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static double Unit(ulong hash) => (hash >> 11) * (1.0 / (1UL << 53));
}
