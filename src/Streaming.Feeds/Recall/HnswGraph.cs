using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using Streaming.Core.Ids;
using Streaming.Feeds.Structures;

namespace Streaming.Feeds.Recall;

/// <summary>Shape and effort of an <see cref="HnswGraph"/>.</summary>
/// <param name="M">Neighbours of an item on the upper layers; twice as many on the lowest.</param>
/// <param name="EfConstruction">Candidates kept while an item's place is sought.</param>
/// <param name="EfSearch">Candidates kept while a query is answered; never fewer than are asked for.</param>
/// <param name="Seed">Of the items' layers.</param>
public sealed record HnswOptions(int M = 16, int EfConstruction = 128, int EfSearch = 96, ulong Seed = 1);

/// <summary>
/// A hierarchical navigable small world over the rows of a <see cref="FlatVectorIndex"/> (Malkov &amp; Yashunin 2018, "Efficient and
/// robust approximate nearest neighbor search using Hierarchical Navigable Small World graphs", Algorithms 1, 2, 4 and 5), for the
/// inner product of rows of length 1: score = cosine. An item's layer follows from its key and the seed, so equal histories give
/// equal graphs. It holds no vectors of its own. One thread writes while nobody reads; then any number may read.
/// <para>
/// The paper knows no deletion. Here <see cref="Unlink"/> mends the hole: every neighbour that pointed at the item chooses its links
/// anew among its own and the item's. A link from an item that the leaving one did not point back to may stay: it then leads
/// to a free slot, which is passed over, or to the slot's next item, which is one more, longer link. A moved vector is unlinked and linked.
/// </para>
/// </summary>
internal sealed partial class HnswGraph
{
    private const int None = -1;
    private const int LevelMax = 24;
    private const int FloatsPerLine = 16;

    private readonly FlatVectorIndex _rows;
    private readonly HnswOptions _options;
    private readonly double _levelScale;

    /// <summary>Links of the lowest layer: per slot their number, then the slots, at most 2 M.</summary>
    private int[] _base = [];

    /// <summary>Links of layers 1 to the item's, per layer their number, then the slots, at most M; null for items of the lowest layer only.</summary>
    private int[]?[] _upper = [];

    /// <summary>Highest layer per slot; -1 where nothing is linked.</summary>
    private sbyte[] _level = [];

    private int _entry = None;

