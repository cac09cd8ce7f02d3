using Streaming.Core.Experiments;
using Streaming.Core.Ids;

namespace Streaming.Experiments.Splitting;

/// <summary>
/// Gives buckets to owners so that as few as possible change hands: an owner with too many lets go of just the surplus, one with too
/// few takes just what is missing from those that are free then. As every change must lower a surplus or fill a gap, fewer changes
/// than max(surplus, gaps), nobody's buckets counted as an owner's, cannot lead to the wanted counts, and there are no more.
/// <para>
/// Which ones is decided by an order of the owner's own, StableHash.Combine(owner, bucket): it lets go of its last, and takes the first
/// of those that this change has freed (their users move in any case), then of those that were free before. So the users of an experiment are spread over those of the ones before it in the layer, and what those left
/// behind in people (carry-over) falls on its arms alike.
/// </para>
/// </summary>
public static class BucketAllocator
{
    /// <param name="before">What is in force; null for nobody has any. A table of another size counts as null.</param>
    /// <param name="buckets">Buckets of the layer.</param>
    /// <param name="wanted">Owners and how many each shall have, at most <paramref name="buckets"/> in all; owners not named lose theirs.</param>
    public static BucketTable Allocate(BucketTable? before, int buckets, IReadOnlyList<(string Owner, int Count)> wanted)
    {
        if (wanted.Count > BucketTable.OwnersMax) throw new ArgumentException($"{wanted.Count} owners; {BucketTable.OwnersMax} at most", nameof(wanted));
        if (wanted.Sum(w => w.Count) > buckets) throw new ArgumentException($"{wanted.Sum(w => w.Count)} of {buckets} buckets are wanted", nameof(wanted));
        var table = new byte[buckets];
        if (before is not null && before.Buckets.Length == buckets) Carry(before, wanted, table);
        for (var owner = 0; owner < wanted.Count; owner++) LetGo(table, (byte)(owner + 1), wanted[owner].Owner, wanted[owner].Count);
        var (freed, free) = (new List<int>(), new List<int>());
        for (var bucket = 0; bucket < buckets; bucket++)
            if (table[bucket] == 0) (before is not null && NameOf(before, bucket) is not null ? freed : free).Add(bucket);
        for (var owner = 0; owner < wanted.Count; owner++)
        {
            Take(table, freed, (byte)(owner + 1), wanted[owner].Owner, wanted[owner].Count);
            Take(table, free, (byte)(owner + 1), wanted[owner].Owner, wanted[owner].Count);
        }
        return new BucketTable([.. wanted.Select(w => w.Owner)], table);
    }

    /// <summary>Buckets that two tables of one layer give to different owners.</summary>
    public static int Moved(BucketTable before, BucketTable after)
    {
        var moved = 0;
        for (var b = 0; b < after.Buckets.Length; b++)
            if (NameOf(before, b) != NameOf(after, b)) moved++;
        return moved;
    }

    private static string? NameOf(BucketTable table, int bucket) =>
        bucket < table.Buckets.Length && table.Buckets[bucket] is > 0 and var owner ? table.Owners[owner - 1] : null;

    private static void Carry(BucketTable before, IReadOnlyList<(string Owner, int Count)> wanted, byte[] table)
    {
        var now = new byte[before.Owners.Count + 1];
        for (var old = 0; old < before.Owners.Count; old++)
            for (var owner = 0; owner < wanted.Count; owner++)
                if (wanted[owner].Owner == before.Owners[old]) now[old + 1] = (byte)(owner + 1);
        for (var bucket = 0; bucket < table.Length; bucket++) table[bucket] = now[before.Buckets[bucket]];
    }

    private static void LetGo(byte[] table, byte owner, string name, int count)
    {
        var has = new List<int>();
        for (var bucket = 0; bucket < table.Length; bucket++)
            if (table[bucket] == owner) has.Add(bucket);
        if (has.Count <= count) return;
        Order(has, name);
        foreach (var bucket in has.Skip(count)) table[bucket] = 0;
    }

    private static void Take(byte[] table, List<int> free, byte owner, string name, int count)
    {
        var missing = Math.Min(free.Count, count - table.AsSpan().Count(owner));
        if (missing <= 0) return;
        Order(free, name);
        foreach (var bucket in free.Take(missing)) table[bucket] = owner;
        free.RemoveRange(0, missing);
    }

    private static void Order(List<int> buckets, string owner)
    {
        var salt = StableHash.Of(owner);
        buckets.Sort((a, b) => (StableHash.Combine(salt, (ulong)a), a).CompareTo((StableHash.Combine(salt, (ulong)b), b)));
    }
}
