using Streaming.Core.Items;
using Streaming.Core.Settings;

namespace Streaming.Feeds.Building;

/// <summary>Users of whom nothing is known but where they are and what they declared.</summary>
/// <param name="Name">Name of a tag or category; empty for everybody on the surface.</param>
/// <param name="Surface">Where; empty is the default surface.</param>
public readonly record struct Segment(string Name, string Surface)
{
    public ulong TagKey => InterestKey.Tag(Name);
    public ulong CategoryKey => InterestKey.Category(Name);
}

/// <summary>
/// Says which segments' popular lists are to be rebuilt: those whose order of popularity has changed since they were last named,
/// and those of a certain age, so that expired items leave them. Segments are every surface (configured, or acted upon) by
/// everybody, and by each tag and category in order of first appearance, <see cref="FeedsSettings.SegmentsMax"/> in all. The node
/// calls it between phases; it is not part of a checkpoint, as new it names every segment.
/// </summary>
public sealed class SegmentLists
{
    private readonly FeedIndex _index;
    private readonly FeedsSettings _settings;
    private readonly List<string> _surfaces = [];
    private readonly HashSet<string> _knownNames = [];
    private readonly List<string> _names = [];
    private readonly List<Entry> _entries = [];
    private readonly List<(bool ByName, long NamedMs, int At)> _due = [];

    private sealed class Entry(Segment segment)
    {
        public readonly Segment Segment = segment;
        public readonly ulong TagKey = segment.TagKey;
        public readonly ulong CategoryKey = segment.CategoryKey;
        public long NamedMs = long.MinValue;
        public long Version;
    }

    public SegmentLists(FeedIndex index, FeedsSettings settings)
    {
        (_index, _settings) = (index, settings);
        AddSurface("");
        foreach (var surface in settings.Surfaces.Keys.Order(StringComparer.Ordinal)) AddSurface(surface);
    }

    /// <summary>Segments known.</summary>
    public int Count => _entries.Count;

    /// <summary>The catalogue has inserted or replaced this item.</summary>
    public void OnItem(Item item)
    {
        foreach (var tag in item.Tags) AddName(tag);
        foreach (var category in item.Categories) AddName(category);
    }

    /// <summary>
    /// Fills <paramref name="into"/> with segments whose list is to be rebuilt now: everybody's first, as every unknown user falls
    /// back on them while hundreds of new tags wait, then those that have waited longest; and takes them as rebuilt. Returns how many; the rest is named by later calls.
    /// </summary>
    public int Due(long nowMs, Span<Segment> into)
    {
        foreach (var surface in _index.Popularity.Surfaces)
            if (!_surfaces.Contains(surface)) AddSurface(surface);
        _due.Clear();
        for (var i = 0; i < _entries.Count; i++)
        {
            var entry = _entries[i];
            var aged = entry.NamedMs == long.MinValue || nowMs - entry.NamedMs >= _settings.SegmentRefreshMs;
            if (aged || entry.Version != VersionOf(entry)) _due.Add((entry.Segment.Name.Length > 0, entry.NamedMs, i));
        }
        _due.Sort();
        var count = Math.Min(_due.Count, into.Length);
        for (var i = 0; i < count; i++)
        {
            var entry = _entries[_due[i].At];
            (entry.NamedMs, entry.Version) = (nowMs, VersionOf(entry));
            into[i] = entry.Segment;
        }
        return count;
    }

    private long VersionOf(Entry entry)
    {
        var popularity = _index.Popularity;
        if (entry.Segment.Name.Length > 0)
            return (popularity.OfInterest(entry.TagKey)?.OrderVersion ?? 0) + (popularity.OfInterest(entry.CategoryKey)?.OrderVersion ?? 0);
        return popularity.Overall.OrderVersion + (popularity.OfSurface(entry.Segment.Surface)?.OrderVersion ?? 0);
    }

    private void AddSurface(string surface)
    {
        if (_entries.Count >= _settings.SegmentsMax) return;
        _surfaces.Add(surface);
        Add(new Segment("", surface));
        foreach (var name in _names) Add(new Segment(name, surface));
    }

    private void AddName(string name)
    {
        if (_entries.Count >= _settings.SegmentsMax || name.Length == 0 || !_knownNames.Add(name)) return;
        _names.Add(name);
        foreach (var surface in _surfaces) Add(new Segment(name, surface));
    }

    private void Add(Segment segment)
    {
        if (_entries.Count < _settings.SegmentsMax) _entries.Add(new Entry(segment));
    }
}
