using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;

namespace Streaming.Core.Items;

/// <summary>
/// The catalogue in memory: the <c>items</c> topic applied in order, plus a stub for every item that only events have named.
/// One writer, between phases; readers see a stable view in between. <see cref="TryGet"/>, <see cref="MayBar(long, long)"/> and <see cref="IsRuledAnew"/>
/// may be asked at any time by anybody: look-ups go by them.
/// </summary>
/// <param name="rules">By what lists are filtered; null where nobody asks <see cref="IsRuledAnew"/>.</param>
public sealed class ItemCatalog(ListingRules? rules = null) : IItemCatalog
{
    // One writer: one lock, and no more memory than it takes.
    private readonly ConcurrentDictionary<ulong, Entry> _items = new(concurrencyLevel: 1, capacity: 1024);

    /// <summary>Ends of items' times that have not passed yet, soonest first; an item that was changed may be in it more than once.</summary>
    private readonly PriorityQueue<ulong, long> _ends = new();
    private long _passedMs;
    private long _goneMs = long.MinValue;
    private long _endedMs = long.MinValue;
    private long _nextEndMs = long.MaxValue;

    /// <summary>When an item came to differ in what filters read, by the clock of <see cref="Pass"/>; <see cref="long.MaxValue"/> until it has passed.</summary>
    private readonly ConcurrentDictionary<ulong, long> _ruledMs = new(concurrencyLevel: 1, capacity: 31);
    private readonly List<ulong> _ruledNow = [];

    /// <summary>Keys in order of first appearance; 0, which no key is, where one was deleted.</summary>
    private readonly List<ulong> _order = [];

    private readonly record struct Entry(Item Item, int Slot);

    public int Count { get; private set; }

    public long Version { get; private set; }

    public IEnumerable<Item> All
    {
        get
        {
            foreach (var key in _order)
                if (key != 0) yield return _items[key].Item;
        }
    }

    /// <summary>
    /// Whether an item that a list was made with may have gone since, or its time have come; false for nearly all lists, which then need not be
    /// gone through.
    /// </summary>
    /// <param name="builtMs">When the list was made, by the clock that <see cref="Pass"/> goes by; <see cref="long.MinValue"/> where that is not known.</param>
    /// <param name="nowMs">Unix ms.</param>
    public bool MayBar(long builtMs, long nowMs) =>
        Volatile.Read(ref _goneMs) >= builtMs || Volatile.Read(ref _endedMs) > builtMs || Volatile.Read(ref _nextEndMs) <= nowMs;

    /// <summary>
    /// Lists that are made from now on go by the catalogue as it stands. To be told after changes and whenever time has passed.
    /// </summary>
    /// <param name="nowMs">Unix ms; where it goes back, the latest so far stands.</param>
    public void Pass(long nowMs)
    {
        _passedMs = Math.Max(_passedMs, nowMs);
        foreach (var key in _ruledNow)
            if (_ruledMs.ContainsKey(key)) _ruledMs[key] = _passedMs;
        _ruledNow.Clear();
        if (_goneMs == long.MaxValue) Volatile.Write(ref _goneMs, _passedMs);
        while (_ends.TryPeek(out _, out var endMs) && endMs <= _passedMs)
        {
            _ends.Dequeue();
            Volatile.Write(ref _endedMs, endMs);
        }
        Volatile.Write(ref _nextEndMs, _ends.TryPeek(out _, out var next) ? next : long.MaxValue);
    }

    /// <summary>
    /// Whether the item has come to differ in what filters read since a list was made: then the list cannot say whether it may have it. So do stubs when
    /// the catalogue is told what they are.
    /// </summary>
    /// <param name="key">The item's key.</param>
    /// <param name="builtMs">As for <see cref="MayBar(long, long)"/>.</param>
    public bool IsRuledAnew(ulong key, long builtMs) => !_ruledMs.IsEmpty && _ruledMs.TryGetValue(key, out var ruledMs) && ruledMs >= builtMs;

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
            Gone();
            _ruledMs.TryRemove(key, out _);
            if (!_items.TryRemove(key, out var gone)) return null;
            Count--;
            Vacate(gone.Slot);
            return null;
        }
        var known = _items.TryGetValue(key, out var old);
        var firstSeen = known ? old.Item.FirstSeenMs : change.TimeMs;
        var item = change.Item.FirstSeenMs == firstSeen ? change.Item : WithFirstSeen(change.Item, firstSeen);
        if (item.ExpiresMs != (known ? old.Item.ExpiresMs : long.MaxValue)) EndsAt(item, sooner: known && item.ExpiresMs < old.Item.ExpiresMs);
        if (known && rules?.Differ(item, old.Item) == true)
        {
            _ruledMs[key] = long.MaxValue;
            _ruledNow.Add(key);
            Gone();
        }
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
    internal void Loaded() => Gone();

    /// <summary>When the item came to differ in what filters read, null where it never has: to save.</summary>
    internal long? RuledMs(ulong key) => _ruledMs.TryGetValue(key, out var ms) ? ms : null;

    /// <summary>The same, as it was saved.</summary>
    internal void WasRuled(ulong key, long ms) => _ruledMs[key] = ms;

    /// <summary>Every list so far may have what now must not be in one; until time passes, new ones too.</summary>
    private void Gone() => Volatile.Write(ref _goneMs, long.MaxValue);

    private void EndsAt(Item item, bool sooner)
    {
        if (sooner) Gone();
        if (item.ExpiresMs == long.MaxValue) return;
        // Ends that no longer hold only cost a look; those of items that change all the time must not pile up.
        if (_ends.Count > 2 * Count + 16)
        {
            _ends.Clear();
            _ends.EnqueueRange(_items.Values.Where(e => e.Item.ExpiresMs != long.MaxValue && e.Item.ExpiresMs > _passedMs).Select(e => (e.Item.Key, e.Item.ExpiresMs)));
        }
        _ends.Enqueue(item.Key, item.ExpiresMs);
        if (item.ExpiresMs < _nextEndMs) Volatile.Write(ref _nextEndMs, item.ExpiresMs);
    }

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
