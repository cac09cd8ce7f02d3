using System.Numerics;
using System.Runtime.InteropServices;

namespace Streaming.Core.Wire;

/// <summary>
/// CRC-32C (Castagnoli, RFC 3720 B.4), hardware-assisted where the processor has the instruction and bit-equal where not.
/// The check value of "123456789" is 0xE3069283.
/// </summary>
public static class Crc32C
{
    public const uint Seed = 0xFFFFFFFF;

    /// <summary>The checksum of one span.</summary>
    public static uint Of(ReadOnlySpan<byte> bytes) => ~Append(Seed, bytes);

    /// <summary>Continues a running state, started at <see cref="Seed"/>; the checksum is its complement.</summary>
    public static uint Append(uint state, ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length >= 8)
        {
            state = BitOperations.Crc32C(state, MemoryMarshal.Read<ulong>(bytes));
            bytes = bytes[8..];
        }
        foreach (var b in bytes) state = BitOperations.Crc32C(state, b);
        return state;
    }
}
