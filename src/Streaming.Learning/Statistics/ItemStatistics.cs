using Streaming.Core.Events;
using Streaming.Core.Examples;
using Streaming.Core.Ids;
using Streaming.Core.Items;
using Streaming.Core.Ports;
using Streaming.Core.Settings;
using Streaming.Core.Wire;

namespace Streaming.Learning.Statistics;

/// <summary>What is known of one item at one time. All counts are divided by the sample rate of negatives.</summary>
/// <param name="Impressions">Decayed impressions.</param>
/// <param name="Clicks">Decayed positives.</param>
/// <param name="Ctr">Decayed click rate, smoothed by a Beta prior at the global rate.</param>
/// <param name="Coec">Decayed clicks over the clicks expected at the positions where it was shown, smoothed towards 1.</param>
/// <param name="Shown">Impressions ever.</param>
/// <param name="PositiveShare">Share of positive labels ever, smoothed by the same prior.</param>
/// <param name="Popularity">Decayed sum of positive action weights.</param>
public readonly record struct ItemFigures(
    float Impressions, float Clicks, float Ctr, float Coec, float Shown, float PositiveShare, float Popularity);

/// <summary>
/// Streaming statistics per item: decayed and smoothed click rate, COEC (clicks over expected clicks, Zhang &amp; Jones 2007)
/// against a position curve learned from the same stream, share of positive labels, and popularity overall, per surface and
/// per category, tag and author. Bounded; items untouched for <see cref="LearningSettings.ItemExpiryMs"/> leave.
/// </summary>
public sealed class ItemStatistics : IStreamLearner
{
    private const byte FormatVersion = 1;
    private const int SweepEvery = 256;
    private const int SweepItems = 32;
    private static readonly ulong TotalKey = StableHash.Of("popularity:total");

    private readonly LearningSettings _settings;
    private readonly IItemCatalog _catalog;
    private readonly double _prior;
    private readonly double _ctrHalfLifeMs;

    private Dictionary<ulong, int> _slots = [];
    private Stack<int> _free = new();
    private Stat[] _stats = new Stat[1024];
    private int _used;
    private int _sweepAt;
    private long _records;
    private long _taken;
    private long _nowMs = long.MinValue;
    private PositionCurve _positions;
    private PopularityTable _popularity;

    // One time stamp serves the three decayed sums: they share the half-life and move together.
    private struct Stat
    {
        public ulong Key;
        public long TimeMs;
        public double Shown;
        public double Positives;
        public double Impressions;
        public double Clicks;
        public double Expected;
    }

    public ItemStatistics(LearningSettings settings, IItemCatalog catalog)
    {
        _settings = settings;
        _catalog = catalog;
        _prior = settings.CtrPriorImpressions;
        _ctrHalfLifeMs = settings.CtrHalfLifeMs;
        _positions = new PositionCurve(settings.PositionsMax, _prior);
        _popularity = new PopularityTable(settings.PopularityKeysMax, settings.PopularityHalfLifeMs);
    }

    public string Name => "item-statistics";

    /// <summary>Items with statistics.</summary>
    public int Count => _slots.Count;

    /// <summary>Positives over impressions of the whole stream.</summary>
    public double GlobalRate => _positions.GlobalRate;

    /// <summary>Click rate of a zero-based position; the global rate for -1.</summary>
    public double PositionRate(int position) => _positions.Rate(position);

    /// <summary>Everything about an item; for an unknown one the prior.</summary>
    public ItemFigures Figures(ulong itemKey, long nowMs)
    {
        var rate = _positions.GlobalRate;
        var popularity = (float)_popularity.At(itemKey, nowMs);
        if (!_slots.TryGetValue(itemKey, out var slot)) return new ItemFigures(0, 0, (float)rate, 1, 0, (float)rate, popularity);
        ref readonly var stat = ref _stats[slot];
        var decay = Decay(stat.TimeMs, nowMs);
        var impressions = stat.Impressions * decay;
        var clicks = stat.Clicks * decay;
        // The prior of COEC is as many expected clicks as the prior's impressions would bring.
        var expectedPrior = _prior * rate;
        return new ItemFigures(
            (float)impressions, (float)clicks,
            (float)((clicks + _prior * rate) / (impressions + _prior)),
            (float)((clicks + expectedPrior) / (stat.Expected * decay + expectedPrior)),
            (float)stat.Shown,
            (float)((stat.Positives + _prior * rate) / (stat.Shown + _prior)),
            popularity);
    }

    /// <summary>Grows with every change; consumers that cache derived data compare it.</summary>
    public long Version => _records + _taken;

    /// <summary>Decayed sum of positive action weights of an item.</summary>
    public double Popularity(ulong itemKey, long nowMs) => _popularity.At(itemKey, nowMs);

    /// <summary>The same on one surface only.</summary>
    public double Popularity(ulong itemKey, string surface, long nowMs) => _popularity.At(SurfaceKey(itemKey, surface), nowMs);

    /// <summary>The same summed over the items of a category (<see cref="InterestKey.Category"/>).</summary>
    public double CategoryPopularity(ulong categoryKey, long nowMs) => _popularity.At(categoryKey, nowMs);

    /// <summary>
    /// Share of all positive action weight that went to items of a tag, category or author (<see cref="InterestKey"/>), decayed, in
    /// (0, 1]: half an action is added to both, so that nothing is impossible.
    /// </summary>
    public double InterestShare(ulong interestKey, long nowMs) =>
        (_popularity.At(interestKey, nowMs) + 0.5) / (_popularity.At(TotalKey, nowMs) + 0.5);

