namespace Streaming.Feeds.Structures;

/// <summary>
/// Keeps the best of a stream of candidates in a caller's span: a bounded heap whose root is the worst kept. Larger scores are
/// better; of equal scores the smaller key is, so the result does not depend on the order of the stream.
/// </summary>
internal ref struct TopK(Span<Candidate> into)
{
    private readonly Span<Candidate> _heap = into;

    public int Count { get; private set; }

    /// <summary>Scores that do not exceed this cannot enter, unless by a tie.</summary>
    public readonly float Worst => Count < _heap.Length ? float.NegativeInfinity : _heap[0].Score;

    public void Offer(ulong item, float score)
    {
        if (_heap.Length == 0 || float.IsNaN(score)) return;
        var candidate = new Candidate(item, score);
        if (Count < _heap.Length)
        {
            _heap[Count] = candidate;
            Up(Count++);
        }
        else if (Worse(_heap[0], candidate))
        {
            _heap[0] = candidate;
            Down(0, Count);
        }
    }

    /// <summary>Turns the heap into a list, best first; returns its length. Nothing may be offered afterwards.</summary>
    public readonly int Sort()
    {
        for (var n = Count - 1; n > 0; n--)
        {
            (_heap[0], _heap[n]) = (_heap[n], _heap[0]);
            Down(0, n);
        }
        return Count;
    }

    private static bool Worse(in Candidate a, in Candidate b) => a.Score < b.Score || (a.Score == b.Score && a.Item > b.Item);

    private readonly void Up(int at)
    {
        while (at > 0)
        {
            var parent = (at - 1) / 2;
            if (!Worse(_heap[at], _heap[parent])) return;
            (_heap[at], _heap[parent]) = (_heap[parent], _heap[at]);
            at = parent;
        }
    }

    private readonly void Down(int at, int count)
    {
        while (true)
        {
            var child = 2 * at + 1;
            if (child >= count) return;
            if (child + 1 < count && Worse(_heap[child + 1], _heap[child])) child++;
            if (!Worse(_heap[child], _heap[at])) return;
            (_heap[at], _heap[child]) = (_heap[child], _heap[at]);
            at = child;
        }
    }
}
