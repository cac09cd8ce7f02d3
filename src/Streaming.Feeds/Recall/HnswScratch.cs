namespace Streaming.Feeds.Recall;

/// <summary>Working memory of one thread's walks through graphs; kept, so that a search allocates nothing once warm.</summary>
internal sealed class HnswScratch
{
    [ThreadStatic] private static HnswScratch? _mine;

    private float[] _poolScores = [];
    private int[] _poolSlots = [];
    private ushort _stamp;

    /// <summary>This thread's, with room for so many slots.</summary>
    public static HnswScratch Mine(int slots)
    {
        var mine = _mine ??= new HnswScratch();
        if (mine.Visited.Length < slots) (mine.Visited, mine._stamp) = (new ushort[slots], 0);
        return mine;
    }

    /// <summary>Per slot the stamp of the walk that met it last.</summary>
    public ushort[] Visited { get; private set; } = [];

    public int[] PickedSlots { get; private set; } = new int[64];
    public float[] PickedScores { get; private set; } = new float[64];
    public int Picked { get; private set; }

    public ushort NextStamp()
    {
        if (++_stamp == 0)
        {
            Array.Clear(Visited);
            _stamp = 1;
        }
        return _stamp;
    }

    public HnswPool Pool(int size)
    {
        if (_poolSlots.Length < size) (_poolScores, _poolSlots) = (new float[size], new int[size]);
        return new HnswPool(_poolScores.AsSpan(0, size), _poolSlots.AsSpan(0, size));
    }

    public void StartPicks() => Picked = 0;

    public void Pick(int slot)
    {
        if (Picked == PickedSlots.Length)
        {
            var size = Picked * 2;
            (PickedSlots, PickedScores) = (Grown(PickedSlots, size), new float[size]);
        }
        PickedSlots[Picked++] = slot;
    }

    private static int[] Grown(int[] old, int size)
    {
        Array.Resize(ref old, size);
        return old;
    }
}

/// <summary>
/// The ef best candidates of a walk, best first, and which of them have been expanded: the paper's two queues in one list, because a candidate
/// that is not among the ef best would never be expanded.
/// </summary>
internal ref struct HnswPool(Span<float> scores, Span<int> slots)
{
    private const int Expanded = int.MinValue;

    private readonly Span<float> _scores = scores;
    private readonly Span<int> _slots = slots;
    private int _next;

    public int Count { get; private set; }

    /// <summary>What a newcomer must exceed.</summary>
    public readonly float Worst => Count < _scores.Length ? float.NegativeInfinity : _scores[Count - 1];

    public readonly ReadOnlySpan<float> Scores => _scores[..Count];

    /// <summary>Once nothing is left to expand: the slots, aligned with <see cref="Scores"/>.</summary>
    public readonly ReadOnlySpan<int> Slots
    {
        get
        {
            foreach (ref var slot in _slots[..Count]) slot &= ~Expanded;
            return _slots[..Count];
        }
    }

    public readonly int Slot(int at) => _slots[at] & ~Expanded;

    public void Offer(int slot, float score)
    {
        var (low, high) = (0, Count);
        while (low < high)
        {
            var middle = (low + high) >> 1;
            if (_scores[middle] >= score) low = middle + 1;
            else high = middle;
        }
        if (low == _scores.Length) return;
        var kept = Math.Min(Count, _scores.Length - 1) - low;
        _scores.Slice(low, kept).CopyTo(_scores[(low + 1)..]);
        _slots.Slice(low, kept).CopyTo(_slots[(low + 1)..]);
        (_scores[low], _slots[low]) = (score, slot);
        Count = Math.Min(Count + 1, _scores.Length);
        if (low < _next) _next = low;
    }

    /// <summary>The best slot not expanded yet, which from now on is; -1 when there is none.</summary>
    public int NextToExpand()
    {
        while (_next < Count && _slots[_next] < 0) _next++;
        if (_next >= Count) return -1;
        var slot = _slots[_next];
        _slots[_next++] |= Expanded;
        return slot;
    }
}
