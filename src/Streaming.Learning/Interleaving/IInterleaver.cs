using Streaming.Core.Feeds;

namespace Streaming.Learning.Interleaving;

/// <summary>One slot of an interleaved list.</summary>
/// <param name="Item">Index of the item; -1 when neither ranking has one left.</param>
/// <param name="Team">Whose it is.</param>
/// <param name="Probability">With which the slot shows this item, given the slots above and their teams.</param>
/// <param name="ShareA">
/// A's part of a click on it: the probability that A put the item here, over all draws that give the same list. A method whose slots depend on the
/// teams of those above has 1 or 0, by the team. 1/2 where it is nobody's.
/// </param>
public readonly record struct DraftedSlot(int Item, Team Team, double Probability, double ShareA);

/// <summary>
/// Makes one list of two rankings, slot by slot from the top, so that clicks say which of the two a user prefers: neither has an advantage of place.
/// Items are small indexes, each at most once in a ranking; the rankings may hold different ones, and one may be longer. Where one ranking has
/// nothing left, the other fills the slot for <see cref="Team.None"/>. The same rankings and draw give the same list. One thread; allocates
/// nothing once warm.
/// </summary>
public interface IInterleaver
{
    /// <summary>Starts a list.</summary>
    /// <param name="a">Indexes of items, best first.</param>
    /// <param name="b">The opponent's, best first.</param>
    /// <param name="draw">Fixes every draw of this list.</param>
    void Start(ReadOnlySpan<int> a, ReadOnlySpan<int> b, ulong draw);

    /// <summary>Whether every item of both rankings is in the list.</summary>
    bool IsExhausted { get; }

    /// <summary>Fills the next slot.</summary>
    DraftedSlot Next();

    /// <summary>With which probability <see cref="Next"/> would show this item now.</summary>
    double ProbabilityOf(int item);

    /// <summary>Something else has put the item into the list: it is nobody's.</summary>
    void Take(int item);
}

/// <summary>What both methods keep: the two rankings and which items are in the list.</summary>
internal struct TwoRankings()
{
    private int[] _a = [];
    private int[] _b = [];
    private bool[] _taken = [];
    private int _countA;
    private int _countB;
    private ulong _draw;
    private ulong _draws;

    public readonly ReadOnlySpan<int> A => _a.AsSpan(0, _countA);
    public readonly ReadOnlySpan<int> B => _b.AsSpan(0, _countB);

    public void Start(ReadOnlySpan<int> a, ReadOnlySpan<int> b, ulong draw)
    {
        (_countA, _countB, _draw, _draws) = (a.Length, b.Length, draw, 0);
        Copy(a, ref _a);
        Copy(b, ref _b);
        var end = 0;
        foreach (var item in a) end = Math.Max(end, item + 1);
        foreach (var item in b) end = Math.Max(end, item + 1);
        if (_taken.Length < end) _taken = new bool[end + end / 4];
        else Array.Clear(_taken, 0, end);
    }

    public readonly bool AreExhausted => Best(A) < 0 && Best(B) < 0;

    public readonly bool IsTaken(int item) => _taken[item];

    public void Take(int item)
    {
        if ((uint)item >= (uint)_taken.Length) Array.Resize(ref _taken, item + 1);
        _taken[item] = true;
    }

    /// <summary>The best item of a ranking that is not in the list; -1 for none.</summary>
    public readonly int Best(ReadOnlySpan<int> ranking)
    {
        foreach (var item in ranking)
            if (!_taken[item]) return item;
        return -1;
    }

    /// <summary>The next draw, in [0, 1).</summary>
    public double Unit() => Core.Ids.StableHash.Unit(Core.Ids.StableHash.Combine(_draw, _draws++));

    private static void Copy(ReadOnlySpan<int> from, ref int[] into)
    {
        if (into.Length < from.Length) into = new int[from.Length + from.Length / 4];
        from.CopyTo(into);
    }
}
