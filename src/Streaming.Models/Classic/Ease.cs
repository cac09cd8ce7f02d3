using Streaming.Models.Embeddings;
using Streaming.Models.LinearAlgebra;
using Streaming.Models.Offline;

namespace Streaming.Models.Classic;

/// <summary>
/// min over B with zero diagonal of |X - X B|^2 + lambda |B|^2, solved by P = (X'X + lambda I)^-1, B(i, j) = -P(i, j) / P(j, j) off
/// the diagonal; score(u, j) = sum over i in N(u) of B(i, j) (Steck 2019, "Embarrassingly Shallow Autoencoders for Sparse Data",
/// eq. 8). Takes O(items^3) time and 20 items^2 bytes.
/// Known number: lambda 1000, ML-1M leave-one-out with the NCF negatives HR@10 .7182, NDCG@10 .4511.
/// </summary>
public sealed class Ease : IRecommender
{
    /// <summary>8 GB at the most; the time grows with the cube.</summary>
    private const int ItemsMax = 20_000;

    private readonly double _lambda;
    private float[] _weights = [];
    private int _items;

    /// <param name="lambda">L2 penalty, in users.</param>
    public Ease(double lambda = 1000)
    {
        if (!(lambda > 0)) throw new ArgumentOutOfRangeException(nameof(lambda), lambda, "must be positive");
        _lambda = lambda;
    }

    public void Fit(Interactions train, long seed)
    {
        var n = train.ItemCount;
        if (n > ItemsMax) throw new ArgumentException($"EASE inverts items x items: {n} items are more than {ItemsMax}", nameof(train));
        var gram = Gram(SparseMatrix.UserItems(train));
        for (var i = 0; i < n; i++) gram[i * n + i] += _lambda;
        var inverse = Cholesky.Inverse<double>(gram, n);
        var weights = new float[n * n];
        for (var i = 0; i < n; i++)
        for (var j = 0; j < n; j++)
            weights[i * n + j] = i == j ? 0 : (float)(-inverse[i * n + j] / inverse[j * n + j]);
        (_weights, _items) = (weights, n);
    }

    public void Score(int user, ReadOnlySpan<int> history, Span<float> scores)
    {
        scores.Clear();
        foreach (var item in SparseMatrix.Distinct(history)) VectorMath.AddScaled(scores, 1f, _weights.AsSpan(item * _items, _items));
    }

    /// <summary>X'X, lower triangle: in how many histories two items stand together.</summary>
    private static double[] Gram(SparseMatrix users)
    {
        var n = users.ColumnCount;
        var gram = new double[n * n];
        for (var user = 0; user < users.RowCount; user++)
        {
            var row = users.Row(user);
            for (var a = 0; a < row.Length; a++)
            {
                var line = gram.AsSpan(row[a] * n, n);
                for (var b = 0; b <= a; b++) line[row[b]]++;
            }
        }
        return gram;
    }
}