    public HnswGraph(FlatVectorIndex rows, HnswOptions options)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(options.M is >= 2 and <= 128, true);
        ArgumentOutOfRangeException.ThrowIfNotEqual(options.EfConstruction is >= 1 and <= 4096, true);
        ArgumentOutOfRangeException.ThrowIfNotEqual(options.EfSearch is >= 1 and <= 4096, true);
        (_rows, _options, _levelScale) = (rows, options, 1 / Math.Log(options.M));
    }

    /// <summary>Items linked.</summary>
    public int Count { get; private set; }

    public bool Has(int slot) => slot < _level.Length && _level[slot] >= 0;

    /// <summary>Takes the item of a slot into the graph.</summary>
    public void Link(int slot)
    {
        Reserve(slot);
        var level = LevelOf(_rows.KeyAt(slot));
        _level[slot] = (sbyte)level;
        Links(slot, 0)[0] = 0;
        _upper[slot] = level > 0 ? new int[level * (_options.M + 1)] : null;
        Count++;
        if (_entry == None)
        {
            _entry = slot;
            return;
        }
        var scratch = HnswScratch.Mine(_level.Length);
        var query = Row(slot);
        var top = _level[_entry];
        var nearest = Descend(query, _entry, top, level);
        for (var layer = Math.Min(top, level); layer >= 0; layer--)
        {
            var pool = scratch.Pool(_options.EfConstruction);
            SearchLayer(query, nearest, layer, slot, scratch, ref pool);
            nearest = pool.Count > 0 ? pool.Slot(0) : nearest;
            Choose(pool.Slots, pool.Scores, Links(slot, layer), _options.M);
            foreach (var neighbour in Neighbours(slot, layer)) AddLink(neighbour, slot, layer, scratch);
        }
        if (level > top) _entry = slot;
    }

    /// <summary>Takes the item of a slot out, and mends the links of its neighbours. Its row may already be another's.</summary>
    public void Unlink(int slot)
    {
        if (!Has(slot)) return;
        var level = _level[slot];
        _level[slot] = None;
        Count--;
        var scratch = HnswScratch.Mine(_level.Length);
        for (var layer = level; layer >= 0; layer--)
            foreach (var neighbour in Neighbours(slot, layer))
                if (_level[neighbour] >= layer && Neighbours(neighbour, layer).Contains(slot)) Mend(neighbour, slot, layer, scratch);
        Links(slot, 0)[0] = 0;
        _upper[slot] = null;
        if (slot == _entry) _entry = Highest();
    }

    /// <summary>
    /// The items of largest score, best first, as far as the graph finds them; of equal scores the smaller key first. Returns how many.
    /// </summary>
    /// <param name="query">Shape [stride], padded with zeros.</param>
    /// <param name="into">As many as are wanted.</param>
    /// <param name="ef">Candidates kept; 0 for the options' own.</param>
    public int Search(ReadOnlySpan<float> query, Span<Candidate> into, int ef = 0)
    {
        if (_entry == None || into.Length == 0) return 0;
        var scratch = HnswScratch.Mine(_level.Length);
        var pool = scratch.Pool(Math.Max(into.Length, ef > 0 ? ef : _options.EfSearch));
        SearchLayer(query, Descend(query, _entry, _level[_entry], 0), 0, None, scratch, ref pool);
        var best = new TopK(into);
        for (var i = 0; i < pool.Count; i++)
        {
            if (pool.Scores[i] < best.Worst) break;
            best.Offer(_rows.KeyAt(pool.Slot(i)), pool.Scores[i]);
        }
        return best.Sort();
    }

    private ReadOnlySpan<float> Row(int slot) => _rows.Rows.AsSpan(slot * _rows.Stride, _rows.Stride);

    /// <summary>Number of links, then the slots.</summary>
    private Span<int> Links(int slot, int layer) => layer == 0
        ? _base.AsSpan(slot * (2 * _options.M + 1), 2 * _options.M + 1)
        : _upper[slot].AsSpan((layer - 1) * (_options.M + 1), _options.M + 1);

    private ReadOnlySpan<int> Neighbours(int slot, int layer)
    {
        var links = Links(slot, layer);
        return links.Slice(1, links[0]);
    }

    private int LevelOf(ulong key)
    {
        var unit = StableHash.Unit(StableHash.Finalise(StableHash.Finalise(key ^ _options.Seed) + 0x9E3779B97F4A7C15UL));
        return Math.Min(LevelMax, (int)(-Math.Log(1 - unit) * _levelScale));
    }

    private int Highest()
    {
        var best = None;
        for (var slot = 0; slot < _level.Length; slot++)
            if (_level[slot] >= 0 && (best == None || _level[slot] > _level[best])) best = slot;
        return best;
    }

    private void Reserve(int slot)
    {
        if (slot < _level.Length) return;
        var (old, size) = (_level.Length, Math.Max(_rows.Rows.Length / _rows.Stride, slot + 1));
        Array.Resize(ref _base, size * (2 * _options.M + 1));
        Array.Resize(ref _upper, size);
        Array.Resize(ref _level, size);
        Array.Fill(_level, (sbyte)None, old, size - old);
    }

    /// <summary>Adds a link; a full list keeps the best of the old ones and the new.</summary>
    private void AddLink(int from, int to, int layer, HnswScratch scratch)
    {
        var links = Links(from, layer);
        if (links[1..(links[0] + 1)].Contains(to)) return;
        if (links[0] < links.Length - 1)
        {
            links[++links[0]] = to;
            return;
        }
        scratch.StartPicks();
        foreach (var slot in Neighbours(from, layer)) scratch.Pick(slot);
        scratch.Pick(to);
        ChoosePicks(from, layer, links.Length - 1, scratch);
    }

    /// <summary>The item's links without the one that leaves; those of the leaving one may take its place.</summary>
    private void Mend(int item, int leaving, int layer, HnswScratch scratch)
    {
        scratch.StartPicks();
        foreach (var slot in Neighbours(item, layer))
            if (slot != leaving) scratch.Pick(slot);
        foreach (var slot in Neighbours(leaving, layer))
            if (slot != leaving && slot != item) scratch.Pick(slot);
        ChoosePicks(item, layer, layer == 0 ? 2 * _options.M : _options.M, scratch);
    }

    private void ChoosePicks(int item, int layer, int max, HnswScratch scratch)
    {
        var row = Row(item);
        var live = 0;
        var (slots, scores) = (scratch.PickedSlots, scratch.PickedScores);
        for (var i = 0; i < scratch.Picked; i++)
        {
            var slot = slots[i];
            // What has left its slot since, or holds a lower item now, is dropped on the way.
            if (_level[slot] < layer || slots.AsSpan(0, live).Contains(slot)) continue;
            (slots[live], scores[live]) = (slot, -VectorMath.Dot(row, Row(slot)));
            live++;
        }
        scores.AsSpan(0, live).Sort(slots.AsSpan(0, live));
        for (var i = 0; i < live; i++) scores[i] = -scores[i];
        Choose(slots.AsSpan(0, live), scores.AsSpan(0, live), Links(item, layer), max);
    }

    /// <summary>
    /// Algorithm 4: of candidates, best first, takes each that is nearer to the item than to any taken so far, so that links point in
    /// different directions; then fills up with the best of the others. The comparison is strict, unlike hnswlib's: items with equal vectors
    /// (new ones of one author, say) would else link to each other only, and be lost to everybody else.
    /// </summary>
    private void Choose(ReadOnlySpan<int> candidates, ReadOnlySpan<float> scores, Span<int> links, int max)
    {
        var taken = 0;
        Span<bool> isTaken = stackalloc bool[candidates.Length];
        isTaken.Clear();
        for (var i = 0; i < candidates.Length && taken < max; i++)
        {
            var row = Row(candidates[i]);
            var isApart = true;
            for (var j = 1; j <= taken && isApart; j++) isApart = VectorMath.Dot(row, Row(links[j])) < scores[i];
            if (!isApart) continue;
            links[++taken] = candidates[i];
            isTaken[i] = true;
        }
        for (var i = 0; i < candidates.Length && taken < max; i++)
            if (!isTaken[i]) links[++taken] = candidates[i];
        links[0] = taken;
    }

    /// <summary>From a layer's item on down to above another layer, always to the best neighbour (ef = 1).</summary>
    private int Descend(ReadOnlySpan<float> query, int from, int top, int above)
    {
        var (best, score) = (from, VectorMath.Dot(query, Row(from)));
        for (var layer = top; layer > above; layer--)
        {
            for (var moved = true; moved;)
            {
                moved = false;
                foreach (var slot in Neighbours(best, layer))
                {
                    if (_level[slot] < layer) continue;
                    var next = VectorMath.Dot(query, Row(slot));
                    if (!(next > score)) continue;
                    (best, score, moved) = (slot, next, true);
                }
            }
        }
        return best;
    }

    /// <summary>Algorithm 2: expands the best candidate not expanded yet, until the pool holds none.</summary>
    [SkipLocalsInit]
    private void SearchLayer(ReadOnlySpan<float> query, int from, int layer, int except, HnswScratch scratch, ref HnswPool pool)
    {
        var stamp = scratch.NextStamp();
        var (visited, stride) = (scratch.Visited, _rows.Stride);
        ref var first = ref MemoryMarshal.GetReference(query[..stride]);
        ref var rows = ref MemoryMarshal.GetArrayDataReference(_rows.Rows);
        Span<int> met = stackalloc int[2 * _options.M];
        visited[from] = stamp;
        if (except >= 0) visited[except] = stamp;
        if (from != except) pool.Offer(from, VectorMath.Dot(ref first, ref Unsafe.Add(ref rows, (nint)from * stride), stride));
        for (int slot; (slot = pool.NextToExpand()) >= 0;)
        {
            var count = 0;
            foreach (var neighbour in Neighbours(slot, layer))
            {
                if (visited[neighbour] == stamp) continue;
                visited[neighbour] = stamp;
                if (_level[neighbour] < layer) continue;
                met[count++] = neighbour;
                Prefetch(ref Unsafe.Add(ref rows, (nint)neighbour * stride), stride);
            }
            for (var i = 0; i < count; i++)
            {
                var score = VectorMath.Dot(ref first, ref Unsafe.Add(ref rows, (nint)met[i] * stride), stride);
                if (score > pool.Worst) pool.Offer(met[i], score);
            }
        }
    }

    /// <summary>A row is hardly ever in the cache: its lines are asked for while those before it are read.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static unsafe void Prefetch(ref float row, int length)
    {
        if (!Sse.IsSupported) return;
        // A hint only: should the collector move the rows in between, the wrong lines are fetched, and nothing else happens.
        var at = (float*)Unsafe.AsPointer(ref row);
        for (var d = 0; d < length; d += FloatsPerLine) Sse.Prefetch0(at + d);
    }
}
