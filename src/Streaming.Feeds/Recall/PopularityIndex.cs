using Streaming.Core.Examples;
using Streaming.Core.Items;
using Streaming.Core.Ports;
using Streaming.Core.Settings;
using Streaming.Feeds.Structures;

namespace Streaming.Feeds.Recall;

/// <summary>
/// Decayed popularity of items, overall and per surface, and the lists that several channels read: the most popular, the
/// trending, and posting lists per tag, category and author. All are bounded and kept up click by click.
/// <para>
/// Popularity is the sum of positive action weights, halved every <see cref="FeedsSettings.PopularHalfLifeMs"/>. The trend is
/// s / sqrt(l), with s and l the sums of the short and the long half-life: like a z-score of a Poisson count, it lets neither a
/// single click on a new item nor the bulk of an old one win. Both orders hold still between clicks (<see cref="ForwardDecay"/>).
/// </para>
/// One thread learns while nobody reads; then any number may read.
/// </summary>
public sealed partial class PopularityIndex(FeedsSettings settings) : IStreamLearner
{
    private const int KeysPerItemMax = 16;

    private Dictionary<ulong, Sums> _sums = [];
    private Dictionary<ulong, Membership> _members = [];
    private Dictionary<string, SurfaceSums> _surfaces = [];
    private Dictionary<ulong, TopList> _postings = [];
    private Dictionary<ulong, TopList> _authors = [];
    private TopList _overall = new(settings.PopularTopMax);
    private TopList _trending = new(settings.PopularTopMax);

    /// <summary>Logarithms of the two forward-decayed sums of an item.</summary>
    private readonly record struct Sums(double Long, double Short)
    {
        public static readonly Sums Empty = new(double.NegativeInfinity, double.NegativeInfinity);

        public double Trend => Short - 0.5 * Long;
    }

    /// <summary>The posting lists an item stands in: tags and categories, and its author (0 without one).</summary>
    private readonly record struct Membership(ulong[] Keys, ulong Author);

    private sealed class SurfaceSums(TopList top)
    {
        public Dictionary<ulong, double> Sums { get; } = [];
        public TopList Top { get; } = top;
    }

    public string Name => "popularity";

    /// <summary>Items with a popularity.</summary>
    public int Count => _sums.Count;

    internal TopList Overall => _overall;
    internal TopList Trending => _trending;

    /// <summary>The list of a surface, or null while it has none of its own.</summary>
    internal TopList? OfSurface(string surface) => _surfaces.GetValueOrDefault(surface)?.Top;

    /// <summary>Surfaces with a list of their own, in ordinal order.</summary>
    internal IEnumerable<string> Surfaces => _surfaces.Keys.Order(StringComparer.Ordinal);

    /// <summary>The posting list of a tag or category (<see cref="InterestKey"/>), or null.</summary>
    internal TopList? OfInterest(ulong key) => _postings.GetValueOrDefault(key);

    /// <summary>The posting list of an author, or null.</summary>
    internal TopList? OfAuthor(ulong key) => _authors.GetValueOrDefault(key);

    /// <summary>Popularity now: decayed positive action weight.</summary>
    public double Popularity(ulong item, long nowMs) =>
        _sums.TryGetValue(item, out var sums) ? ForwardDecay.Value(sums.Long, nowMs, settings.PopularHalfLifeMs) : 0;

    /// <summary>The same by the short half-life, <see cref="FeedsSettings.TrendingHalfLifeMs"/>.</summary>
    public double Recent(ulong item, long nowMs) =>
        _sums.TryGetValue(item, out var sums) ? ForwardDecay.Value(sums.Short, nowMs, settings.TrendingHalfLifeMs) : 0;

    public void OnExample(Example example)
    {
        // A positive example comes beside an interaction, and a negative says nothing about popularity.
    }

    public void OnInteraction(Interaction interaction)
    {
        if (!(interaction.Weight > 0)) return;
        var (key, time, weight) = (interaction.ItemKey, interaction.TimeMs, (double)interaction.Weight);
        var old = _sums.GetValueOrDefault(key, Sums.Empty);
        var sums = new Sums(
            ForwardDecay.Add(old.Long, time, weight, settings.PopularHalfLifeMs),
            ForwardDecay.Add(old.Short, time, weight, settings.TrendingHalfLifeMs));
        _sums[key] = sums;
        _trending.Offer(key, sums.Trend);
        Offer(key, sums.Long);
        if (interaction.Surface.Length > 0) AddToSurface(interaction.Surface, key, time, weight);
        if (_sums.Count > settings.PopularItemsMax) Forget();
    }

