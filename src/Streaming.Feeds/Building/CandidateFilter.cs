using System.Diagnostics.CodeAnalysis;
using Streaming.Core.Items;
using Streaming.Users;

namespace Streaming.Feeds.Building;

/// <summary>Why an item may, or may not, stand in a user's list.</summary>
public enum FilterVerdict : byte
{
    Keep,
    /// <summary>The catalogue does not know it, or has deleted it.</summary>
    Unknown,
    Expired,
    /// <summary>Its categories are excluded, or none is among the required ones.</summary>
    Category,
    /// <summary>It is for users who have an attribute of the same value.</summary>
    Attribute,
    Disliked,
    Hidden,
    /// <summary>Clicked, and not long enough ago.</summary>
    Clicked,
    /// <summary>Seen too often. Relaxed when too little else is left.</summary>
    Seen,
    /// <summary>Served too often. Relaxed when too little else is left.</summary>
    Served,
}

/// <summary>Decides item by item for one list at a time. Not thread-safe; allocates nothing.</summary>
internal sealed class CandidateFilter(IItemCatalog items)
{
    private UserState? _user;
    private ListPlan _plan = null!;
    private long _nowMs;

    /// <param name="user">Null when the list is for no user in particular.</param>
    /// <param name="plan">The rules.</param>
    /// <param name="nowMs">Event time.</param>
    public void Start(UserState? user, ListPlan plan, long nowMs) => (_user, _plan, _nowMs) = (user, plan, nowMs);

    public static bool IsRelaxable(FilterVerdict verdict) => verdict is FilterVerdict.Seen or FilterVerdict.Served;

    public FilterVerdict Check(ulong key, [MaybeNull] out Item item)
    {
        if (!items.TryGet(key, out item)) return FilterVerdict.Unknown;
        if (item.IsExpired(_nowMs)) return FilterVerdict.Expired;
        if (_plan.Excluded.Length > 0 && item.CategoryKeys.IndexOfAny(_plan.Excluded) >= 0) return FilterVerdict.Category;
        if (_plan.Required.Length > 0 && item.CategoryKeys.IndexOfAny(_plan.Required) < 0) return FilterVerdict.Category;
        if (_plan.Matched.Length > 0 && !Matches(item)) return FilterVerdict.Attribute;
        if (_user is null || !_user.Marks.TryGetValue(key, out var marks)) return FilterVerdict.Keep;
        if (marks.Disliked) return FilterVerdict.Disliked;
        if (marks.Hidden) return FilterVerdict.Hidden;
        if (marks.Clicked > 0 && !(_plan.RepeatClickedAfterMs >= 0 && _nowMs - marks.LastMs >= _plan.RepeatClickedAfterMs))
            return FilterVerdict.Clicked;
        if (_plan.SeenMax > 0 && marks.Seen >= _plan.SeenMax) return FilterVerdict.Seen;
        return _plan.ServedMax > 0 && marks.Served >= _plan.ServedMax ? FilterVerdict.Served : FilterVerdict.Keep;
    }

    // By index: enumerating an interface allocates.
    private bool Matches(Item item)
    {
        for (var i = 0; i < item.Attributes.Count; i++)
        {
            var (name, values) = item.Attributes[i];
            if (Array.IndexOf(_plan.Matched, name) >= 0 && !Has(name, values)) return false;
        }
        return true;
    }

    private bool Has(string name, string values)
    {
        if (_user?.Profile is not { } profile) return false;
        for (var i = 0; i < profile.Attributes.Count; i++)
        {
            var (own, value) = profile.Attributes[i];
            if (own != name) continue;
            foreach (var range in values.AsSpan().Split('|'))
                if (values.AsSpan(range).SequenceEqual(value)) return true;
        }
        return false;
    }
}
