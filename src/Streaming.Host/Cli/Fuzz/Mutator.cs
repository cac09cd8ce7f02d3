using System.Buffers.Binary;

namespace Streaming.Host.Cli.Fuzz;

/// <summary>
/// Makes inputs out of inputs: flips, boundary numbers, cuts, copies, splices and words. Seeded: the same seed and pool give the same
/// inputs, so a run can be done again.
/// </summary>
internal sealed class Mutator(long seed, IReadOnlyList<byte[]> words, int bytesMax)
{
    private static readonly byte[] Bytes = [0, 1, 9, 10, 13, 32, 34, 0x2c, 0x2d, 0x5c, 0x7b, 0x7d, 0x7f, 0x80, 0xbf, 0xc0, 0xed, 0xf4, 0xfe, 0xff];
    private static readonly long[] Numbers = [0, 1, -1, 127, 128, 255, 256, 65535, int.MaxValue, int.MinValue, uint.MaxValue, long.MaxValue, long.MinValue];
    private readonly Random _random = new((int)(seed ^ (seed >> 32)));

    public byte[] Next(IReadOnlyList<byte[]> pool)
    {
        var input = (byte[])pool[_random.Next(pool.Count)].Clone();
        // Few changes mostly: an input that is broken all over is refused at its first byte.
        for (var changes = 1 + _random.Next(_random.Next(4) == 0 ? 12 : 3); changes > 0; changes--) input = Change(input, pool);
        return input.Length <= bytesMax ? input : input[..bytesMax];
    }

    private byte[] Change(byte[] input, IReadOnlyList<byte[]> pool)
    {
        var at = input.Length == 0 ? 0 : _random.Next(input.Length);
        var length = input.Length == 0 ? 0 : 1 + _random.Next(Math.Min(input.Length - at, _random.Next(4) == 0 ? 512 : 16));
        switch (_random.Next(12))
        {
            case 0 when input.Length > 0:
                input[at] ^= (byte)(1 << _random.Next(8));
                return input;
            case 1 when input.Length > 0:
                input[at] = _random.Next(2) == 0 ? Bytes[_random.Next(Bytes.Length)] : (byte)_random.Next(256);
                return input;
            case 2: return Replace(input, at, 0, [Bytes[_random.Next(Bytes.Length)]]);
            case 3: return Replace(input, at, length, []);
            case 4: return input[..at];
            case 5: return Replace(input, at, 0, Repeated(input.AsSpan(at, length)));
            case 6: return Number(input, at);
            case 7 when words.Count > 0: return Replace(input, at, 0, words[_random.Next(words.Count)]);
            case 8 when words.Count > 0: return Replace(input, at, length, words[_random.Next(words.Count)]);
            case 9: return Splice(input, at, pool[_random.Next(pool.Count)]);
            case 10: return Replace(input, at, Digits(input, at), System.Text.Encoding.ASCII.GetBytes(Numbers[_random.Next(Numbers.Length)].ToString(System.Globalization.CultureInfo.InvariantCulture)));
            default:
                if (input.Length > 0) input[at]++;
                return input;
        }
    }

    /// <summary>A boundary number in binary, over what is there.</summary>
    private byte[] Number(byte[] input, int at)
    {
        Span<byte> number = stackalloc byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(number, Numbers[_random.Next(Numbers.Length)]);
        number = number[..Math.Min(1 << _random.Next(4), input.Length - at)];
        number.CopyTo(input.AsSpan(at));
        return input;
    }

    private byte[] Splice(byte[] input, int at, byte[] other)
    {
        if (other.Length == 0) return input;
        var from = _random.Next(other.Length);
        return [.. input.AsSpan(0, at), .. other.AsSpan(from, 1 + _random.Next(other.Length - from))];
    }

    private byte[] Repeated(ReadOnlySpan<byte> piece)
    {
        var times = _random.Next(8) == 0 ? _random.Next(1, 2000) : _random.Next(1, 4);
        var all = new byte[Math.Min(bytesMax, piece.Length * times)];
        for (var i = 0; i < all.Length; i++) all[i] = piece[i % piece.Length];
        return all;
    }

    private static int Digits(byte[] input, int at)
    {
        var end = at;
        while (end < input.Length && input[end] is >= (byte)'0' and <= (byte)'9') end++;
        return end - at;
    }

    private static byte[] Replace(byte[] input, int at, int length, ReadOnlySpan<byte> by) => [.. input.AsSpan(0, at), .. by, .. input.AsSpan(at + length)];
}
