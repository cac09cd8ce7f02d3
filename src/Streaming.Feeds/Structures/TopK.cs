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
        if (Count < _heap.Length) Up(Count++, candidate);
        else if (Worse(_heap[0], candidate)) Down(0, Count, candidate);
    }

    /// <summary>Turns the heap into a list, best first; returns its length. Nothing may be offered afterwards.</summary>
    public readonly int Sort()
    {
        for (var n = Count - 1; n > 0; n--)
        {
            var last = _heap[n];
            _heap[n] = _heap[0];
            Down(0, n, last);
        }
        return Count;
    }

    private static bool Worse(in Candidate a, in Candidate b) => a.Score < b.Score || (a.Score == b.Score && a.Item > b.Item);

    /// <summary>Places a candidate at <paramref name="at"/> or above, moving better parents down into the hole.</summary>
    private readonly void Up(int at, in Candidate candidate)
    {
        var heap = _heap;
        for (int parent; at > 0 && Worse(candidate, heap[parent = (at - 1) / 2]); at = parent) heap[at] = heap[parent];
        heap[at] = candidate;
    }

    /// <summary>Places a candidate at <paramref name="at"/> or below, moving worse children up into the hole.</summary>
    private readonly void Down(int at, int count, in Candidate candidate)
    {
        var heap = _heap[..count];
        for (var child = 2 * at + 1; child < heap.Length; child = 2 * at + 1)
        {
            if (child + 1 < heap.Length && Worse(heap[child + 1], heap[child])) child++;
            if (!Worse(heap[child], candidate)) break;
            heap[at] = heap[child];
            at = child;
        }
        heap[at] = candidate;
    }
}
