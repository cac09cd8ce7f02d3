using Streaming.Models.Offline;

namespace Streaming.Models.Classic;

/// <summary>How alike two rows are.</summary>
public enum Similarity
{
    /// <summary>Of who is there, whatever the grade.</summary>
    Cosine,
    /// <summary>Correlation of the grades over what both have; what is not above 0 does not count.</summary>
    Pearson,
}

/// <summary>How neighbours are found.</summary>
public sealed record NeighbourOptions
{
    public Similarity Similarity { get; init; } = Similarity.Cosine;

    /// <summary>Nearest neighbours kept; 0 keeps all.</summary>
    public int Neighbours { get; init; }

    /// <summary>
    /// alpha of cosine: s(i, j) is divided by |N(i)|^(1 - alpha) |N(j)|^alpha, where i is what the user has and j is the candidate;
    /// 0.5 is cosine, towards 1 popular candidates are held back more.
    /// </summary>
    public double PopularityPenalty { get; init; } = 0.5;

    /// <summary>What two rows share counts 1 / log(1 + its own size) (Breese et al. 1998, "inverse user frequency"): who has everything says little.</summary>
    public bool ActivityPenalty { get; init; }

    /// <summary>Cosine: added to the denominator. Pearson: the correlation over n shared is multiplied by n / (n + shrinkage).</summary>
    public double Shrinkage { get; init; }
}

/// <summary>One row's similarity to every other row; the scratch of one thread.</summary>
internal sealed class NeighbourSearch(SparseMatrix rows, SparseMatrix columns, NeighbourOptions options)
{
    private const double Rounding = 1e-12;

    private readonly double[] _shared = new double[rows.RowCount];
    private readonly double[] _x = new double[rows.RowCount], _xx = new double[rows.RowCount], _y = new double[rows.RowCount];
    private readonly double[] _yy = new double[rows.RowCount], _xy = new double[rows.RowCount];

    /// <summary>The nearest rows, most alike first, equals by number.</summary>
    /// <param name="own">The columns of the row, rising.</param>
    /// <param name="grades">Aligned.</param>
    /// <param name="self">The row's number, which is left out.</param>
    public (int Row, float Weight)[] Find(ReadOnlySpan<int> own, ReadOnlySpan<float> grades, int self)
    {
        Array.Clear(_shared);
        if (options.Similarity == Similarity.Pearson) return Take(self, Correlate(own, grades));
        foreach (var column in own)
        {
            var others = columns.Row(column);
            var weight = options.ActivityPenalty ? 1 / Math.Log(1 + others.Length) : 1;
            foreach (var other in others) _shared[other] += weight;
        }
        var mine = Math.Pow(own.Length, 1 - options.PopularityPenalty);
        return Take(self, other => _shared[other] / (mine * Math.Pow(rows.Row(other).Length, options.PopularityPenalty) + options.Shrinkage));
    }

    private Func<int, double> Correlate(ReadOnlySpan<int> own, ReadOnlySpan<float> grades)
    {
        foreach (var sums in (double[][])[_x, _xx, _y, _yy, _xy]) Array.Clear(sums);
        for (var i = 0; i < own.Length; i++)
        {
            var others = columns.Row(own[i]);
            var values = columns.RowValues(own[i]);
            double x = grades[i];
            for (var k = 0; k < others.Length; k++)
            {
                double y = values[k];
                var other = others[k];
                _shared[other]++;
                _x[other] += x;
                _xx[other] += x * x;
                _y[other] += y;
                _yy[other] += y * y;
                _xy[other] += x * y;
            }
        }
        return other =>
        {
            var n = _shared[other];
            var (ownSpread, spread) = (n * _xx[other] - _x[other] * _x[other], n * _yy[other] - _y[other] * _y[other]);
            // What rounding leaves of grades that do not vary is no spread.
            if (ownSpread <= Rounding * n * _xx[other] || spread <= Rounding * n * _yy[other]) return 0;
            return (n * _xy[other] - _x[other] * _y[other]) / Math.Sqrt(ownSpread * spread) * n / (n + options.Shrinkage);
        };
    }

    private (int Row, float Weight)[] Take(int self, Func<int, double> similarity)
    {
        var found = new List<(int Row, float Weight)>();
        for (var other = 0; other < _shared.Length; other++)
        {
            if (other == self || _shared[other] == 0) continue;
            var weight = (float)similarity(other);
            if (weight > 0) found.Add((other, weight));
        }
        if (options.Neighbours == 0) return [.. found];
        found.Sort((a, b) => a.Weight != b.Weight ? b.Weight.CompareTo(a.Weight) : a.Row.CompareTo(b.Row));
        return [.. found.Take(options.Neighbours)];
    }
}
