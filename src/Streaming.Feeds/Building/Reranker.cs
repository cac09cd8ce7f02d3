using Streaming.Core.Ids;
using Streaming.Feeds.Structures;

namespace Streaming.Feeds.Building;

/// <summary>
/// Fills the slots of a list from the top. A slot takes the candidate of largest <see cref="MarginalGain"/>, MMR's or DPP's, among those that the
/// diversity window allows: no category and no author more than m times in any w consecutive slots. When the window allows none, it yields.
/// The similarity of two items is the vectors' cosine cut off at 0, or the Jaccard index of the tags where a vector is missing.
/// <para>
/// Every k-th slot explores with probability epsilon: it draws uniformly from F, the fresh items not yet used that the window
/// allows. Given the slots above, item x then stands here with probability epsilon [x in F] / |F| + (1 - epsilon) [x = g], g the
/// item chosen as above; with F empty, and in all other slots, with probability 1.
/// </para>
/// <para>
/// With an opponent (<see cref="InterleavingPolicy"/>) the same is done for both rankings without exploration, and the two are interleaved; then item x
/// stands in an exploring slot with probability epsilon [x in F] / |F| + (1 - epsilon) P(x), and in others with P(x), the interleaving's own.
/// </para>
/// <para>
/// A list drawn as a slate (<see cref="ListPlan.SlateShare"/>) has the first k items so chosen, without exploration, in an order drawn uniformly:
/// given the slots above, each of the k - s items left stands in slot s with probability 1 / (k - s). The slots after them are as in any list.
/// </para>
/// Bounded by O(n k), for DPP by O(n k^2); similarities are computed only for candidates that could still win. Not thread-safe; allocates nothing.
/// </summary>
internal sealed partial class Reranker : ISimilarity
{
    private const ulong SlateSalt = 0x51A7_E000_0000_0001UL;

    private readonly IItemVectors _vectors;
    private readonly DiversityWindow _window;
    private readonly int _stride;
    private readonly float[] _rows;
    private readonly VectorState[] _states;
    private readonly bool[] _used;
    private readonly MarginalGain _gain;
    private readonly int[] _free;

    private Slate _slate = null!;
    private ListPlan _plan = null!;
    private int _length;

    private enum VectorState : byte { NotLoaded, Loaded, Missing }

    public Reranker(IItemVectors vectors, int capacity, int poolMax)
    {
        (_vectors, _stride) = (vectors, VectorMath.Stride(vectors.Dim));
        _window = new DiversityWindow(capacity);
        _rows = new float[capacity * _stride];
        _gain = new MarginalGain(capacity, this);
        (_states, _used, _free) = (new VectorState[capacity], new bool[capacity], new int[poolMax]);
    }

    /// <summary>Fills slots from the slate and returns how many.</summary>
    /// <param name="slate">What to choose from.</param>
    /// <param name="plan">Windows, lambda, exploration.</param>
    /// <param name="draws">Seed of this list's draws.</param>
    /// <param name="slots">As many as are wanted.</param>
    /// <param name="shuffled">How many of the first items stand in an order drawn at random; 0 where the list was not drawn as a slate.</param>
    public int Fill(Slate slate, ListPlan plan, ulong draws, Span<Slot> slots, out int shuffled)
    {
        Start(slate, plan, slots.Length);
        shuffled = plan.SlateShare > 0 && StableHash.Unit(StableHash.Combine(draws, SlateSalt)) < plan.SlateShare
            ? Shuffle(StableHash.Combine(draws, ~SlateSalt), slots[..Math.Min(plan.SlateCandidates, slots.Length)])
            : 0;
        for (var s = shuffled; s < slots.Length; s++)
        {
            _window.MoveTo(s, plan.Window);
            var greedy = Greedy();
            var slot = plan.ExploreEvery > 0 && (s + 1) % plan.ExploreEvery == 0
                ? Explore(greedy, StableHash.Combine(draws, (ulong)s + 1))
                : new Slot(greedy, false, 1f);
            if (slot.Index < 0) return s;
            Put(slots, s, slot);
        }
        return slots.Length;
    }

    /// <summary>Fills the slots with the best candidates and draws their order; 0, and nothing filled, where there are fewer than two.</summary>
    private int Shuffle(ulong draws, Span<Slot> slots)
    {
        var count = 0;
        for (; count < slots.Length; count++)
        {
            _window.MoveTo(count, _plan.Window);
            var greedy = Greedy();
            if (greedy < 0) break;
            Put(slots, count, new Slot(greedy, false, 1f));
        }
        if (count < 2)
        {
            Start(_slate, _plan, _length);
            return 0;
        }
        // What follows sees the slots as they stand, not as they were chosen.
        _window.Start();
        _gain.Restart(_slate.Count);
        for (var s = 0; s < count; s++)
        {
            var left = count - s;
            var other = s + (int)(StableHash.Unit(StableHash.Finalise(StableHash.Combine(draws, (ulong)s))) * left);
            (slots[s], slots[other]) = (slots[other], slots[s]);
            _window.MoveTo(s, _plan.Window);
            Put(slots, s, slots[s] with { Propensity = 1f / left });
        }
        return count;
    }

