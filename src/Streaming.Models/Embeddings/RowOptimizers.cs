namespace Streaming.Models.Embeddings;

/// <summary>One optimiser step on one row of a table, whose state lies beside the row. Without state of its own.</summary>
public interface IRowOptimizer
{
    /// <summary>Floats of state that a row of so many columns needs: <see cref="EmbeddingTableOptions.StateSize"/>. All 0 at first.</summary>
    int StateSize(int dim);

    /// <summary>Moves the row against its gradient.</summary>
    /// <param name="row">Shape [dim].</param>
    /// <param name="gradient">Shape [dim], of the mini-batch's loss.</param>
    /// <param name="state">Shape [<see cref="StateSize"/>].</param>
    void Step(Span<float> row, ReadOnlySpan<float> gradient, Span<float> state);
}

/// <summary>Plain stochastic gradient descent: w -= rate g. As torch.optim.SGD without momentum.</summary>
public sealed class RowSgd(float rate) : IRowOptimizer
{
    public int StateSize(int dim) => 0;

    public void Step(Span<float> row, ReadOnlySpan<float> gradient, Span<float> state) => VectorMath.AddScaled(row, -rate, gradient);
}

/// <summary>Adagrad with one accumulator per row, <see cref="RowWiseAdagrad"/>: one float of state.</summary>
public sealed class RowAdagradByRow(float rate, float initial) : IRowOptimizer
{
    private readonly RowWiseAdagrad _step = new(rate, initial);

    public int StateSize(int dim) => 1;

    public void Step(Span<float> row, ReadOnlySpan<float> gradient, Span<float> state) => _step.Step(row, gradient, 1f, 0f, ref state[0]);
}

/// <summary>
/// Adagrad with one accumulator per column (Duchi et al. 2011): G += g^2, w -= rate g / (sqrt(G) + eps). As torch.optim.Adagrad: a row
/// whose gradient is 0 stands still there too, so rows that a batch does not name need no step.
/// </summary>
/// <param name="rate">Step size.</param>
/// <param name="initial">Added to G: initial_accumulator_value there.</param>
/// <param name="epsilon">Eps.</param>
public sealed class RowAdagrad(float rate, float initial = 0f, float epsilon = 1e-10f) : IRowOptimizer
{
    public int StateSize(int dim) => dim;

    public void Step(Span<float> row, ReadOnlySpan<float> gradient, Span<float> state)
    {
        for (var i = 0; i < row.Length; i++)
        {
            state[i] += gradient[i] * gradient[i];
            row[i] -= rate * gradient[i] / (MathF.Sqrt(initial + state[i]) + epsilon);
        }
    }
}
