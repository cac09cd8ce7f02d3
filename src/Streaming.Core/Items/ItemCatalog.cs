using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;

namespace Streaming.Core.Items;

/// <summary>
/// The catalogue in memory: the <c>items</c> topic applied in order, plus a stub for every item that only events have named.
/// One writer, between phases; readers see a stable view in between. <see cref="TryGet"/> and <see cref="MayBar"/> may be asked at any time by anybody:
/// look-ups go by them.
/// </summary>
public sealed class ItemCatalog : IItemCatalog
{
    // One writer: one lock, and no more memory than it takes.
    private readonly ConcurrentDictionary<ulong, Entry> _items = new(concurrencyLevel: 1, capacity: 1024);
    private volatile bool _mayBar;

    /// <summary>Keys in order of first appearance; 0, which no key is, where one was deleted.</summary>
    private readonly List<ulong> _order = [];

    private readonly record struct Entry(Item Item, int Slot);

    public int Count { get; private set; }

    /// <summary>Whether an item may have gone, or come to go by its time, while a list in the cache still has it.</summary>
    public bool MayBar => _mayBar;

    public long Version { get; private set; }

    public IEnumerable<Item> All
    {
        get
        {
            foreach (var key in _order)
                if (key != 0) yield return _items[key].Item;
        }
    }

    public bool TryGet(ulong key, [MaybeNullWhen(false)] out Item item)
    {
        var found = _items.TryGetValue(key, out var entry);
        item = entry.Item;
        return found;
    }

    /// <summary>Applies an upsert or delete. Returns the item as it now stands, or null after a delete.</summary>
    public Item? Apply(ItemChange change)
    {
        Version++;
        var key = Ids.StableHash.Of(change.Id);
        if (change.Item is null)
        {
            _mayBar = true;
            if (!_items.TryRemove(key, out var gone)) return null;
            Count--;
            Vacate(gone.Slot);
            return null;
        }
        var known = _items.TryGetValue(key, out var old);
        var firstSeen = known ? old.Item.FirstSeenMs : change.TimeMs;
        var item = change.Item.FirstSeenMs == firstSeen ? change.Item : WithFirstSeen(change.Item, firstSeen);
        if (item.ExpiresMs != long.MaxValue) _mayBar = true;
        _items[key] = new Entry(item, known ? old.Slot : _order.Count);
        if (known) return item;
        _order.Add(key);
        Count++;
        return item;
    }

    /// <summary>Makes sure that an item named by an event is known; returns false when it already was.</summary>
    public bool AddStub(string id, long timeMs)
    {
        var stub = new Item(id) { FirstSeenMs = timeMs, IsStub = true };
        if (!_items.TryAdd(stub.Key, new Entry(stub, _order.Count))) return false;
        _order.Add(stub.Key);
        Count++;
        Version++;
        return true;
    }

    /// <summary>It was saved and loaded: lists that are older may hold items that were deleted before.</summary>
    internal void Loaded() => _mayBar = true;

    /// <summary>Empties a slot; once more slots are empty than taken, closes the gaps, so that a delete costs O(1) amortised.</summary>
    private void Vacate(int slot)
    {
        _order[slot] = 0;
        if (_order.Count <= 2 * Count + 16) return;
        var kept = 0;
        for (var i = 0; i < _order.Count; i++)
        {
            var key = _order[i];
            if (key == 0) continue;
            _items[key] = _items[key] with { Slot = kept };
            _order[kept++] = key;
        }
        _order.RemoveRange(kept, _order.Count - kept);
    }

    private static Item WithFirstSeen(Item item, long firstSeenMs) => new(item.Id)
    {
        Tags = item.Tags, Categories = item.Categories, Author = item.Author, PublishedMs = item.PublishedMs,
        ExpiresMs = item.ExpiresMs, Attributes = item.Attributes, FirstSeenMs = firstSeenMs, IsStub = item.IsStub,
    };
}
