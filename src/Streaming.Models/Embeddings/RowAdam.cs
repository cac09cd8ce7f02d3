using Streaming.Models.Optimizers;

namespace Streaming.Models.Embeddings;

/// <summary>
/// Adam (Kingma and Ba 2015) on the rows that a batch names: m = b1 m + (1 - b1) g, v = b2 v + (1 - b2) g^2,
/// w -= rate sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + eps), in the form of torch.optim.SparseAdam. A row that is not named
/// keeps its moments, as there. The state of a row is m [dim], v [dim] and the number of its own steps.
/// </summary>
/// <remarks>
/// t is the row's own number of steps, so that the first step of a row that comes late is as long as that of one that came at once:
/// tables grow for ever. SparseAdam counts the steps of the whole table, whose correction is long over by then, so that a late row starts
/// with steps about (1 - b1) / sqrt(1 - b2) times as long; <see cref="Step(Span{float}, ReadOnlySpan{float}, Span{float}, long)"/> does as it does.
/// Rows that every batch names are the same either way.
/// </remarks>
public sealed class RowAdam : IRowOptimizer
{
    /// <summary>From here on the corrections are 1 in float, for any sensible b2.</summary>
    private const int CorrectedMax = 1 << 14;

    private readonly float _beta1, _beta2, _epsilon;

    /// <summary>The step size at t = index + 1.</summary>
    private readonly float[] _rates = new float[CorrectedMax];

    public RowAdam(float rate, float beta1 = 0.9f, float beta2 = 0.999f, float epsilon = 1e-8f)
    {
        (_beta1, _beta2, _epsilon) = (beta1, beta2, epsilon);
        for (var t = 1; t <= CorrectedMax; t++)
            _rates[t - 1] = (float)(rate * Math.Sqrt(1 - Math.Pow(beta2, t)) / (1 - Math.Pow(beta1, t)));
    }

    public int StateSize(int dim) => 2 * dim + 1;

    public void Step(Span<float> row, ReadOnlySpan<float> gradient, Span<float> state)
    {
        ref var steps = ref state[2 * row.Length];
        if (steps < CorrectedMax) steps++;
        Step(row, gradient, state, (long)steps);
    }

    /// <summary>The same with t given, from 1: with the number of the batch it is SparseAdam. The row's own count stays.</summary>
    public void Step(Span<float> row, ReadOnlySpan<float> gradient, Span<float> state, long t)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(t, 1);
        AdamMath.Step(row, gradient, state[..row.Length], state.Slice(row.Length, row.Length), _rates[Math.Min(t, CorrectedMax) - 1], _beta1, _beta2, _epsilon);
    }
}
