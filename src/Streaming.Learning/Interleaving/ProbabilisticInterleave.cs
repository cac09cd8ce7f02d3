using Streaming.Core.Feeds;

namespace Streaming.Learning.Interleaving;

/// <summary>
/// Probabilistic interleaving (Hofmann, Whiteson and de Rijke, CIKM 2011; DRN's choice): each slot throws a coin for the ranking, then draws one of its
/// items that is not in the list yet with probability in proportion to rank^-sharpness. The slot shows item x with probability
/// 1/2 r_a(x)^-s / sum over A's free items + 1/2 r_b(x)^-s / sum over B's. A large sharpness comes close to picking the best; teams need not be
/// equally large. Coins are independent of each other, so of an item A's part is r_a(x)^-s / sum over that of both: credit by it instead of by the coin that
/// fell is the paper's marginalisation over assignments.
/// </summary>
/// <param name="sharpness">s; the paper takes 3.</param>
public sealed class ProbabilisticInterleave(double sharpness = ProbabilisticInterleave.DefaultSharpness) : IInterleaver
{
    public const double DefaultSharpness = 3;

    private TwoRankings _rankings = new();

    /// <summary>(r + 1)^-sharpness.</summary>
    private double[] _weights = [];

    public bool IsExhausted => _rankings.AreExhausted;

    public void Start(ReadOnlySpan<int> a, ReadOnlySpan<int> b, ulong draw)
    {
        _rankings.Start(a, b, draw);
        Prepare(Math.Max(a.Length, b.Length));
    }

    public DraftedSlot Next()
    {
        var (freeA, freeB) = (Free(_rankings.A), Free(_rankings.B));
        if (freeA <= 0 && freeB <= 0) return new DraftedSlot(-1, Team.None, 0, 0.5);
        var picksA = freeB <= 0 || (freeA > 0 && _rankings.Unit() < 0.5);
        var item = picksA ? Draw(_rankings.A, freeA) : Draw(_rankings.B, freeB);
        var team = freeA <= 0 || freeB <= 0 ? Team.None : picksA ? Team.A : Team.B;
        var (a, b) = (freeA <= 0 ? 0 : WeightOf(item, _rankings.A) / freeA, freeB <= 0 ? 0 : WeightOf(item, _rankings.B) / freeB);
        var slot = new DraftedSlot(item, team, Probability(item, freeA, freeB), team == Team.None ? 0.5 : a / (a + b));
        _rankings.Take(item);
        return slot;
    }

    public double ProbabilityOf(int item) => Probability(item, Free(_rankings.A), Free(_rankings.B));

    public void Take(int item) => _rankings.Take(item);

    private double Probability(int item, double freeA, double freeB)
    {
        var (a, b) = (WeightOf(item, _rankings.A) / freeA, WeightOf(item, _rankings.B) / freeB);
        return freeA <= 0 ? (freeB <= 0 ? 0 : b) : freeB <= 0 ? a : (a + b) / 2;
    }

    private int Draw(ReadOnlySpan<int> ranking, double free)
    {
        var left = _rankings.Unit() * free;
        var last = -1;
        for (var r = 0; r < ranking.Length; r++)
        {
            if (_rankings.IsTaken(ranking[r])) continue;
            last = ranking[r];
            left -= _weights[r];
            if (left < 0) return last;
        }
        return last; // rounding has left a rest behind the last one
    }

    /// <summary>Weight of the items that are not in the list.</summary>
    private double Free(ReadOnlySpan<int> ranking)
    {
        var sum = 0.0;
        for (var r = 0; r < ranking.Length; r++)
            if (!_rankings.IsTaken(ranking[r])) sum += _weights[r];
        return sum;
    }

    private double WeightOf(int item, ReadOnlySpan<int> ranking)
    {
        var r = ranking.IndexOf(item);
        return r >= 0 && !_rankings.IsTaken(item) ? _weights[r] : 0;
    }

    private void Prepare(int count)
    {
        if (_weights.Length >= count) return;
        var from = _weights.Length;
        Array.Resize(ref _weights, count);
        // A weight that underflows would make its item unreachable.
        for (var r = from; r < count; r++) _weights[r] = Math.Max(Math.Pow(r + 1, -sharpness), double.Epsilon);
    }
}
