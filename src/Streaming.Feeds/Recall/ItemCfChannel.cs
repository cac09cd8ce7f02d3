using Streaming.Core.Examples;
using Streaming.Core.Feeds;
using Streaming.Core.Ports;
using Streaming.Core.Settings;
using Streaming.Feeds.Structures;
using Streaming.Users;

namespace Streaming.Feeds.Recall;

/// <summary>
/// Streaming item-based collaborative filtering. For a positive action on i by user u, and each earlier item j of u's recent ones
/// (rank k = 0 for the newest):
/// <code>
/// C_ij += w * decay^k / log(1 + |N(u)|)        the activity penalty: who acts on everything says little (Breese et al., 1998)
/// sim(i, j) = C_ij / (N_i^(1-alpha) N_j^alpha)  the popularity penalty: alpha = 0.5 is cosine, 1 punishes popular j fully
/// </code>
/// N_i counts positive actions on i. Each item keeps a bounded list of neighbours; when it is full, a newcomer at least as strong
/// as the weakest takes its place, and a weaker one wears the weakest down by its own weight (as in Misra-Gries), so that a list
/// never freezes. One thread learns while nobody reads; then any number may read.
/// </summary>
public sealed partial class ItemCfChannel(FeedsSettings settings) : IRecallChannel, IStreamLearner
{
    private Dictionary<ulong, Row> _rows = [];
    private long _actions;

    public string Name => FeedChannels.ItemCf;

    /// <summary>Items with a row.</summary>
    public int Count => _rows.Count;

    private sealed class Row(ulong key)
    {
        public readonly ulong Key = key;

        /// <summary>N: positive actions.</summary>
        public long Actions;

        /// <summary>N^(1-alpha): what dividing by it costs the item as the one recall starts from.</summary>
        public float AsSeed;

        /// <summary>N^alpha: what dividing by it costs the item as a neighbour.</summary>
        public float AsNeighbour;

        /// <summary>Number of the action that last touched the item.</summary>
        public long Touched;

        public bool Forgotten;
        public int Size;
        public ulong[] Keys = [];
        public float[] Weights = [];

        /// <summary>Rows of <see cref="Keys"/>: recall reads their penalties without a look-up.</summary>
        public Row[] Rows = [];

        public void Count(long actions, double alpha)
        {
            Actions = actions;
            AsSeed = (float)Math.Pow(actions, 1 - alpha);
            AsNeighbour = (float)Math.Pow(actions, alpha);
        }

        public void Add(Row other, float weight, int max)
        {
            var at = Keys.AsSpan(0, Size).IndexOf(other.Key);
            if (at >= 0)
            {
                Weights[at] += weight;
                return;
            }
            if (Size < max)
            {
                if (Size == Keys.Length) Resize(Math.Min(max, Math.Max(4, Size * 2)));
                Set(Size++, other, weight);
                return;
            }
            var weakest = 0;
            for (var k = 1; k < Size; k++)
                if (Weights[k] < Weights[weakest]) weakest = k;
            if (weight >= Weights[weakest]) Set(weakest, other, weight);
            else Weights[weakest] -= weight;
        }

        public void Resize(int size)
        {
            Array.Resize(ref Keys, size);
            Array.Resize(ref Weights, size);
            Array.Resize(ref Rows, size);
        }

        public void Set(int at, Row other, float weight) => (Keys[at], Weights[at], Rows[at]) = (other.Key, weight, other);

        public void DropForgotten()
        {
            var kept = 0;
            for (var k = 0; k < Size; k++)
                if (!Rows[k].Forgotten) Set(kept++, Rows[k], Weights[k]);
            Array.Clear(Rows, kept, Size - kept);
            Size = kept;
        }
    }

    public void OnExample(Example example)
    {
        // Co-visitation is between actions; impressions carry none.
    }

    public void OnInteraction(Interaction interaction)
    {
        if (!(interaction.Weight > 0)) return;
        _actions++;
        if (!_rows.TryGetValue(interaction.ItemKey, out var row)) _rows[interaction.ItemKey] = row = new Row(interaction.ItemKey);
        row.Count(row.Actions + 1, settings.ItemCfAlpha);
        row.Touched = _actions;
        var weight = (float)(interaction.Weight / Math.Log(1 + Math.Max(1, interaction.UserActions)));
        foreach (var earlier in interaction.Recent)
        {
            // An earlier item without a row was forgotten: its own next action brings it back.
            if (earlier != row.Key && _rows.TryGetValue(earlier, out var other))
            {
                row.Add(other, weight, settings.ItemCfNeighboursMax);
                other.Add(row, weight, settings.ItemCfNeighboursMax);
            }
            weight *= (float)settings.RecentDecay;
        }
        if (_rows.Count > settings.ItemCfItemsMax) Forget();
    }

    public int Recall(UserState user, in RecallRequest request, Span<Candidate> into)
    {
        Span<Seed> seeds = stackalloc Seed[settings.SeedsMax];
        seeds = seeds[..Seeds.Collect(user, (float)settings.RecentDecay, seeds)];
        var found = RecallScratch.Mine.Covisits;
        found.Clear();
        foreach (var seed in seeds)
            if (_rows.TryGetValue(seed.Item, out var row)) Accumulate(row, seed.Weight, found);
        // What was just acted upon is no recommendation; NaN never enters the selection.
        foreach (var seed in seeds)
            if (found.Contains(seed.Item)) found.GetOrAdd(seed.Item, out _).Sum = float.NaN;
        return Best(found, into);
    }

    /// <summary>The most similar items, best first, with their similarity; returns how many.</summary>
    public int Similar(ulong item, Span<Candidate> into)
    {
        if (!_rows.TryGetValue(item, out var row)) return 0;
        var found = RecallScratch.Mine.Covisits;
        found.Clear();
        Accumulate(row, 1f, found);
        return Best(found, into);
    }

    private static void Accumulate(Row row, float weight, KeyMap<Covisits> found)
    {
        var scale = weight / row.AsSeed;
        var (keys, weights, rows) = (row.Keys, row.Weights, row.Rows);
        for (var k = 0; k < row.Size; k++)
        {
            ref var covisits = ref found.GetOrAdd(keys[k], out var known);
            // The neighbour's penalty is the same from every item, so it divides the sum, and its row is visited once.
            if (!known) covisits.Penalty = rows[k].AsNeighbour;
            covisits.Sum += scale * weights[k];
        }
    }

    private static int Best(KeyMap<Covisits> found, Span<Candidate> into)
    {
        var top = new TopK(into);
        var items = found.Keys;
        var covisits = found.Values;
        for (var i = 0; i < items.Length; i++)
        {
            var score = covisits[i].Sum / covisits[i].Penalty;
            if (score >= top.Worst) top.Offer(items[i], score);
        }
        return top.Sort();
    }

    /// <summary>Forgets the items untouched for longest, an eighth of the bound at once, so that the sweep over all rows is paid rarely.</summary>
    private void Forget()
    {
        var stalest = _rows.Values.Select(r => (r.Touched, r.Key)).ToArray();
        Array.Sort(stalest);
        foreach (var (_, key) in stalest.AsSpan(0, Math.Max(1, _rows.Count - (settings.ItemCfItemsMax - settings.ItemCfItemsMax / 8))))
        {
            _rows[key].Forgotten = true;
            _rows.Remove(key);
        }
        foreach (var row in _rows.Values) row.DropForgotten();
    }
}
