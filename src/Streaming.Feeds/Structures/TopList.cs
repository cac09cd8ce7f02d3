using Streaming.Core.Wire;

namespace Streaming.Feeds.Structures;

/// <summary>
/// The best items by a score that grows: sorted, bounded, kept up item by item. As long as scores only grow, and each growth is
/// offered, it equals the sorted top of all items: an item outside can enter only by its own growth.
/// </summary>
internal sealed class TopList(int capacity)
{
    private ulong[] _keys = new ulong[Math.Min(capacity, 8)];
    private double[] _scores = new double[Math.Min(capacity, 8)];

    public int Count { get; private set; }

    /// <summary>Grows whenever an item enters, leaves or overtakes another.</summary>
    public long OrderVersion { get; private set; }

    public ReadOnlySpan<ulong> Keys => _keys.AsSpan(0, Count);
    public ReadOnlySpan<double> Scores => _scores.AsSpan(0, Count);

    /// <summary>Sets the item's score, in or out of the list; larger first, of equal scores the smaller key first.</summary>
    public void Offer(ulong key, double score)
    {
        var at = Keys.IndexOf(key);
        if (at < 0)
        {
            if (Count == capacity)
            {
                if (!Before(score, key, _scores[Count - 1], _keys[Count - 1])) return;
                at = Count - 1;
            }
            else
            {
                if (Count == _keys.Length) Grow();
                at = Count++;
            }
            OrderVersion++;
        }
        Place(at, key, score);
    }

    public void Remove(ulong key)
    {
        var at = Keys.IndexOf(key);
        if (at < 0) return;
        Count--;
        _keys.AsSpan(at + 1, Count - at).CopyTo(_keys.AsSpan(at));
        _scores.AsSpan(at + 1, Count - at).CopyTo(_scores.AsSpan(at));
        OrderVersion++;
    }

    public void Save(ByteWriter into)
    {
        into.Count(Count);
        for (var i = 0; i < Count; i++)
        {
            into.UInt64(_keys[i]);
            into.Double(_scores[i]);
        }
    }

    /// <exception cref="FormatException">Too long for this list, or out of order.</exception>
    public static TopList Load(ref ByteReader from, int capacity)
    {
        var count = from.Count(16);
        Part.Expect(count <= capacity, $"a list of {count} items exceeds the bound of {capacity}");
        var list = new TopList(capacity) { _keys = new ulong[Math.Max(count, 1)], _scores = new double[Math.Max(count, 1)], Count = count };
        for (var i = 0; i < count; i++)
        {
            (list._keys[i], list._scores[i]) = (from.UInt64(), from.Double());
            Part.Expect(!double.IsNaN(list._scores[i]), "a list holds NaN");
            Part.Expect(i == 0 || Before(list._scores[i - 1], list._keys[i - 1], list._scores[i], list._keys[i]), "a list is out of order");
        }
        return list;
    }

    private void Place(int at, ulong key, double score)
    {
        var start = at;
        for (; at > 0 && Before(score, key, _scores[at - 1], _keys[at - 1]); at--)
            (_keys[at], _scores[at]) = (_keys[at - 1], _scores[at - 1]);
        // Scores shrink only in rare cases (a forgotten item that returns, a late event in the trend).
        for (; at < Count - 1 && Before(_scores[at + 1], _keys[at + 1], score, key); at++)
            (_keys[at], _scores[at]) = (_keys[at + 1], _scores[at + 1]);
        if (at != start) OrderVersion++;
        (_keys[at], _scores[at]) = (key, score);
    }

    private static bool Before(double score, ulong key, double otherScore, ulong otherKey) =>
        score > otherScore || (score == otherScore && key < otherKey);

    private void Grow()
    {
        var size = Math.Min(capacity, Math.Max(8, Count * 2));
        Array.Resize(ref _keys, size);
        Array.Resize(ref _scores, size);
    }
}
