namespace Streaming.Evaluation.Metrics;

/// <summary>
/// CPM-sensitive AUC: does the model order advertisements by the money they bring, and how much money does each pair in the wrong
/// order cost? The name and the aim are those of Liu and Yin 2019, "CPM-sensitive AUC for CTR prediction" (arXiv:1904.10272): AUC
/// looks at the order of CTR, not of CTR x bid, and counts every reversed pair alike. The equation here is this project's own:
/// <code>
/// v_i = bid_i y_i                        what impression i brought (0 without a click)
/// e_i = bid_i p_i                        what the model expected, eCPM / 1000
/// csAUC = sum over pairs v_i > v_j of (v_i - v_j) ([e_i > e_j] + [e_i = e_j] / 2)  /  sum over the same pairs of (v_i - v_j)
/// </code>
/// Under equal bids it is the plain AUC; with them it is the share of the pairwise differences in revenue that the model's order
/// gets right. NaN when all impressions brought the same.
/// </summary>
public static class CpmSensitiveAuc
{
    /// <summary>Aligned arrays; bids are at least 0. O(n log n).</summary>
    /// <exception cref="ArgumentException">Lengths differ, a bid is negative, or a number is NaN.</exception>
    public static double Compute(ReadOnlySpan<double> probabilities, ReadOnlySpan<bool> labels, ReadOnlySpan<double> bids)
    {
        BinaryMetrics.Same(probabilities.Length, labels.Length);
        BinaryMetrics.Same(probabilities.Length, bids.Length);
        var n = labels.Length;
        var (expected, brought) = (new double[n], new double[n]);
        for (var i = 0; i < n; i++)
        {
            if (!(bids[i] >= 0) || double.IsNaN(probabilities[i])) throw new ArgumentException($"row {i} has a negative bid or a NaN");
            expected[i] = bids[i] * probabilities[i];
            brought[i] = labels[i] ? bids[i] : 0;
        }
        var ranks = DenseRanks(expected, out var distinct);
        var order = new int[n];
        for (var i = 0; i < n; i++) order[i] = i;
        Array.Sort(brought.AsSpan().ToArray(), order);

        // In ascending order of v, each row meets those before it: counts and sums of v by rank of e give its pairs at once. A pair of
        // equal v weighs 0, so that ties of v need no care.
        var counts = new Fenwick(distinct);
        var sums = new Fenwick(distinct);
        double won = 0, all = 0, before = 0;
        for (var k = 0; k < n; k++)
        {
            var (v, rank) = (brought[order[k]], ranks[order[k]]);
            var (below, belowSum) = (counts.Below(rank), sums.Below(rank));
            var (tied, tiedSum) = (counts.Below(rank + 1) - below, sums.Below(rank + 1) - belowSum);
            won += v * below - belowSum + 0.5 * (v * tied - tiedSum);
            all += v * k - before;
            before += v;
            counts.Add(rank, 1);
            sums.Add(rank, v);
        }
        return all > 0 ? won / all : double.NaN;
    }

    private static int[] DenseRanks(double[] values, out int distinct)
    {
        var (sorted, order) = ((double[])values.Clone(), Enumerable.Range(0, values.Length).ToArray());
        Array.Sort(sorted, order);
        var ranks = new int[values.Length];
        distinct = 0;
        for (var k = 0; k < sorted.Length; k++)
        {
            if (k > 0 && sorted[k] > sorted[k - 1]) distinct++;
            ranks[order[k]] = distinct;
        }
        distinct++;
        return ranks;
    }

    /// <summary>Prefix sums under point updates (Fenwick 1994).</summary>
    private sealed class Fenwick(int size)
    {
        private readonly double[] _tree = new double[size + 1];

        public void Add(int at, double value)
        {
            for (var i = at + 1; i < _tree.Length; i += i & -i) _tree[i] += value;
        }

        /// <summary>Sum over the places before <paramref name="end"/>.</summary>
        public double Below(int end)
        {
            double sum = 0;
            for (var i = end; i > 0; i -= i & -i) sum += _tree[i];
            return sum;
        }
    }
}
