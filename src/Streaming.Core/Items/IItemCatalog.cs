using System.Diagnostics.CodeAnalysis;

namespace Streaming.Core.Items;

/// <summary>Read side of the catalogue. Reads are safe from any thread while nobody writes; the node writes between phases only.</summary>
public interface IItemCatalog
{
    int Count { get; }

    /// <summary>Grows with every change; consumers that cache derived data compare it.</summary>
    long Version { get; }

    bool TryGet(ulong key, [MaybeNullWhen(false)] out Item item);

    /// <summary>All live items, in order of first appearance (deterministic).</summary>
    IEnumerable<Item> All { get; }
}

/// <summary>One record of the <c>items</c> topic: an upsert when <see cref="Item"/> is set, else a delete of <see cref="Id"/>.</summary>
public sealed record ItemChange(string Id, Item? Item, long TimeMs);
