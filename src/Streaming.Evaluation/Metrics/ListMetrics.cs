namespace Streaming.Evaluation.Metrics;

/// <summary>Metrics of what a recommender shows, beyond accuracy. Lists hold item indices 0..catalogue-1.</summary>
public static class ListMetrics
{
    /// <summary>Share of the catalogue that appears in at least one list.</summary>
    public static double Coverage(IEnumerable<IReadOnlyList<int>> lists, int catalogue)
    {
        var shown = new bool[catalogue];
        var distinct = 0;
        foreach (var list in lists)
        foreach (var item in list)
        {
            if (shown[item]) continue;
            shown[item] = true;
            distinct++;
        }
        return (double)distinct / catalogue;
    }

    /// <summary>
    /// Mean self-information of the items shown, -log2 of an item's share of all interactions (Zhou et al. 2010). An item without
    /// interactions counts as having had one.
    /// </summary>
    /// <param name="interactions">Interactions of each item.</param>
    public static double Novelty(IEnumerable<IReadOnlyList<int>> lists, ReadOnlySpan<long> interactions)
    {
        long total = 0;
        foreach (var n in interactions) total += Math.Max(1, n);
        double sum = 0;
        long shown = 0;
        foreach (var list in lists)
        foreach (var item in list)
        {
            sum -= Math.Log2(Math.Max(1, interactions[item]) / (double)total);
            shown++;
        }
        return sum / shown;
    }

    /// <summary>
    /// Intra-list diversity (Ziegler et al. 2005): mean of 1 - cosine over the unordered pairs of a list. 0 for fewer than two
    /// items; a zero vector is unlike everything.
    /// </summary>
    /// <param name="vectors">One vector per place, all of the same length.</param>
    public static double IntraListDiversity(IReadOnlyList<float[]> vectors)
    {
        if (vectors.Count < 2) return 0;
        double sum = 0;
        for (var i = 0; i < vectors.Count; i++)
        for (var j = i + 1; j < vectors.Count; j++)
            sum += 1 - Cosine(vectors[i], vectors[j]);
        return sum / (vectors.Count * (vectors.Count - 1) / 2.0);
    }

    /// <summary>Gini coefficient of non-negative counts (exposure of items): 0 all equal, towards 1 all on one. NaN when all are 0.</summary>
    public static double Gini(ReadOnlySpan<long> counts)
    {
        var sorted = counts.ToArray();
        Array.Sort(sorted);
        double weighted = 0, total = 0;
        for (var i = 0; i < sorted.Length; i++)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(sorted[i]);
            weighted += (2.0 * (i + 1) - sorted.Length - 1) * sorted[i];
            total += sorted[i];
        }
        return weighted / (sorted.Length * total);
    }

    private static double Cosine(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        BinaryMetrics.Same(a.Length, b.Length);
        double dot = 0, aa = 0, bb = 0;
        for (var i = 0; i < a.Length; i++)
        {
            dot += (double)a[i] * b[i];
            aa += (double)a[i] * a[i];
            bb += (double)b[i] * b[i];
        }
        return aa == 0 || bb == 0 ? 0 : dot / Math.Sqrt(aa * bb);
    }
}
