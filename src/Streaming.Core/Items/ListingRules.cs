using Streaming.Core.Settings;

namespace Streaming.Core.Items;

/// <summary>What the hard filters of lists read of an item: the categories that some surface excludes or requires, and the attributes that users must share.</summary>
public sealed class ListingRules
{
    private readonly ulong[] _categories;
    private readonly string[] _attributes;

    public ListingRules(FeedsSettings settings)
    {
        _categories =
        [
            .. settings.Surfaces.Values.SelectMany(s => s.RequiredCategories.Concat(s.ExcludedCategories)).Concat(settings.ExcludedCategories)
                .Distinct().Select(InterestKey.Category),
        ];
        _attributes = settings.MatchedAttributes;
    }

    /// <summary>Whether a filter may judge the one item otherwise than the other.</summary>
    public bool Differ(Item one, Item other)
    {
        foreach (var category in _categories)
            if (one.CategoryKeys.Contains(category) != other.CategoryKeys.Contains(category)) return true;
        return _attributes.Length > 0 && !Matched(one).SequenceEqual(Matched(other));
    }

    private IEnumerable<KeyValuePair<string, string>> Matched(Item item) => item.Attributes.Where(a => _attributes.Contains(a.Key));
}
