using Streaming.Core.Feeds;

namespace Streaming.Learning.Interleaving;

/// <summary>
/// Team-draft interleaving (Radlinski, Kurup and Joachims, CIKM 2008): two captains pick in turn. Whoever has the smaller team picks next, a coin
/// decides where they are equal, and a pick is the best item of the captain's ranking that is not in the list yet. So after every second slot the
/// teams are equally large. A coin slot shows each captain's pick with probability 1/2, or 1 where both would pick the same; the slot after it
/// has no choice left.
/// </summary>
/// <remarks>The paper's list ends where one ranking does; this one goes on with the other's items, which count for nobody.</remarks>
public sealed class TeamDraft : IInterleaver
{
    private TwoRankings _rankings = new();
    private int _sizeA;
    private int _sizeB;

    public bool IsExhausted => _rankings.AreExhausted;

    public void Start(ReadOnlySpan<int> a, ReadOnlySpan<int> b, ulong draw)
    {
        _rankings.Start(a, b, draw);
        (_sizeA, _sizeB) = (0, 0);
    }

    public DraftedSlot Next()
    {
        var (bestA, bestB) = (_rankings.Best(_rankings.A), _rankings.Best(_rankings.B));
        if (bestA < 0 || bestB < 0) return Put(Math.Max(bestA, bestB), Team.None, 1);
        // A coin is thrown whenever the teams are equal, also where both would pick the same: whose team that item joins is what it decides.
        var isCoin = _sizeA == _sizeB;
        var picksA = isCoin ? _rankings.Unit() < 0.5 : _sizeA < _sizeB;
        var probability = isCoin && bestA != bestB ? 0.5 : 1;
        return picksA ? Put(bestA, Team.A, probability) : Put(bestB, Team.B, probability);
    }

    public double ProbabilityOf(int item)
    {
        var (bestA, bestB) = (_rankings.Best(_rankings.A), _rankings.Best(_rankings.B));
        if (bestA < 0 || bestB < 0) return item >= 0 && item == Math.Max(bestA, bestB) ? 1 : 0;
        var chanceA = _sizeA == _sizeB ? 0.5 : _sizeA < _sizeB ? 1 : 0;
        return (item == bestA ? chanceA : 0) + (item == bestB ? 1 - chanceA : 0);
    }

    public void Take(int item) => _rankings.Take(item);

    private DraftedSlot Put(int item, Team team, double probability)
    {
        if (item >= 0) _rankings.Take(item);
        if (team == Team.A) _sizeA++;
        else if (team == Team.B) _sizeB++;
        return new DraftedSlot(item, team, probability, team switch { Team.A => 1, Team.B => 0, _ => 0.5 });
    }
}
