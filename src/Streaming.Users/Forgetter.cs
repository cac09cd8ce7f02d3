namespace Streaming.Users;

/// <summary>Ranks the values of a <see cref="KeyedTable{T}"/> by how much they deserve to be kept; larger stays.</summary>
internal interface IRetention<T> where T : struct
{
    long Rank(in T value);
}

/// <summary>
/// Keeps a table within its bound by forgetting the lowest ranked (ties: the smaller key goes first). It drops one eighth of the
/// bound at once, so that the sort is paid once per many additions.
/// </summary>
internal sealed class Forgetter
{
    private Ranked[] _ranked = [];
    private bool[] _keep = [];

    private readonly record struct Ranked(long Rank, ulong Key, int At) : IComparable<Ranked>
    {
        public int CompareTo(Ranked other)
        {
            var byRank = Rank.CompareTo(other.Rank);
            return byRank != 0 ? byRank : Key.CompareTo(other.Key);
        }
    }

    public void Bound<T, TRetention>(KeyedTable<T> table, int max, TRetention retention)
        where T : struct where TRetention : struct, IRetention<T>
    {
        if (table.Count <= max) return;
        if (_ranked.Length < table.Count)
        {
            _ranked = new Ranked[table.Count * 2];
            _keep = new bool[table.Count * 2];
        }
        var ranked = _ranked.AsSpan(0, table.Count);
        var keep = _keep.AsSpan(0, table.Count);
        for (var i = 0; i < ranked.Length; i++) ranked[i] = new Ranked(retention.Rank(table.ValueAt(i)), table.KeyAt(i), i);
        ranked.Sort();
        keep.Fill(true);
        foreach (var gone in ranked[..(table.Count - (max - max / 8))]) keep[gone.At] = false;
        table.Keep(keep);
    }
}

/// <summary>Oldest marks first; what the user disliked or hid outlives everything else.</summary>
internal readonly struct MarkRetention : IRetention<ItemMarks>
{
    public long Rank(in ItemMarks value) => value.LastMs + (value.Disliked || value.Hidden ? 1L << 50 : 0);
}

/// <summary>Weakest interest or aversion first, as decayed to one moment.</summary>
internal readonly struct InterestRetention(long nowMs, long halfLifeMs) : IRetention<Interest>
{
    public long Rank(in Interest value) =>
        BitConverter.SingleToInt32Bits((float)(Math.Abs(value.Weight) * Decay.Factor(nowMs - value.TimeMs, halfLifeMs)));
}
