using Streaming.Core.Feeds;
using Streaming.Core.Ids;
using Streaming.Learning.Interleaving;

namespace Streaming.Feeds.Building;

/// <summary>Lists of two rankings.</summary>
internal sealed partial class Reranker
{
    private const ulong CoinSalt = 0x7EA3_D4AF_7000_0001UL;

    private int[] _rankingA = [];
    private int[] _rankingB = [];

    /// <summary>Fills slots from two orders of the same candidates and returns how many.</summary>
    /// <param name="slate">The arm's order, with what exploration draws from.</param>
    /// <param name="opponent">The opponent's, with <see cref="Slate.Twins"/>.</param>
    /// <param name="plan">Windows, lambda, exploration.</param>
    /// <param name="interleaver">This builder's, of the plan's arm.</param>
    /// <param name="draws">Seed of this list's draws.</param>
    /// <param name="slots">As many as are wanted.</param>
    public int FillInterleaved(Slate slate, Slate opponent, ListPlan plan, IInterleaver interleaver, ulong draws, Span<Slot> slots)
    {
        var a = Rank(slate, plan, slots, ref _rankingA);
        for (var s = 0; s < a; s++) _rankingA[s] = slots[s].Index;
        var b = Rank(opponent, plan, slots, ref _rankingB);
        for (var s = 0; s < b; s++) _rankingB[s] = opponent.Twins[slots[s].Index];
        interleaver.Start(_rankingA.AsSpan(0, a), _rankingB.AsSpan(0, b), StableHash.Combine(draws, CoinSalt));
        Start(slate, plan, slots.Length);
        for (var s = 0; s < slots.Length; s++)
        {
            _window.MoveTo(s, plan.Window);
            var explores = plan.ExploreEvery > 0 && (s + 1) % plan.ExploreEvery == 0;
            var slot = explores ? Explore(interleaver, StableHash.Combine(draws, (ulong)s + 1)) : Draft(interleaver);
            if (slot.Index < 0) return s;
            Put(slots, s, slot);
        }
        return slots.Length;
    }

    /// <summary>The list that one ranker alone would have shown, exploration left out.</summary>
    private int Rank(Slate slate, ListPlan plan, Span<Slot> slots, ref int[] ranking)
    {
        if (ranking.Length < slots.Length) ranking = new int[slots.Length];
        Start(slate, plan, slots.Length);
        for (var s = 0; s < slots.Length; s++)
        {
            _window.MoveTo(s, plan.Window);
            var greedy = Greedy();
            if (greedy < 0) return s;
            Put(slots, s, new Slot(greedy, false, 1f));
        }
        return slots.Length;
    }

    private static Slot Draft(IInterleaver interleaver)
    {
        var drafted = interleaver.Next();
        return new Slot(drafted.Item, false, (float)drafted.Probability, drafted.Team);
    }

    private Slot Explore(IInterleaver interleaver, ulong draw)
    {
        var free = FreeFresh();
        if (free == 0) return Draft(interleaver);
        // As above: without a candidate left, only exploration can fill the slot.
        var epsilon = interleaver.IsExhausted ? 1.0 : _plan.Epsilon;
        if (StableHash.Unit(StableHash.Finalise(draw)) < epsilon)
        {
            var drawn = _free[(int)(StableHash.Unit(StableHash.Finalise(~draw)) * free)];
            var slot = new Slot(drawn, true, (float)(epsilon / free + (1 - epsilon) * interleaver.ProbabilityOf(drawn)));
            interleaver.Take(drawn);
            return slot;
        }
        var drafted = Draft(interleaver);
        var byDraw = _free.AsSpan(0, free).Contains(drafted.Index) ? epsilon / free : 0;
        return drafted with { Propensity = (float)(byDraw + (1 - epsilon) * drafted.Propensity) };
    }
}
