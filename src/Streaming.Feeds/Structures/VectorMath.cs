using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Streaming.Feeds.Structures;

/// <summary>
/// Dot products over rows padded with zeros to a multiple of 8 floats. The width is fixed at 256 bits, not the machine's widest,
/// so that sums are formed in the same order everywhere.
/// </summary>
internal static class VectorMath
{
    public const int Width = 8;

    public static int Stride(int dim) => (dim + Width - 1) / Width * Width;

    /// <summary>Both spans have the same length, a multiple of <see cref="Width"/>.</summary>
    public static float Dot(ReadOnlySpan<float> a, ReadOnlySpan<float> b) =>
        Dot(ref MemoryMarshal.GetReference(a), ref MemoryMarshal.GetReference(b[..a.Length]), a.Length);

    /// <summary>As the other, unchecked: for scans that have checked the whole range once.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Dot(ref float a, ref float b, int length)
    {
        var sum = Vector256.LoadUnsafe(ref a) * Vector256.LoadUnsafe(ref b);
        for (var d = Width; d < length; d += Width) sum += Vector256.LoadUnsafe(ref a, (nuint)d) * Vector256.LoadUnsafe(ref b, (nuint)d);
        return Vector256.Sum(sum);
    }

    /// <summary>Scales to length 1; false, and unchanged, when the length is 0 or not finite.</summary>
    public static bool Normalise(Span<float> row)
    {
        var norm = MathF.Sqrt(Dot(row, row));
        if (!(norm > 0) || !float.IsFinite(norm)) return false;
        for (var d = 0; d < row.Length; d++) row[d] /= norm;
        return true;
    }
}
