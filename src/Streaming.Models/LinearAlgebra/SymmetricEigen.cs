namespace Streaming.Models.LinearAlgebra;

/// <summary>
/// Eigenvalues and vectors of a small symmetric matrix by cyclic Jacobi rotations (Golub and Van Loan, "Matrix Computations", 8.5):
/// a few hundred rows at most.
/// </summary>
public static class SymmetricEigen
{
    private const int SweepsMax = 60;

    /// <summary>A = V diag(values) V', values falling.</summary>
    /// <param name="matrix">Shape [n, n], symmetric; left as it is.</param>
    /// <param name="n">Rows.</param>
    /// <returns>Values [n] and vectors [n, n], one eigenvector a column.</returns>
    public static (double[] Values, double[] Vectors) Decompose(ReadOnlySpan<double> matrix, int n)
    {
        var a = matrix.ToArray();
        var v = new double[n * n];
        double norm = 0;
        foreach (var x in a) norm += x * x;
        for (var i = 0; i < n; i++) v[i * n + i] = 1;
        for (var sweep = 0; sweep < SweepsMax && OffDiagonal(a, n) > 1e-28 * norm; sweep++)
        for (var p = 0; p < n; p++)
        for (var q = p + 1; q < n; q++)
            Rotate(a, v, n, p, q);
        var order = Enumerable.Range(0, n).OrderByDescending(i => a[i * n + i]).ToArray();
        var values = Array.ConvertAll(order, i => a[i * n + i]);
        var vectors = new double[n * n];
        for (var row = 0; row < n; row++)
        for (var column = 0; column < n; column++)
            vectors[row * n + column] = v[row * n + order[column]];
        return (values, vectors);
    }

    private static double OffDiagonal(double[] a, int n)
    {
        double sum = 0;
        for (var i = 0; i < n; i++)
        for (var j = 0; j < i; j++)
            sum += 2 * a[i * n + j] * a[i * n + j];
        return sum;
    }

    /// <summary>One rotation that makes a[p, q] zero.</summary>
    private static void Rotate(double[] a, double[] v, int n, int p, int q)
    {
        var apq = a[p * n + q];
        if (apq == 0) return;
        var theta = (a[q * n + q] - a[p * n + p]) / (2 * apq);
        var t = (theta >= 0 ? 1 : -1) / (Math.Abs(theta) + Math.Sqrt(theta * theta + 1));
        var c = 1 / Math.Sqrt(t * t + 1);
        var s = t * c;
        for (var k = 0; k < n; k++)
        {
            var (x, y) = (a[k * n + p], a[k * n + q]);
            (a[k * n + p], a[k * n + q]) = (c * x - s * y, s * x + c * y);
        }
        for (var k = 0; k < n; k++)
        {
            var (x, y) = (a[p * n + k], a[q * n + k]);
            (a[p * n + k], a[q * n + k]) = (c * x - s * y, s * x + c * y);
            (x, y) = (v[k * n + p], v[k * n + q]);
            (v[k * n + p], v[k * n + q]) = (c * x - s * y, s * x + c * y);
        }
    }
}
