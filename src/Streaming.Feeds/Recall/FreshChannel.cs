using Streaming.Core.Examples;
using Streaming.Core.Feeds;
using Streaming.Core.Items;
using Streaming.Core.Ports;
using Streaming.Core.Settings;
using Streaming.Core.Wire;
using Streaming.Feeds.Structures;
using Streaming.Users;

namespace Streaming.Feeds.Recall;

/// <summary>
/// New items with few impressions. Recall is optimistic, by an upper confidence bound (UCB1: Auer et al., 2002),
/// (clicks + 0.5) / (n + 5) + c sqrt(ln(1 + N) / (1 + n)), with n the item's impressions and N those of all fresh items; it is
/// deterministic. The random draws of exploration slots are the list builder's and come from the same <see cref="Pool"/>.
/// </summary>
public sealed class FreshChannel(FeedsSettings settings) : IRecallChannel, IStreamLearner
{
    private const byte FormatVersion = 1;
    private const float PriorClicks = 0.5f;
    private const float PriorImpressions = 5f;

    /// <summary>All tracked, newest first; of equal age the smaller key first.</summary>
    private List<Entry> _items = [];

    /// <summary>Those of <see cref="_items"/> that still want impressions, in the same order: what recall walks.</summary>
    private List<Entry> _open = [];

    private Dictionary<ulong, Entry> _byKey = [];
    private double _impressions;
    private long _nowMs;

    private sealed class Entry(ulong key, long bornMs)
    {
        public readonly ulong Key = key;
        public readonly long BornMs = bornMs;
        public double Impressions;
        public double Clicks;
    }

    public string Name => FeedChannels.Fresh;

    /// <summary>Items tracked.</summary>
    public int Count => _items.Count;

    public void OnItem(Item item)
    {
        if (_byKey.TryGetValue(item.Key, out var old) && old.BornMs == item.BornMs) return;
        if (old is not null) Remove(old);
        if (item.BornMs <= _nowMs - settings.FreshAgeMs) return;
        var entry = new Entry(item.Key, item.BornMs) { Impressions = old?.Impressions ?? 0, Clicks = old?.Clicks ?? 0 };
        var at = Position(_items, entry);
        if (at >= settings.FreshItemsMax) return;
        _items.Insert(at, entry);
        if (IsOpen(entry)) _open.Insert(Position(_open, entry), entry);
        _byKey[item.Key] = entry;
        if (_items.Count > settings.FreshItemsMax) Remove(_items[^1]);
    }

    public void OnItemDeleted(ulong item)
    {
        if (_byKey.TryGetValue(item, out var entry)) Remove(entry);
    }

    public void OnExample(Example example)
    {
        _nowMs = Math.Max(_nowMs, example.LabelMs);
        if (!_byKey.TryGetValue(example.ItemKey, out var entry)) return;
        // A correction labels an impression that was counted when it left as a negative.
        var impressions = example.IsCorrection ? 0 : 1.0 / example.SampleRate;
        var wasOpen = IsOpen(entry);
        entry.Impressions += impressions;
        _impressions += impressions;
        if (example.Label > 0) entry.Clicks++;
        if (wasOpen && !IsOpen(entry)) _open.RemoveAt(Position(_open, entry));
    }

    public void OnInteraction(Interaction interaction) => _nowMs = Math.Max(_nowMs, interaction.TimeMs);

    /// <summary>Lets go of items that are no longer young.</summary>
    public void Refresh(long nowMs)
    {
        _nowMs = Math.Max(_nowMs, nowMs);
        while (_items.Count > 0 && _items[^1].BornMs <= _nowMs - settings.FreshAgeMs) Remove(_items[^1]);
    }

    public int Recall(UserState user, in RecallRequest request, Span<Candidate> into)
    {
        var top = new TopK(into);
        var log = settings.FreshUcb * settings.FreshUcb * Math.Log(1 + _impressions);
        var left = settings.FreshPoolMax;
        foreach (var entry in _open)
        {
            if (!IsYoung(entry, request.NowMs)) continue;
            var mean = (entry.Clicks + PriorClicks) / (entry.Impressions + PriorImpressions);
            top.Offer(entry.Key, (float)(mean + Math.Sqrt(log / (1 + entry.Impressions))));
            if (--left == 0) break;
        }
        return top.Sort();
    }

    /// <summary>The items that exploration may draw from at this time, newest first; returns how many.</summary>
    public int Pool(long nowMs, Span<ulong> into)
    {
        var count = 0;
        foreach (var entry in _open)
        {
            if (count == into.Length || count == settings.FreshPoolMax) break;
            if (IsYoung(entry, nowMs)) into[count++] = entry.Key;
        }
        return count;
    }

    public void Save(Stream into)
    {
        var writer = new ByteWriter();
        writer.Byte(FormatVersion);
        writer.Int64(_nowMs);
        writer.Double(_impressions);
        writer.Count(_items.Count);
        foreach (var entry in _items)
        {
            writer.UInt64(entry.Key);
            writer.Int64(entry.BornMs);
            writer.Double(entry.Impressions);
            writer.Double(entry.Clicks);
        }
        writer.Flush(into, end: true);
    }

    public void Load(Stream from) => Part.Load(from, Name, (ref ByteReader reader) =>
    {
        reader.Version(FormatVersion, "the fresh items");
        var (now, impressions) = (reader.Int64(), reader.Double());
        var items = new List<Entry>();
        var byKey = new Dictionary<ulong, Entry>();
        for (var n = reader.Count(32); n > 0; n--)
        {
            var entry = new Entry(reader.UInt64(), reader.Int64()) { Impressions = reader.Double(), Clicks = reader.Double() };
            Part.Expect(items.Count == 0 || Before(items[^1], entry), "items are out of order");
            Part.Expect(byKey.TryAdd(entry.Key, entry), "an item occurs twice");
            items.Add(entry);
        }
        (_nowMs, _impressions, _items, _byKey) = (now, impressions, items, byKey);
        _open = items.FindAll(IsOpen);
    });

    private bool IsOpen(Entry entry) => entry.Impressions < settings.FreshImpressionsMax;

    private bool IsYoung(Entry entry, long nowMs) => entry.BornMs <= nowMs && entry.BornMs > nowMs - settings.FreshAgeMs;

    private static bool Before(Entry a, Entry b) => a.BornMs > b.BornMs || (a.BornMs == b.BornMs && a.Key < b.Key);

    private static int Position(List<Entry> items, Entry entry)
    {
        var (low, high) = (0, items.Count);
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (Before(items[middle], entry)) low = middle + 1;
            else high = middle;
        }
        return low;
    }

    private void Remove(Entry entry)
    {
        _items.RemoveAt(Position(_items, entry));
        if (IsOpen(entry)) _open.RemoveAt(Position(_open, entry));
        _byKey.Remove(entry.Key);
    }
}
