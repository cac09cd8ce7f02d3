using Streaming.Feeds.Structures;

namespace Streaming.Evaluation.Freshness;

/// <summary>Items with decayed weights, the heaviest first, at most so many: a weight is the logarithm that <see cref="ForwardDecay"/> keeps, so it only grows.</summary>
internal sealed class Heaviest(int max)
{
    private readonly ulong[] _items = new ulong[max];
    private readonly double[] _logs = new double[max];

    public int Count { get; private set; }
    public ReadOnlySpan<ulong> Items => _items.AsSpan(0, Count);
    public ReadOnlySpan<double> Logs => _logs.AsSpan(0, Count);

    /// <summary>The weight of an item; negative infinity when it is not among them.</summary>
    public double LogOf(ulong item) => Items.IndexOf(item) is var at and >= 0 ? _logs[at] : double.NegativeInfinity;

    /// <summary>Sets an item's weight, which is not less than before; the lightest gives way when there is no room.</summary>
    public void Raise(ulong item, double log)
    {
        var at = Items.IndexOf(item);
        if (at < 0)
        {
            if (Count < max) at = Count++;
            else if (log > _logs[Count - 1]) at = Count - 1;
            else return;
        }
        for (; at > 0 && _logs[at - 1] < log; at--) (_items[at], _logs[at]) = (_items[at - 1], _logs[at - 1]);
        (_items[at], _logs[at]) = (item, log);
    }

    public void Take(Heaviest from)
    {
        Count = from.Count;
        from.Items.CopyTo(_items);
        from.Logs.CopyTo(_logs);
    }
}

/// <summary>
/// The next click from the last one: first-order transitions with exponential decay, smoothed by decayed popularity,
/// score(j | i) = c_ij + k p_j (over c_i + k, which no order depends on), where c_ij are decayed counts of j following i, p_j the decayed share of j among all
/// clicks, and k = <see cref="Prior"/>. Without transitions it is decayed popularity alone.
/// </summary>
internal sealed class NextItemModel(bool transitions, double popularityHalfLifeMs, double transitionHalfLifeMs)
{
    public const double Prior = 5;
    private const int KeptMax = 48;

    private readonly Dictionary<ulong, double> _clicks = [];
    private readonly Dictionary<ulong, Heaviest> _next = [];
    private readonly Heaviest _popular = new(KeptMax);
    private readonly (ulong Item, double Score)[] _candidates = new (ulong, double)[2 * KeptMax];
    private double _all = double.NegativeInfinity;

    /// <summary>Learns one click; <paramref name="last"/> is the one before it in the session, 0 for none.</summary>
    public void Learn(ulong item, ulong last, long timeMs)
    {
        _all = ForwardDecay.Add(_all, timeMs, 1, popularityHalfLifeMs);
        var log = _clicks[item] = ForwardDecay.Add(_clicks.GetValueOrDefault(item, double.NegativeInfinity), timeMs, 1, popularityHalfLifeMs);
        _popular.Raise(item, log);
        if (!transitions || last == 0 || last == item) return;
        if (!_next.TryGetValue(last, out var row)) _next[last] = row = new Heaviest(KeptMax);
        row.Raise(item, ForwardDecay.Add(row.LogOf(item), timeMs, 1, transitionHalfLifeMs));
    }

    /// <summary>Takes over what serving reads of another: the popular items, and the rows in <paramref name="touched"/>.</summary>
    public void Take(NextItemModel from, IEnumerable<ulong> touched)
    {
        _all = from._all;
        _popular.Take(from._popular);
        foreach (var item in touched)
        {
            if (!from._next.TryGetValue(item, out var theirs)) continue;
            if (!_next.TryGetValue(item, out var row)) _next[item] = row = new Heaviest(KeptMax);
            row.Take(theirs);
        }
    }

    /// <summary>One-based rank of the target among all items after <paramref name="last"/>, those in <paramref name="seen"/> left out; 0 when it is not found.</summary>
    public int RankOf(ulong target, ulong last, IReadOnlyList<ulong> seen, long nowMs)
    {
        var row = _next.GetValueOrDefault(last);
        var count = 0;
        for (var i = 0; i < (row?.Count ?? 0); i++)
        {
            var weight = ForwardDecay.Value(row!.Logs[i], nowMs, transitionHalfLifeMs);
            _candidates[count++] = (row.Items[i], weight);
        }
        for (var i = 0; i < _popular.Count; i++)
        {
            var share = Prior * double.Exp2(_popular.Logs[i] - _all);
            var at = 0;
            while (at < (row?.Count ?? 0) && _candidates[at].Item != _popular.Items[i]) at++;
            if (at < (row?.Count ?? 0)) _candidates[at].Score += share;
            else _candidates[count++] = (_popular.Items[i], share);
        }
        return Rank(_candidates.AsSpan(0, count), target, seen);
    }

    private static int Rank(ReadOnlySpan<(ulong Item, double Score)> candidates, ulong target, IReadOnlyList<ulong> seen)
    {
        var at = 0;
        while (at < candidates.Length && candidates[at].Item != target) at++;
        if (at == candidates.Length) return 0;
        var rank = 1;
        for (var i = 0; i < candidates.Length; i++)
        {
            var isAbove = candidates[i].Score > candidates[at].Score || (candidates[i].Score == candidates[at].Score && i < at);
            if (isAbove && !seen.Contains(candidates[i].Item)) rank++;
        }
        return rank;
    }
}
