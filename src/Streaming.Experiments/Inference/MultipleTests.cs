namespace Streaming.Experiments.Inference;

/// <summary>p-values adjusted for there being several, so that each can be read against the usual level. NaN stays NaN and does not count.</summary>
public static class MultipleTests
{
    /// <summary>Holm 1979: the chance of any false claim among all of them stays under the level, whatever their dependence. For what decides.</summary>
    public static double[] Holm(IReadOnlyList<double> values)
    {
        var (order, adjusted) = Ascending(values);
        var largest = 0.0;
        for (var rank = 0; rank < order.Length; rank++)
        {
            largest = Math.Max(largest, Math.Min(1, (order.Length - rank) * values[order[rank]]));
            adjusted[order[rank]] = largest;
        }
        return adjusted;
    }

    /// <summary>
    /// Benjamini and Hochberg 1995: of all claims made, the expected share of false ones stays under the level, for independent or positively
    /// dependent tests. For the many secondary metrics, where one wants leads rather than proof.
    /// </summary>
    public static double[] BenjaminiHochberg(IReadOnlyList<double> values)
    {
        var (order, adjusted) = Ascending(values);
        var least = 1.0;
        for (var rank = order.Length - 1; rank >= 0; rank--)
        {
            least = Math.Min(least, values[order[rank]] * order.Length / (rank + 1));
            adjusted[order[rank]] = least;
        }
        return adjusted;
    }

    private static (int[] Order, double[] Adjusted) Ascending(IReadOnlyList<double> values)
    {
        int[] order = [.. Enumerable.Range(0, values.Count).Where(i => !double.IsNaN(values[i])).OrderBy(i => values[i]).ThenBy(i => i)];
        var adjusted = new double[values.Count];
        Array.Fill(adjusted, double.NaN);
        return (order, adjusted);
    }
}
