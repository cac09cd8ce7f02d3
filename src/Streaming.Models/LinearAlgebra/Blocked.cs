using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Streaming.Models.LinearAlgebra;

/// <summary>
/// The one inner loop of the dense algebra here: a register-blocked matrix product over row-major blocks. Every element of the
/// result sums its products in the order of the inner index and without fused operations, so a result is bit-equal whatever the
/// processor's width and however the caller splits rows and columns over threads.
/// </summary>
internal static class Blocked
{
    /// <summary>Rows of C that one pass of the inner loop holds in registers.</summary>
    private const int Rows = 4;

    /// <summary>Inner indices per packed strip: 256 of 64 bytes stay in the first-level cache.</summary>
    private const int Depth = 256;

    /// <summary>C -= A B.</summary>
    /// <param name="c">Shape [rows, cols], rows <paramref name="ldc"/> apart.</param>
    /// <param name="ldc">Elements between the starts of two rows of C.</param>
    /// <param name="a">Shape [rows, inner], rows <paramref name="lda"/> apart.</param>
    /// <param name="lda">Elements between the starts of two rows of A.</param>
    /// <param name="b">Shape [inner, cols], rows <paramref name="ldb"/> apart.</param>
    /// <param name="ldb">Elements between the starts of two rows of B.</param>
    /// <param name="rows">Rows of C.</param>
    /// <param name="inner">Columns of A.</param>
    /// <param name="cols">Columns of C.</param>
    public static void SubtractProduct<T>(Span<T> c, int ldc, ReadOnlySpan<T> a, int lda, ReadOnlySpan<T> b, int ldb, int rows, int inner,
        int cols) where T : unmanaged, INumber<T>
    {
        if (rows == 0 || inner == 0 || cols == 0) return;
        Check(c.Length, ldc, rows, cols);
        Check(a.Length, lda, rows, inner);
        Check(b.Length, ldb, inner, cols);
        var strip = 2 * Vector256<T>.Count;
        Span<T> packed = stackalloc T[Depth * strip];
        ref var c0 = ref MemoryMarshal.GetReference(c);
        ref var a0 = ref MemoryMarshal.GetReference(a);
        ref var b0 = ref MemoryMarshal.GetReference(b);
        ref var p0 = ref MemoryMarshal.GetReference(packed);
        for (var from = 0; from < inner; from += Depth)
        {
            var depth = Math.Min(Depth, inner - from);
            for (var col = 0; col < cols; col += strip)
            {
                var width = Math.Min(strip, cols - col);
                var row = 0;
                if (width == strip)
                {
                    Pack(ref Unsafe.Add(ref b0, from * ldb + col), ldb, ref p0, depth);
                    for (; row + Rows <= rows; row += Rows)
                        Tile(ref Unsafe.Add(ref c0, row * ldc + col), ldc, ref Unsafe.Add(ref a0, row * lda + from), lda, ref p0, depth);
                }
                else
                    for (var k = 0; k < depth; k++) b.Slice((from + k) * ldb + col, width).CopyTo(packed[(k * strip)..]);
                for (; row < rows; row++)
                    Edge(c.Slice(row * ldc + col, width), a.Slice(row * lda + from, depth), packed, strip);
            }
        }
    }

    /// <summary>Copies a strip of B, so that the tile reads it without strides.</summary>
    private static void Pack<T>(ref T b, int ldb, ref T packed, int depth) where T : unmanaged
    {
        var n = Vector256<T>.Count;
        for (var k = 0; k < depth; k++)
        {
            Vector256.LoadUnsafe(ref Unsafe.Add(ref b, k * ldb)).StoreUnsafe(ref Unsafe.Add(ref packed, 2 * n * k));
            Vector256.LoadUnsafe(ref Unsafe.Add(ref b, k * ldb + n)).StoreUnsafe(ref Unsafe.Add(ref packed, 2 * n * k + n));
        }
    }

    /// <summary>Four rows by one strip, all sums in registers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile<T>(ref T c, int ldc, ref T a, int lda, ref T packed, int depth) where T : unmanaged, INumber<T>
    {
        var n = Vector256<T>.Count;
        var c00 = Vector256.LoadUnsafe(ref c);
        var c01 = Vector256.LoadUnsafe(ref Unsafe.Add(ref c, n));
        var c10 = Vector256.LoadUnsafe(ref Unsafe.Add(ref c, ldc));
        var c11 = Vector256.LoadUnsafe(ref Unsafe.Add(ref c, ldc + n));
        var c20 = Vector256.LoadUnsafe(ref Unsafe.Add(ref c, 2 * ldc));
        var c21 = Vector256.LoadUnsafe(ref Unsafe.Add(ref c, 2 * ldc + n));
        var c30 = Vector256.LoadUnsafe(ref Unsafe.Add(ref c, 3 * ldc));
        var c31 = Vector256.LoadUnsafe(ref Unsafe.Add(ref c, 3 * ldc + n));
        for (var k = 0; k < depth; k++)
        {
            var b0 = Vector256.LoadUnsafe(ref Unsafe.Add(ref packed, 2 * n * k));
            var b1 = Vector256.LoadUnsafe(ref Unsafe.Add(ref packed, 2 * n * k + n));
            var a0 = Vector256.Create(Unsafe.Add(ref a, k));
            var a1 = Vector256.Create(Unsafe.Add(ref a, lda + k));
            var a2 = Vector256.Create(Unsafe.Add(ref a, 2 * lda + k));
            var a3 = Vector256.Create(Unsafe.Add(ref a, 3 * lda + k));
            c00 -= a0 * b0;
            c01 -= a0 * b1;
            c10 -= a1 * b0;
            c11 -= a1 * b1;
            c20 -= a2 * b0;
            c21 -= a2 * b1;
            c30 -= a3 * b0;
            c31 -= a3 * b1;
        }
        c00.StoreUnsafe(ref c);
        c01.StoreUnsafe(ref Unsafe.Add(ref c, n));
        c10.StoreUnsafe(ref Unsafe.Add(ref c, ldc));
        c11.StoreUnsafe(ref Unsafe.Add(ref c, ldc + n));
        c20.StoreUnsafe(ref Unsafe.Add(ref c, 2 * ldc));
        c21.StoreUnsafe(ref Unsafe.Add(ref c, 2 * ldc + n));
        c30.StoreUnsafe(ref Unsafe.Add(ref c, 3 * ldc));
        c31.StoreUnsafe(ref Unsafe.Add(ref c, 3 * ldc + n));
    }

    /// <summary>One row of a strip that is not whole.</summary>
    private static void Edge<T>(Span<T> c, ReadOnlySpan<T> a, ReadOnlySpan<T> packed, int strip) where T : unmanaged, INumber<T>
    {
        for (var k = 0; k < a.Length; k++)
        {
            var factor = a[k];
            var b = packed.Slice(k * strip, c.Length);
            for (var j = 0; j < c.Length; j++) c[j] -= factor * b[j];
        }
    }

    /// <summary>The tile reads without bounds checks, so a block that does not fit must be refused here.</summary>
    private static void Check(int length, int stride, int rows, int cols)
    {
        if (stride < cols || (long)(rows - 1) * stride + cols > length)
            throw new ArgumentException($"a block of {rows} x {cols} with stride {stride} does not fit into {length} elements");
    }
}
