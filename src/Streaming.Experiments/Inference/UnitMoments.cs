using Streaming.Core.Wire;

namespace Streaming.Experiments.Inference;

/// <summary>What one unit of randomisation, a user, brings to a metric that is a ratio of sums over users.</summary>
/// <param name="Numerator">The user's sum above the line: clicks, say.</param>
/// <param name="Denominator">The user's sum below it: impressions, or 1 for a mean over users.</param>
/// <param name="BeforeNumerator">The same above the line from before the user met the experiment; 0 where nothing is known.</param>
/// <param name="BeforeDenominator">The same below it.</param>
/// <param name="HasBefore">1 for a user who was known before, else 0.</param>
public readonly record struct UnitSums(double Numerator, double Denominator, double BeforeNumerator = 0, double BeforeDenominator = 0, double HasBefore = 0)
{
    /// <summary>Of the vector that <see cref="UnitMoments"/> keeps.</summary>
    internal const int Length = 5;

    internal void CopyTo(Span<double> into)
    {
        into[0] = Numerator;
        into[1] = Denominator;
        into[2] = BeforeNumerator;
        into[3] = BeforeDenominator;
        into[4] = HasBefore;
    }
}

/// <summary>
/// Count, sums and sums of products of the users' vectors in one arm: all that the estimates need, whatever the number of users. A user whose
/// sums have grown is replaced, old for new, so the moments can follow a stream event by event; with counts, which are whole numbers, nothing is
/// lost to rounding.
/// </summary>
public sealed class UnitMoments
{
    private const int D = UnitSums.Length;
    private readonly double[] _sums = new double[D];
    private readonly double[] _products = new double[D * D];

    /// <summary>Users.</summary>
    public double Count { get; private set; }

    public double Sum(int i) => _sums[i];

    /// <summary>Adds a user.</summary>
    public void Add(in UnitSums unit)
    {
        Count++;
        Fold(unit, 1);
    }

    /// <summary>Puts a user's grown sums in the place of what they were.</summary>
    public void Replace(in UnitSums old, in UnitSums grown)
    {
        Fold(old, -1);
        Fold(grown, 1);
    }

    /// <summary>Adds another arm's, or another shard's, users.</summary>
    public void Add(UnitMoments other)
    {
        Count += other.Count;
        for (var i = 0; i < _sums.Length; i++) _sums[i] += other._sums[i];
        for (var i = 0; i < _products.Length; i++) _products[i] += other._products[i];
    }

    /// <summary>Covariance of two members between users (n - 1 below); NaN below two users.</summary>
    public double Covariance(int i, int j) =>
        Count < 2 ? double.NaN : (_products[Math.Min(i, j) * D + Math.Max(i, j)] - _sums[i] * _sums[j] / Count) / (Count - 1);

    internal void Save(CheckpointWriter writer)
    {
        writer.Double(Count);
        writer.Values<double>(_sums);
        writer.Values<double>(_products);
    }

    internal static UnitMoments Read(CheckpointReader reader)
    {
        var read = new UnitMoments { Count = reader.Double() };
        reader.Values(read._sums.AsSpan());
        reader.Values(read._products.AsSpan());
        return read;
    }

    private void Fold(in UnitSums unit, double sign)
    {
        Span<double> v = stackalloc double[D];
        unit.CopyTo(v);
        for (var i = 0; i < D; i++)
        {
            if (v[i] == 0) continue;
            _sums[i] += sign * v[i];
            for (var j = i; j < D; j++) _products[i * D + j] += sign * v[i] * v[j];
        }
    }
}
