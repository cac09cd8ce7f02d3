using System.Numerics;

namespace Streaming.Models.LinearAlgebra;

/// <summary>
/// Symmetric positive definite systems by A = L L' (Golub and Van Loan, "Matrix Computations", 4.2), blocked for the cache.
/// Matrices are dense, row-major, shape [n, n]; of A only the lower triangle is read. The same input gives the same bits, also
/// where blocks run on several threads.
/// </summary>
public static class Cholesky
{
    private const int Block = 64;

    /// <summary>A smaller matrix is done before the threads have started.</summary>
    private const int ParallelFrom = 512;

    /// <summary>Replaces the lower triangle of A by L. What stands above the diagonal is not touched.</summary>
    /// <exception cref="ArgumentException">The length is not n squared, or A is not positive definite (the message gives the pivot).</exception>
    public static void Factor<T>(Memory<T> matrix, int n) where T : unmanaged, IFloatingPointIeee754<T>
    {
        CheckSize(matrix.Length, n);
        // A small matrix lives in the cache: there the narrower block leaves less to the plain loops of its diagonal.
        var step = n >= ParallelFrom ? Block : Block / 2;
        var panel = new T[step * Math.Max(0, n - step)];
        for (var k = 0; k < n; k += step)
        {
            var size = Math.Min(step, n - k);
            var (next, from) = (k + size, k);
            FactorDiagonal(matrix.Span, n, k, size);
            if (next == n) break;
            var width = n - next;
            ForBlocks(next, n, n >= ParallelFrom, (first, last) => SolvePanel(matrix.Span, n, from, size, first, last, panel, width));
            ForBlocks(next, n, n >= ParallelFrom, (first, last) =>
            {
                var a = matrix.Span;
                Blocked.SubtractProduct(a[(first * n + next)..], n, a[(first * n + from)..], n, panel, width, last - first, size, last - next);
            });
        }
    }

    /// <summary>Solves L L' x = b in place.</summary>
    /// <param name="factor">As <see cref="Factor"/> left it.</param>
    /// <param name="n">Rows.</param>
    /// <param name="b">Shape [n]; becomes x.</param>
    public static void Solve<T>(ReadOnlySpan<T> factor, int n, Span<T> b) where T : unmanaged, IFloatingPointIeee754<T>
    {
        CheckSize(factor.Length, n);
        if (b.Length != n) throw new ArgumentException($"a right side of {b.Length} for {n} rows");
        for (var i = 0; i < n; i++)
        {
            var row = factor.Slice(i * n, i);
            var sum = b[i];
            for (var j = 0; j < row.Length; j++) sum -= row[j] * b[j];
            b[i] = sum / factor[i * n + i];
        }
        for (var i = n - 1; i >= 0; i--)
        {
            var x = b[i] /= factor[i * n + i];
            var row = factor.Slice(i * n, i);
            for (var j = 0; j < row.Length; j++) b[j] -= row[j] * x;
        }
    }

    /// <summary>
    /// The inverse of A, whole (both triangles), in n^3 multiplications and additions: L Y = I, then L' Z = Y, of which the lower
    /// triangles suffice. A is used up: it holds L afterwards.
    /// </summary>
    /// <exception cref="ArgumentException">As for <see cref="Factor"/>.</exception>
    public static T[] Inverse<T>(Memory<T> matrix, int n) where T : unmanaged, IFloatingPointIeee754<T>
    {
        Factor(matrix, n);
        var inverse = new T[n * n];
        for (var k = 0; k < n; k += Block) ForwardBlock(matrix, inverse, n, k, Math.Min(Block, n - k));
        for (var k = (n - 1) / Block * Block; k >= 0; k -= Block) BackwardBlock(matrix, inverse, n, k, Math.Min(Block, n - k));
        for (var i = 0; i < n; i++)
        for (var j = 0; j < i; j++)
            inverse[j * n + i] = inverse[i * n + j];
        return inverse;
    }

    private static void FactorDiagonal<T>(Span<T> a, int n, int k, int size) where T : unmanaged, IFloatingPointIeee754<T>
    {
        for (var i = k; i < k + size; i++)
        {
            for (var j = k; j <= i; j++)
            {
                var sum = a[i * n + j];
                var left = a.Slice(i * n + k, j - k);
                var right = a.Slice(j * n + k, j - k);
                for (var m = 0; m < left.Length; m++) sum -= left[m] * right[m];
                if (i != j) a[i * n + j] = sum / a[j * n + j];
                else if (sum > T.Zero) a[i * n + i] = T.Sqrt(sum);
                else throw new ArgumentException($"the matrix is not positive definite: pivot {i} is {sum}");
            }
        }
    }

