namespace Streaming.Models.Embeddings;

/// <summary>
/// Adagrad with one accumulator per row (Naumov et al. 2019, DLRM; Duchi et al. 2011): G += mean(g^2), w -= rate g / sqrt(G).
/// A row costs one float of state instead of one per column.
/// </summary>
/// <param name="rate">Step size.</param>
/// <param name="initial">Added to G: damps the first steps of a new row.</param>
public readonly struct RowWiseAdagrad(float rate, float initial)
{
    /// <summary>
    /// One step along the gradient scale * direction + l2 * row, shape [dim] each. <paramref name="g2"/> is the row's G.
    /// </summary>
    public void Step(Span<float> row, ReadOnlySpan<float> direction, float scale, float l2, ref float g2)
    {
        var sum = 0f;
        for (var i = 0; i < row.Length; i++)
        {
            var g = scale * direction[i] + l2 * row[i];
            sum += g * g;
        }
        g2 += sum / row.Length;
        var step = rate / MathF.Sqrt(initial + g2);
        for (var i = 0; i < row.Length; i++) row[i] -= step * (scale * direction[i] + l2 * row[i]);
    }

    /// <summary>The same for one number.</summary>
    public void Step(ref float value, float gradient, ref float g2)
    {
        g2 += gradient * gradient;
        value -= rate / MathF.Sqrt(initial + g2) * gradient;
    }
}
