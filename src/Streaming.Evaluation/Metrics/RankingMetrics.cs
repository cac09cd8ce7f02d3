namespace Streaming.Evaluation.Metrics;

/// <summary>How a relevance grade counts in DCG.</summary>
public enum Gain
{
    /// <summary>The grade itself (Järvelin and Kekäläinen 2002); with 0/1 grades this is binary NDCG.</summary>
    Linear,
    /// <summary>2^grade - 1 (Burges et al. 2005).</summary>
    Exponential,
}

/// <summary>
/// Metrics of one ranked list, each in [0, 1]. For a list without relevant items all are NaN but <see cref="HitRate"/> and
/// <see cref="Precision"/>, which are 0.
/// </summary>
/// <param name="HitRate">HR@K: chance of a relevant item in the first K.</param>
/// <param name="Precision">Relevant items in the first K over K.</param>
/// <param name="Recall">Relevant items in the first K over all relevant ones.</param>
/// <param name="F1">Harmonic mean of precision and recall at K, 2 hits / (K + relevant).</param>
/// <param name="AveragePrecision">AP@K, normalised by min(K, relevant); its mean over users is MAP.</param>
/// <param name="ReciprocalRank">1 over the rank of the first relevant item, 0 beyond K; its mean is MRR.</param>
/// <param name="Ndcg">DCG@K over that of the best order, discount 1 / log2(rank + 1).</param>
public readonly record struct RankingScores(
    double HitRate, double Precision, double Recall, double F1, double AveragePrecision, double ReciprocalRank, double Ndcg);

/// <summary>
/// Top-K metrics from scores. Where scores tie, each metric is its exact expectation over a random order of the tied items, in
/// closed form (McSherry and Najork 2008, "Computing Information Retrieval Performance Measures Efficiently in the Presence of
/// Tied Scores"), so a constant scorer gets what a random one gets and never profits from the order of its input.
/// </summary>
public static class RankingMetrics
{
    /// <summary>Items tied at one score: places Start .. Start + Count - 1, of which Relevant are relevant.</summary>
    private readonly record struct Tie(int Start, int Count, int Relevant, double GainSum)
    {
        /// <summary>How many of its places lie in the first K.</summary>
        public int Within(int k) => Math.Clamp(k - Start, 0, Count);
    }

    /// <param name="scores">Larger is better; NaN is refused.</param>
    /// <param name="grades">Aligned; above 0 is relevant.</param>
    /// <param name="k">Cut-off, at least 1.</param>
    /// <param name="gain">How grades count in NDCG.</param>
    public static RankingScores Evaluate(ReadOnlySpan<double> scores, ReadOnlySpan<double> grades, int k, Gain gain = Gain.Linear)
    {
        BinaryMetrics.Same(scores.Length, grades.Length);
        ArgumentOutOfRangeException.ThrowIfLessThan(k, 1);
        var ties = Ties(scores, grades, gain);
        var relevant = 0;
        foreach (var grade in grades)
            if (grade > 0) relevant++;
        if (relevant == 0) return new(0, 0, double.NaN, double.NaN, double.NaN, double.NaN, double.NaN);

        double hits = 0;
        foreach (var tie in ties) hits += (double)tie.Relevant * tie.Within(k) / tie.Count;
        return new RankingScores(HitRate(ties, k), hits / k, hits / relevant, 2 * hits / (k + relevant), AveragePrecision(ties, k, relevant),
            ReciprocalRank(ties, k), Dcg(ties, k) / IdealDcg(grades, k, gain));
    }

    /// <summary>
    /// Metrics of a list that is already in order, best first, without ties. Relevant items that are not in it must be counted in
    /// <paramref name="relevant"/>.
    /// </summary>
    /// <param name="ranked">Whether each place holds a relevant item.</param>
    /// <param name="relevant">All relevant items there are.</param>
    /// <param name="k">Cut-off.</param>
    public static RankingScores EvaluateOrdered(ReadOnlySpan<bool> ranked, int relevant, int k)
    {
        var missing = relevant;
        foreach (var hit in ranked)
            if (hit) missing--;
        ArgumentOutOfRangeException.ThrowIfNegative(missing);
        // Missing relevant items go below everything and below the cut-off: padding keeps them out of the first K.
        var length = Math.Max(ranked.Length, k) + missing;
        var scores = new double[length];
        var grades = new double[length];
        for (var i = 0; i < length; i++)
        {
            scores[i] = -i;
            grades[i] = i < ranked.Length ? (ranked[i] ? 1 : 0) : i >= length - missing ? 1 : 0;
        }
        return Evaluate(scores, grades, k);
    }

