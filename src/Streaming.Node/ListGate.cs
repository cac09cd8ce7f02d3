using Streaming.Core.Feeds;
using Streaming.Core.Ids;
using Streaming.Core.Items;

namespace Streaming.Node;

/// <summary>What a caller wants none of, or nothing but.</summary>
public sealed class ListFilter
{
    private readonly HashSet<ulong> _excluded;
    private readonly ulong[] _categories;

    private ListFilter(HashSet<ulong> excluded, ulong[] categories) => (_excluded, _categories) = (excluded, categories);

    /// <param name="excluded">Ids of items that are not to come.</param>
    /// <param name="categories">Where not empty, an item has to have one of them.</param>
    /// <returns>Null where nothing is asked for.</returns>
    public static ListFilter? Of(IReadOnlyCollection<string> excluded, IReadOnlyCollection<string> categories) => excluded.Count == 0 && categories.Count == 0
        ? null
        : new ListFilter([.. excluded.Select(StableHash.Of)], [.. categories.Select(InterestKey.Category)]);

    /// <param name="key">The item's key.</param>
    /// <param name="item">Null where the catalogue does not know it.</param>
    internal bool Lets(ulong key, Item? item) =>
        !_excluded.Contains(key) && (_categories.Length == 0 || (item is not null && item.CategoryKeys.IndexOfAny(_categories) >= 0));
}

/// <summary>
/// Whatever a list in the cache holds: what was deleted since, or whose time has come, or of which filters read something else than when the list was made,
/// does not leave the node, nor what the caller filters out. Any thread; allocates nothing.
/// </summary>
/// <param name="catalog">In force.</param>
/// <param name="knowsAll">
/// Whether the catalogue names every item that a list can hold. Where nodes share the users, those that only events have named are known to
/// their leader alone.
/// </param>
public sealed class ListGate(Func<ItemCatalog> catalog, bool knowsAll)
{
    /// <summary>Where others make the lists: how long after a change here they may not have read it yet.</summary>
    private const long OthersBehindMs = 60_000;

    /// <summary>Positions of the entries that pass, in order.</summary>
    /// <param name="list">From the cache.</param>
    /// <param name="filter">The caller's; null for none.</param>
    /// <param name="nowMs">Unix ms.</param>
    /// <param name="into">Room for all of the list.</param>
    /// <returns>How many pass; -1 where all do, and nothing was written.</returns>
    public int Passing(in FeedListView list, ListFilter? filter, long nowMs, Span<int> into)
    {
        var items = catalog();
        // Where others make the lists, their clocks and how far they were say nothing of when.
        if (filter is null && !items.MayBar(knowsAll ? list.BuiltMs : long.MinValue, nowMs)) return -1;
        var (count, builtMs) = (0, knowsAll ? list.BuiltMs : list.BuiltMs - OthersBehindMs);
        for (var i = 0; i < list.Count; i++)
        {
            var key = list.ItemKey(i);
            var known = items.TryGet(key, out var item);
            if (known ? item!.IsExpired(nowMs) || items.IsRuledAnew(key, builtMs) : knowsAll) continue;
            if (filter is null || filter.Lets(key, item)) into[count++] = i;
        }
        return count == list.Count ? -1 : count;
    }
}
