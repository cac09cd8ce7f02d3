using Streaming.Core.Ids;
using Streaming.Models.Embeddings;
using Streaming.Models.LinearAlgebra;
using Streaming.Models.Offline;

namespace Streaming.Models.Classic;

/// <summary>
/// score(u, j) = x_u Q Q' e_j, where X is users by items with 1 for a seen pair and 0 else, and Q holds the right singular vectors of
/// its largest singular values (Cremonesi et al. 2010, "Performance of Recommender Algorithms on Top-N Recommendation Tasks"). Q
/// comes from a randomised subspace iteration with oversampling and a Rayleigh-Ritz step (Halko et al. 2011, "Finding Structure
/// with Randomness", algorithm 4.4).
/// The paper counts recall on long-tail MovieLens of its own split; there is no number for the protocols here.
/// </summary>
public sealed class PureSvd : IRecommender
{
    private const int Oversampling = 16;

    private readonly int _dim, _iterations;
    private float[] _factors = [];
    private int _width, _items;

    /// <param name="dim">Singular vectors.</param>
    /// <param name="iterations">Products with X'X; the angle to the true subspace falls geometrically.</param>
    public PureSvd(int dim = 50, int iterations = 12)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(dim, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(iterations, 1);
        (_dim, _iterations) = (dim, iterations);
    }

    public void Fit(Interactions train, long seed)
    {
        var users = SparseMatrix.UserItems(train);
        var items = users.Transpose();
        var random = new Random(unchecked((int)StableHash.Finalise((ulong)seed)));
        var n = train.ItemCount;
        var columns = Math.Min(_dim + Oversampling, n);
        var q = new float[n * columns];
        for (var i = 0; i < q.Length; i++) q[i] = 2 * random.NextSingle() - 1;
        var (ritz, last) = (q, q);
        for (var iteration = 0; iteration <= _iterations; iteration++)
        {
            last = Orthonormal(ritz, n, columns);
            ritz = Multiply(items, Multiply(users, last, columns), columns);
        }
        // Ritz values: the eigenvalues of Q' X'X Q, whose vectors turn Q into singular vectors.
        var (_, vectors) = SymmetricEigen.Decompose(CrossProduct(last, ritz, n, columns), columns);
        _width = Math.Min(_dim, columns);
        _factors = new float[n * _width];
        for (var item = 0; item < n; item++)
        for (var k = 0; k < _width; k++)
        {
            double sum = 0;
            for (var c = 0; c < columns; c++) sum += last[item * columns + c] * vectors[c * columns + k];
            _factors[item * _width + k] = (float)sum;
        }
        _items = n;
    }

    public void Score(int user, ReadOnlySpan<int> history, Span<float> scores)
    {
        Span<float> folded = new float[_width];
        foreach (var item in SparseMatrix.Distinct(history)) VectorMath.AddScaled(folded, 1f, _factors.AsSpan(item * _width, _width));
        for (var item = 0; item < _items; item++) scores[item] = VectorMath.Dot(folded, _factors.AsSpan(item * _width, _width));
    }

    /// <summary>A sparse matrix of ones times a dense one, shape [columns of the sparse one, width].</summary>
    private static float[] Multiply(SparseMatrix matrix, float[] dense, int width)
    {
        var product = new float[matrix.RowCount * width];
        Parallel.For(0, matrix.RowCount, row =>
        {
            var into = product.AsSpan(row * width, width);
            foreach (var column in matrix.Row(row)) VectorMath.AddScaled(into, 1f, dense.AsSpan(column * width, width));
        });
        return product;
    }

    /// <summary>An orthonormal basis of the columns by modified Gram-Schmidt, run twice for its rounding; a column of nothing new becomes zero.</summary>
    private static float[] Orthonormal(float[] matrix, int rows, int columns)
    {
        var vectors = new float[columns][];
        for (var c = 0; c < columns; c++)
        {
            var v = vectors[c] = new float[rows];
            for (var row = 0; row < rows; row++) v[row] = matrix[row * columns + c];
            var before = VectorMath.Norm(v);
            for (var pass = 0; pass < 2; pass++)
                for (var other = 0; other < c; other++) VectorMath.AddScaled(v, -VectorMath.Dot(v, vectors[other]), vectors[other]);
            var norm = VectorMath.Norm(v);
            var scale = norm > 1e-5f * before ? 1 / norm : 0f;
            for (var row = 0; row < rows; row++) v[row] *= scale;
        }
        var basis = new float[rows * columns];
        for (var c = 0; c < columns; c++)
        for (var row = 0; row < rows; row++)
            basis[row * columns + c] = vectors[c][row];
        return basis;
    }

    /// <summary>A'B made symmetric, shape [columns, columns].</summary>
    private static double[] CrossProduct(float[] a, float[] b, int rows, int columns)
    {
        var product = new double[columns * columns];
        for (var row = 0; row < rows; row++)
        for (var i = 0; i < columns; i++)
        for (var j = 0; j < columns; j++)
            product[i * columns + j] += a[row * columns + i] * (double)b[row * columns + j];
        for (var i = 0; i < columns; i++)
        for (var j = 0; j < i; j++)
            product[i * columns + j] = product[j * columns + i] = (product[i * columns + j] + product[j * columns + i]) / 2;
        return product;
    }
}
