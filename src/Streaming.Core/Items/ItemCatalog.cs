using System.Diagnostics.CodeAnalysis;

namespace Streaming.Core.Items;

/// <summary>
/// The catalogue in memory: the <c>items</c> topic applied in order, plus a stub for every item that only events have named.
/// One writer, between phases; readers see a stable view in between.
/// </summary>
public sealed class ItemCatalog : IItemCatalog
{
    private readonly Dictionary<ulong, Item> _items = [];
    private readonly List<ulong> _order = [];

    public int Count => _items.Count;

    /// <summary>Grows with every change; consumers that cache derived data compare it.</summary>
    public long Version { get; private set; }

    public IEnumerable<Item> All
    {
        get
        {
            foreach (var key in _order)
                if (_items.TryGetValue(key, out var item)) yield return item;
        }
    }

    public bool TryGet(ulong key, [MaybeNullWhen(false)] out Item item) => _items.TryGetValue(key, out item);

    /// <summary>Applies an upsert or delete. Returns the item as it now stands, or null after a delete.</summary>
    public Item? Apply(ItemChange change)
    {
        Version++;
        var key = Ids.StableHash.Of(change.Id);
        if (change.Item is null)
        {
            if (_items.Remove(key)) _order.Remove(key);
            return null;
        }
        var firstSeen = _items.TryGetValue(key, out var old) ? old.FirstSeenMs : change.TimeMs;
        var item = change.Item.FirstSeenMs == firstSeen ? change.Item : WithFirstSeen(change.Item, firstSeen);
        if (old is null) _order.Add(key);
        _items[key] = item;
        return item;
    }

    /// <summary>Makes sure that an item named by an event is known; returns false when it already was.</summary>
    public bool AddStub(string id, long timeMs)
    {
        var stub = new Item(id) { FirstSeenMs = timeMs, IsStub = true };
        if (!_items.TryAdd(stub.Key, stub)) return false;
        _order.Add(stub.Key);
        Version++;
        return true;
    }

    private static Item WithFirstSeen(Item item, long firstSeenMs) => new(item.Id)
    {
        Tags = item.Tags, Categories = item.Categories, Author = item.Author, PublishedMs = item.PublishedMs,
        ExpiresMs = item.ExpiresMs, Attributes = item.Attributes, FirstSeenMs = firstSeenMs, IsStub = item.IsStub,
    };
}