    private static List<Tie> Ties(ReadOnlySpan<double> scores, ReadOnlySpan<double> grades, Gain gain)
    {
        var sorted = scores.ToArray();
        var sortedGrades = grades.ToArray();
        Array.Sort(sorted, sortedGrades, Comparer<double>.Create((a, b) => b.CompareTo(a)));
        var ties = new List<Tie>();
        for (int start = 0, end; start < sorted.Length; start = end)
        {
            if (double.IsNaN(sorted[start])) throw new ArgumentException("a score is NaN", nameof(scores));
            var relevant = 0;
            double gains = 0;
            for (end = start; end < sorted.Length && sorted[end] == sorted[start]; end++)
            {
                if (sortedGrades[end] > 0) relevant++;
                gains += GainOf(sortedGrades[end], gain);
            }
            ties.Add(new Tie(start, end - start, relevant, gains));
        }
        return ties;
    }

    private static double GainOf(double grade, Gain gain) => gain == Gain.Linear ? grade : Math.Pow(2, grade) - 1;

    private static double Discount(int place) => 1 / Math.Log2(place + 2);

    private static double Dcg(List<Tie> ties, int k)
    {
        double dcg = 0;
        foreach (var tie in ties)
        {
            double discounts = 0;
            for (var j = 0; j < tie.Within(k); j++) discounts += Discount(tie.Start + j);
            dcg += tie.GainSum / tie.Count * discounts;
        }
        return dcg;
    }

    private static double IdealDcg(ReadOnlySpan<double> grades, int k, Gain gain)
    {
        var sorted = grades.ToArray();
        Array.Sort(sorted);
        double dcg = 0;
        for (var i = 0; i < Math.Min(k, sorted.Length); i++) dcg += GainOf(sorted[^(i + 1)], gain) * Discount(i);
        return dcg;
    }

    /// <summary>1 - P(no relevant item in the first K): only the tie that straddles K is uncertain.</summary>
    private static double HitRate(List<Tie> ties, int k)
    {
        foreach (var tie in ties)
        {
            var within = tie.Within(k);
            if (within == 0) return 0;
            if (tie.Relevant == 0) continue;
            // All of the "within" first places of the tie are irrelevant: C(n - r, m) / C(n, m).
            var miss = 1.0;
            for (var j = 0; j < within && miss > 0; j++) miss *= Math.Max(0, tie.Count - tie.Relevant - j) / (double)(tie.Count - j);
            return 1 - miss;
        }
        return 0;
    }

    private static double ReciprocalRank(List<Tie> ties, int k)
    {
        foreach (var tie in ties)
        {
            if (tie.Relevant == 0) continue;
            // Place j of the tie is its first relevant one with probability (missed so far) x r / (n - j).
            double expected = 0, missed = 1;
            for (var j = 0; j < tie.Within(k) && missed > 0; j++)
            {
                var hit = tie.Relevant / (double)(tie.Count - j);
                expected += missed * hit / (tie.Start + j + 1);
                missed *= 1 - hit;
            }
            return expected;
        }
        return 0;
    }

    private static double AveragePrecision(List<Tie> ties, int k, int relevant)
    {
        double sum = 0;
        var before = 0;
        foreach (var tie in ties)
        {
            var rate = tie.Relevant / (double)tie.Count;
            // Given a relevant item at place j, each of the j places before it in the tie is relevant with (r - 1) / (n - 1).
            var others = tie.Count > 1 ? (tie.Relevant - 1) / (double)(tie.Count - 1) : 0;
            for (var j = 0; j < tie.Within(k) && tie.Relevant > 0; j++) sum += rate * (before + 1 + j * others) / (tie.Start + j + 1);
            before += tie.Relevant;
        }
        return sum / Math.Min(k, relevant);
    }
}