    private void Start(Slate slate, ListPlan plan, int length)
    {
        (_slate, _plan, _length) = (slate, plan, length);
        _window.Start();
        Array.Clear(_states, 0, slate.Count);
        Array.Clear(_used, 0, slate.Count);
        _gain.Start(slate.Scores.AsSpan(0, slate.RankedCount), slate.Count, plan.Diversity, plan.Lambda, length);
    }

    private void Put(Span<Slot> slots, int s, in Slot slot)
    {
        slots[s] = slot;
        _used[slot.Index] = true;
        _window.Put(s, slot.Index, _slate.Items[slot.Index], _plan.Window);
        _gain.Pick(slot.Index);
    }

    private int Greedy()
    {
        var best = Best(0, _slate.FirstCount);
        return best >= 0 ? best : Best(_slate.FirstCount, _slate.RankedCount);
    }

    /// <summary>The unused item of [from, to) that adds most and that the window allows, else of all; -1 when all are used.</summary>
    private int Best(int from, int to)
    {
        var (best, bestValue) = (-1, float.NegativeInfinity);
        var (violating, violatingValue) = (-1, float.NegativeInfinity);
        for (var i = from; i < to; i++)
        {
            if (_used[i]) continue;
            var relevance = _gain.Relevance(_slate.Scores[i]);
            // Best first, and the penalty only subtracts: nobody further down can win.
            if (best >= 0 && relevance <= bestValue) break;
            // The penalty for all picks is at least that for the picks compared so far: often enough to rule the item out.
            var bound = _gain.Bound(i, relevance);
            if (bound <= bestValue) continue;
            var allowed = _window.Allows(i, _slate.Items[i], _plan);
            if (!allowed && (best >= 0 || bound <= violatingValue)) continue;
            var value = _gain.Of(i, relevance);
            if (allowed && value > bestValue) (best, bestValue) = (i, value);
            else if (!allowed && value > violatingValue) (violating, violatingValue) = (i, value);
        }
        return best >= 0 ? best : violating;
    }

    private Slot Explore(int greedy, ulong draw)
    {
        var free = FreeFresh();
        var greedyIsFresh = _free.AsSpan(0, free).Contains(greedy);
        if (free == 0) return new Slot(greedy, false, 1f);
        // Without a candidate left, only exploration can fill the slot.
        var epsilon = greedy < 0 ? 1.0 : _plan.Epsilon;
        var explores = StableHash.Unit(StableHash.Finalise(draw)) < epsilon;
        var shown = explores ? _free[(int)(StableHash.Unit(StableHash.Finalise(~draw)) * free)] : greedy;
        var byDraw = explores || greedyIsFresh ? epsilon / free : 0;
        return new Slot(shown, explores, (float)(byDraw + (shown == greedy ? 1 - epsilon : 0)));
    }

    /// <summary>Gathers F in <see cref="_free"/>.</summary>
    private int FreeFresh()
    {
        var free = 0;
        foreach (var index in _slate.Pool.AsSpan(0, _slate.PoolCount))
            if (!_used[index] && _window.Allows(index, _slate.Items[index], _plan)) _free[free++] = index;
        return free;
    }

    float ISimilarity.Of(int a, int b)
    {
        if (HasVector(a) && HasVector(b)) return Math.Max(0f, VectorMath.Dot(Row(a), Row(b)));
        return Jaccard(_slate.Items[a].TagKeys, _slate.Items[b].TagKeys);
    }

    private bool HasVector(int i)
    {
        if (_states[i] != VectorState.NotLoaded) return _states[i] == VectorState.Loaded;
        var row = Row(i);
        row.Clear();
        var loaded = _vectors.TryGet(_slate.Keys[i], row[.._vectors.Dim]) && VectorMath.Normalise(row);
        _states[i] = loaded ? VectorState.Loaded : VectorState.Missing;
        return loaded;
    }

    private Span<float> Row(int i) => _rows.AsSpan(i * _stride, _stride);

    private static float Jaccard(ReadOnlySpan<ulong> a, ReadOnlySpan<ulong> b)
    {
        var shared = 0;
        foreach (var tag in a)
            if (b.Contains(tag)) shared++;
        var union = a.Length + b.Length - shared;
        return union == 0 ? 0f : (float)shared / union;
    }
}