    /// <summary>Lists the item under its tags, categories and author; a new one starts with the prior weight at its birth.</summary>
    public void OnItem(Item item)
    {
        var keys = Keys(item);
        if (_members.TryGetValue(item.Key, out var old))
        {
            if (old.Author == item.AuthorKey && old.Keys.AsSpan().SequenceEqual(keys)) return;
            Unlist(item.Key, old);
        }
        _members[item.Key] = new Membership(keys, item.AuthorKey);
        if (!_sums.TryGetValue(item.Key, out var sums))
        {
            var born = item.FirstSeenMs > 0 ? Math.Min(item.BornMs, item.FirstSeenMs) : item.BornMs;
            sums = new Sums(
                ForwardDecay.Add(double.NegativeInfinity, born, settings.PopularPriorWeight, settings.PopularHalfLifeMs),
                ForwardDecay.Add(double.NegativeInfinity, born, settings.PopularPriorWeight, settings.TrendingHalfLifeMs));
            _sums[item.Key] = sums;
        }
        Offer(item.Key, sums.Long);
        if (_sums.Count > settings.PopularItemsMax) Forget();
    }

    public void OnItemDeleted(ulong item)
    {
        if (_members.Remove(item, out var membership)) Unlist(item, membership);
        _sums.Remove(item);
        _overall.Remove(item);
        _trending.Remove(item);
        foreach (var surface in _surfaces.Values)
        {
            surface.Sums.Remove(item);
            surface.Top.Remove(item);
        }
    }

    private static ulong[] Keys(Item item)
    {
        var keys = new List<ulong>();
        foreach (var key in item.TagKeys)
            if (keys.Count < KeysPerItemMax && !keys.Contains(key)) keys.Add(key);
        foreach (var key in item.CategoryKeys)
            if (keys.Count < KeysPerItemMax && !keys.Contains(key)) keys.Add(key);
        return [.. keys];
    }

    private void Offer(ulong key, double score)
    {
        _overall.Offer(key, score);
        if (!_members.TryGetValue(key, out var membership)) return;
        foreach (var interest in membership.Keys) Posting(_postings, interest).Offer(key, score);
        if (membership.Author != 0) Posting(_authors, membership.Author).Offer(key, score);
    }

    private TopList Posting(Dictionary<ulong, TopList> lists, ulong key)
    {
        if (lists.TryGetValue(key, out var list)) return list;
        if (lists.Count >= settings.PostingListsMax)
            DropLowest(lists, settings.PostingListsMax, l => l.Count == 0 ? double.NegativeInfinity : l.Scores[0], _ => { });
        return lists[key] = new TopList(settings.PostingsMax);
    }

    private void Unlist(ulong item, Membership membership)
    {
        foreach (var key in membership.Keys) Remove(_postings, key);
        if (membership.Author != 0) Remove(_authors, membership.Author);

        void Remove(Dictionary<ulong, TopList> lists, ulong key)
        {
            if (!lists.TryGetValue(key, out var list)) return;
            list.Remove(item);
            if (list.Count == 0) lists.Remove(key);
        }
    }

    private void AddToSurface(string name, ulong key, long timeMs, double weight)
    {
        if (!_surfaces.TryGetValue(name, out var surface))
        {
            if (_surfaces.Count >= settings.PopularSurfacesMax) return;
            _surfaces[name] = surface = new SurfaceSums(new TopList(settings.PopularTopMax));
        }
        var log = ForwardDecay.Add(surface.Sums.GetValueOrDefault(key, double.NegativeInfinity), timeMs, weight, settings.PopularHalfLifeMs);
        surface.Sums[key] = log;
        surface.Top.Offer(key, log);
        if (surface.Sums.Count > settings.PopularItemsMax)
            DropLowest(surface.Sums, settings.PopularItemsMax, score => score, surface.Top.Remove);
    }

    // A forgotten item keeps its tags (the catalogue bounds those), so that it is listed again when someone acts on it.
    private void Forget() => DropLowest(_sums, settings.PopularItemsMax, sums => sums.Long, item =>
    {
        _overall.Remove(item);
        _trending.Remove(item);
        if (_members.TryGetValue(item, out var membership)) Unlist(item, membership);
    });

    /// <summary>Removes the entries of lowest score, an eighth of <paramref name="max"/> below it, so that the sort is paid rarely.</summary>
    private static void DropLowest<T>(Dictionary<ulong, T> entries, int max, Func<T, double> score, Action<ulong> onDropped)
    {
        var ranked = entries.Select(e => (Score: score(e.Value), e.Key)).ToArray();
        Array.Sort(ranked);
        foreach (var (_, key) in ranked.AsSpan(0, Math.Max(1, entries.Count - (max - max / 8))))
        {
            entries.Remove(key);
            onDropped(key);
        }
    }
}