    public void OnExample(Example example)
    {
        Advance(example.LabelMs);
        var clicks = example.Label > 0.5f ? 1.0 : 0.0;
        // A correction turns an impression that was counted already into a click.
        var impressions = example.IsCorrection ? 0.0 : 1.0 / example.SampleRate;
        var expected = impressions * _positions.Rate(example.Position);
        var slot = SlotOf(example.ItemKey);
        if (slot >= 0)
        {
            ref var stat = ref _stats[slot];
            var late = 1.0;
            if (_nowMs > stat.TimeMs)
            {
                var decay = Decay(stat.TimeMs, _nowMs);
                stat.Impressions *= decay;
                stat.Clicks *= decay;
                stat.Expected *= decay;
                stat.TimeMs = _nowMs;
            }
            if (example.LabelMs < _nowMs) late = Decay(example.LabelMs, _nowMs);
            stat.Shown += impressions;
            stat.Positives += clicks;
            stat.Impressions += impressions * late;
            stat.Clicks += clicks * late;
            stat.Expected += expected * late;
        }
        _positions.Add(example.Position, impressions, clicks);
    }

    public void OnInteraction(Interaction interaction)
    {
        Advance(interaction.TimeMs);
        if (interaction.Weight <= 0 || interaction.Action == EventKind.Impression) return;
        _popularity.Add(interaction.ItemKey, interaction.TimeMs, interaction.Weight);
        _popularity.Add(SurfaceKey(interaction.ItemKey, interaction.Surface), interaction.TimeMs, interaction.Weight);
        if (!_catalog.TryGet(interaction.ItemKey, out var item)) return;
        _popularity.Add(TotalKey, interaction.TimeMs, interaction.Weight);
        foreach (var category in item.CategoryKeys) _popularity.Add(category, interaction.TimeMs, interaction.Weight);
        foreach (var tag in item.TagKeys) _popularity.Add(tag, interaction.TimeMs, interaction.Weight);
        if (item.AuthorKey != 0) _popularity.Add(item.AuthorKey, interaction.TimeMs, interaction.Weight);
    }

    /// <summary>
    /// Takes over from another what <see cref="Figures"/> reads of these items, and the curve of positions: a sparse delta. Popularity per
    /// surface and category stays behind, and so does what expired over there.
    /// </summary>
    public void Take(ItemStatistics from, IEnumerable<ulong> items)
    {
        _taken++;
        _nowMs = from._nowMs;
        _positions.Take(from._positions);
        foreach (var key in items)
        {
            if (from._slots.TryGetValue(key, out var theirs) && SlotOf(key) is var mine and >= 0) _stats[mine] = from._stats[theirs];
            _popularity.Take(from._popularity, key);
        }
    }

    private void Advance(long timeMs)
    {
        if (timeMs > _nowMs) _nowMs = timeMs;
        if (++_records % SweepEvery != 0) return;
        _popularity.Sweep(_nowMs - _settings.ItemExpiryMs, 2 * SweepItems);
        for (var i = Math.Min(SweepItems, _used); i > 0; i--)
        {
            if (_sweepAt >= _used) _sweepAt = 0;
            ref var stat = ref _stats[_sweepAt++];
            if (stat.Key == 0 || stat.TimeMs >= _nowMs - _settings.ItemExpiryMs) continue;
            _slots.Remove(stat.Key);
            stat = default;
            _free.Push(_sweepAt - 1);
        }
    }

    private int SlotOf(ulong itemKey)
    {
        if (_slots.TryGetValue(itemKey, out var slot)) return slot;
        if (_slots.Count >= _settings.StatisticsItemsMax) return -1;
        if (!_free.TryPop(out slot)) slot = _used++;
        if (slot == _stats.Length) Array.Resize(ref _stats, slot * 2);
        _stats[slot] = new Stat { Key = itemKey, TimeMs = _nowMs };
        _slots.Add(itemKey, slot);
        return slot;
    }

    private double Decay(long fromMs, long toMs) => toMs <= fromMs ? 1 : Math.Pow(0.5, (toMs - fromMs) / _ctrHalfLifeMs);

    private static ulong SurfaceKey(ulong itemKey, string surface) => StableHash.Combine(itemKey, StableHash.Of(surface));

    public void Save(Stream into)
    {
        var writer = new CheckpointWriter(into, FormatVersion);
        writer.Int64(_records);
        writer.Int64(_nowMs);
        writer.Int32(_used);
        writer.Int32(_sweepAt);
        writer.Values<Stat>(_stats.AsSpan(0, _used));
        writer.Int32(_free.Count);
        writer.Values<int>(_free.Reverse().ToArray());
        _positions.Save(writer);
        _popularity.Save(writer);
        writer.Finish();
    }

    public void Load(Stream from)
    {
        var reader = new CheckpointReader(from, FormatVersion, "item statistics");
        var (records, nowMs) = (reader.Int64(), reader.Int64());
        var used = reader.Count<Stat>(_settings.StatisticsItemsMax);
        var sweepAt = reader.Count(used);
        var stats = new Stat[Math.Max(1024, used)];
        reader.Values(stats.AsSpan(0, used));
        var free = new int[reader.Count<int>(used)];
        reader.Values(free.AsSpan());
        var positions = _positions.Read(reader);
        var popularity = _popularity.Read(reader);
        reader.Finish();
        var slots = new Dictionary<ulong, int>();
        for (var i = 0; i < used; i++)
            if (stats[i].Key != 0 && !slots.TryAdd(stats[i].Key, i))
                throw new InvalidDataException("item statistics are corrupt: a key stands twice");
        (_records, _nowMs, _used, _sweepAt, _stats, _slots) = (records, nowMs, used, sweepAt, stats, slots);
        (_free, _positions, _popularity) = (new Stack<int>(free), positions, popularity);
    }
}
