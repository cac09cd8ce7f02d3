using Streaming.Core.Ids;
using Streaming.Core.Items;
using Streaming.Models.Deep;
using Streaming.Models.Layers;

namespace Streaming.Models.Ranking;

/// <summary>
/// The rows of the live path: target item and its side information (categories, author, tags, pooled), user, surface, hour of the day, then the past
/// items of the session and older ones, with their side information, pooled under keys of their own; the steps of the sequence are items with
/// side information, by the target's keys. One thread.
/// </summary>
internal sealed class LiveFields(IItemCatalog catalog, int historyMax, int sideKeysMax)
{
    private const int SidesCrossed = 2;
    private static readonly ulong UserSalt = StableHash.Of("ranker:user");
    private static readonly ulong CrossSalt = StableHash.Of("ranker:cross");
    private static readonly ulong[] PooledSalts = [.. ((string[])["session", "session side", "older", "older side"]).Select(n => StableHash.Of($"ranker:{n}"))];

    private readonly ulong[] _sides = new ulong[sideKeysMax];
    private readonly List<(ulong Key, float Weight)>[] _pooled = [[], [], [], []];
    private readonly List<ulong> _past = [];

    // Of past item i the side keys are _pastSides[_pastEnds[i - 1].._pastEnds[i]].
    private readonly List<ulong> _pastSides = [];
    private readonly List<int> _pastEnds = [];
    private ulong _user, _surface, _hour;

    /// <summary>The shape of such rows.</summary>
    public static RankerShape Shape(int historyMax, int denseColumns, int positionsMax, bool hasCrosses) => new(9)
    {
        TargetFields = 2, PooledFields = 4, DenseColumns = denseColumns, SequenceMax = historyMax, PositionsMax = positionsMax, HasCrosses = hasCrosses,
    };

    /// <summary>What the rows that follow share.</summary>
    /// <param name="history">Past positive items, newest first.</param>
    /// <param name="inSession">How many of them, from the start, belong to the open session.</param>
    public void BeginUser(ulong user, ReadOnlySpan<ulong> history, int inSession, ulong surface, long shownMs)
    {
        (_user, _surface, _hour) = (user == 0 ? 0 : StableHash.Combine(UserSalt, user), Din.SurfaceKey(surface), Din.HourKey(shownMs));
        foreach (var bag in _pooled) bag.Clear();
        _past.Clear();
        _pastSides.Clear();
        _pastEnds.Clear();
        history = history[..Math.Min(history.Length, historyMax)];
        var session = Math.Min(inSession, history.Length);
        for (var i = 0; i < history.Length; i++)
        {
            if (history[i] == 0) continue;
            var sides = SidesOf(history[i]);
            _past.Add(history[i]);
            foreach (var side in sides) _pastSides.Add(side);
            _pastEnds.Add(_pastSides.Count);
            var (at, share) = i < session ? (0, 1f / session) : (2, 1f / (history.Length - session));
            _pooled[at].Add((StableHash.Combine(PooledSalts[at], history[i]), share));
            foreach (var side in sides) _pooled[at + 1].Add((StableHash.Combine(PooledSalts[at + 1], side), share / sides.Length));
        }
    }

    /// <summary>Adds the row of an item for the user that was begun.</summary>
    /// <param name="withSequence">Whether the row writes the sequence itself.</param>
    public void AddItem(
        FieldBatch into, ulong item, bool withSequence, ReadOnlySpan<float> dense, ReadOnlySpan<float> labels = default, long shownMs = 0, int position = -1, float weight = 1)
    {
        var sides = SidesOf(item);
        into.Bag(item);
        foreach (var side in sides) into.Add(side, 1f / sides.Length);
        into.EndBag();
        into.Bag(_user);
        into.Bag(_surface);
        into.Bag(_hour);
        foreach (var bag in _pooled)
        {
            foreach (var (key, share) in bag) into.Add(key, share);
            into.EndBag();
        }
        if (into.Shape.HasCrosses) AddCrosses(into, item, sides);
        if (withSequence) AddSteps(into);
        into.EndRow(dense, labels, shownMs, position, weight);
    }

    /// <summary>Target by past item, and side by side: what the wide part remembers.</summary>
    private void AddCrosses(FieldBatch into, ulong item, ReadOnlySpan<ulong> sides)
    {
        var target = StableHash.Combine(CrossSalt, item);
        for (var i = 0; i < _past.Count; i++)
        {
            into.Add(StableHash.Combine(target, _past[i]));
            var start = i == 0 ? 0 : _pastEnds[i - 1];
            for (var a = 0; a < Math.Min(SidesCrossed, sides.Length); a++)
            for (var b = start; b < Math.Min(start + SidesCrossed, _pastEnds[i]); b++)
                into.Add(StableHash.Combine(StableHash.Combine(CrossSalt, sides[a]), _pastSides[b]));
        }
        into.EndBag();
    }

    private void AddSteps(FieldBatch into)
    {
        for (var i = _past.Count - 1; i >= 0; i--)
        {
            into.Bag(_past[i]);
            var start = i == 0 ? 0 : _pastEnds[i - 1];
            for (var at = start; at < _pastEnds[i]; at++) into.Add(_pastSides[at], 1f / (_pastEnds[i] - start));
            into.EndBag();
        }
    }

    private ReadOnlySpan<ulong> SidesOf(ulong item) => catalog.TryGet(item, out var known) ? _sides.AsSpan(0, ItemLookup.SideKeys(known, _sides)) : default;
}
