using System.Numerics;
using System.Runtime.InteropServices;

namespace Streaming.Storage;

/// <summary>CRC-32C (Castagnoli, RFC 3720), by the processor's instruction where it has one.</summary>
internal static class Crc32C
{
    public const uint Seed = 0xFFFFFFFF;

    public static uint Of(ReadOnlySpan<byte> bytes) => ~Continue(Seed, bytes);

    /// <summary>Running form: start with <see cref="Seed"/>, invert the last value.</summary>
    public static uint Continue(uint crc, ReadOnlySpan<byte> bytes)
    {
        foreach (var word in MemoryMarshal.Cast<byte, ulong>(bytes)) crc = BitOperations.Crc32C(crc, word);
        foreach (var single in bytes[(bytes.Length & ~7)..]) crc = BitOperations.Crc32C(crc, single);
        return crc;
    }
}