    /// <summary>Rows first..last-1 of L in the block column from k; a transposed copy goes into the panel, shape [size, width].</summary>
    private static void SolvePanel<T>(Span<T> a, int n, int k, int size, int first, int last, Span<T> panel, int width)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        // The right-looking order: each solved column is taken out of those after it, row by row of the panel, which runs along memory.
        var offset = first - (n - width);
        var count = last - first;
        for (var j = 0; j < size; j++)
        for (var i = 0; i < count; i++)
            panel[j * width + offset + i] = a[(first + i) * n + k + j];
        for (var j = 0; j < size; j++)
        {
            var solved = panel.Slice(j * width + offset, count);
            var pivot = a[(k + j) * n + k + j];
            for (var i = 0; i < count; i++) solved[i] /= pivot;
            for (var m = j + 1; m < size; m++) SubtractScaled(panel.Slice(m * width + offset, count), a[(k + m) * n + k + j], solved);
        }
        for (var j = 0; j < size; j++)
        for (var i = 0; i < count; i++)
            a[(first + i) * n + k + j] = panel[j * width + offset + i];
    }

    /// <summary>Block row k of Y = L^-1, columns 0 to the diagonal.</summary>
    private static void ForwardBlock<T>(ReadOnlyMemory<T> factor, T[] y, int n, int k, int size) where T : unmanaged, IFloatingPointIeee754<T>
    {
        ForBlocks(0, k, n >= ParallelFrom, (first, last) =>
        {
            // Y is lower triangular: below column "first" its rows above "first" are zero.
            Blocked.SubtractProduct(y.AsSpan(k * n + first), n, factor.Span[(k * n + first)..], n, y.AsSpan(first * n + first), n, size, k - first, last - first);
        });
        for (var r = k; r < k + size; r++) y[r * n + r] = T.One;
        for (var r = k; r < k + size; r++)
        {
            var row = y.AsSpan(r * n, r + 1);
            var l = factor.Span.Slice(r * n, n);
            for (var s = k; s < r; s++) SubtractScaled(row[..(s + 1)], l[s], y.AsSpan(s * n, s + 1));
            for (var j = 0; j < row.Length; j++) row[j] /= l[r];
        }
    }

    /// <summary>Block row k of Z with L' Z = Y, columns 0 to the block's end, over Y's.</summary>
    private static void BackwardBlock<T>(ReadOnlyMemory<T> factor, T[] z, int n, int k, int size) where T : unmanaged, IFloatingPointIeee754<T>
    {
        var (below, columns) = (n - k - size, k + size);
        var transposed = new T[size * below];
        for (var j = 0; j < below; j++)
        {
            var row = factor.Span.Slice((columns + j) * n + k, size);
            for (var i = 0; i < size; i++) transposed[i * below + j] = row[i];
        }
        ForBlocks(0, columns, n >= ParallelFrom, (first, last) =>
        {
            if (below > 0)
                Blocked.SubtractProduct(z.AsSpan(k * n + first), n, transposed, below, z.AsSpan(columns * n + first), n, size, below, last - first);
            var l = factor.Span;
            for (var r = columns - 1; r >= k; r--)
            {
                var row = z.AsSpan(r * n + first, last - first);
                for (var s = r + 1; s < columns; s++) SubtractScaled(row, l[s * n + r], z.AsSpan(s * n + first, last - first));
                var pivot = l[r * n + r];
                for (var j = 0; j < row.Length; j++) row[j] /= pivot;
            }
        });
    }

    private static void SubtractScaled<T>(Span<T> target, T factor, ReadOnlySpan<T> source) where T : unmanaged, INumber<T>
    {
        var lanes = new Vector<T>(factor);
        var i = 0;
        for (; i + Vector<T>.Count <= target.Length; i += Vector<T>.Count)
            (new Vector<T>(target[i..]) - lanes * new Vector<T>(source[i..])).CopyTo(target[i..]);
        for (; i < target.Length; i++) target[i] -= factor * source[i];
    }

    /// <summary>Runs over first..last in blocks that do not depend on the number of threads.</summary>
    private static void ForBlocks(int first, int last, bool parallel, Action<int, int> body)
    {
        var blocks = (last - first + Block - 1) / Block;
        void Run(int b) => body(first + b * Block, Math.Min(last, first + (b + 1) * Block));
        if (parallel) Parallel.For(0, blocks, Run);
        else
            for (var b = 0; b < blocks; b++) Run(b);
    }

    private static void CheckSize(int length, int n)
    {
        if ((long)n * n != length) throw new ArgumentException($"{length} elements are not a matrix of {n} x {n}");
    }
}
