namespace Streaming.Models.Embeddings;

/// <summary>
/// FTRL-proximal on the rows that a batch names (McMahan et al. 2013, algorithm 1), each column a coordinate: sigma = (sqrt(n + g^2) - sqrt(n)) / alpha,
/// z += g - sigma w, n += g^2, then w = 0 where |z| &lt;= l1 and -(z - sign(z) l1) / ((beta + sqrt(n)) / alpha + l2) elsewhere. The state of a
/// row is z [dim] and n [dim]; rows must start at 0.
/// </summary>
public sealed class RowFtrl(float alpha, float beta = 1f, float l1 = 0f, float l2 = 0f) : IRowOptimizer
{
    public int StateSize(int dim) => 2 * dim;

    public void Step(Span<float> row, ReadOnlySpan<float> gradient, Span<float> state)
    {
        var zs = state[..row.Length];
        var ns = state[row.Length..];
        for (var i = 0; i < row.Length; i++)
        {
            var g2 = gradient[i] * gradient[i];
            var n = ns[i] + g2;
            // sqrt(n + g^2) - sqrt(n), without cancellation when g is small beside n.
            var sigma = g2 > 0 ? g2 / (MathF.Sqrt(n) + MathF.Sqrt(ns[i])) / alpha : 0f;
            var z = zs[i] + gradient[i] - sigma * row[i];
            (zs[i], ns[i]) = (z, n);
            row[i] = MathF.Abs(z) <= l1 ? 0f : (MathF.CopySign(l1, z) - z) / ((beta + MathF.Sqrt(n)) / alpha + l2);
        }
    }
}
