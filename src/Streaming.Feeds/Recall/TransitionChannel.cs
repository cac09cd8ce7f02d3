using Streaming.Core.Examples;
using Streaming.Core.Feeds;
using Streaming.Core.Ports;
using Streaming.Core.Settings;
using Streaming.Core.Wire;
using Streaming.Feeds.Structures;
using Streaming.Users;

namespace Streaming.Feeds.Recall;

/// <summary>
/// What users act upon next: a first-order Markov chain whose counts halve every <see cref="FeedsSettings.TransitionHalfLifeMs"/>,
/// <code>
/// T_ij(t) = sum over actions on j right after i, of w 2^(-(t - t_k) / h)
/// score(j) = sum over the user's recent items i_0 (newest), i_1, ... of decay^k T_ij / T_i.
/// </code>
/// Where items live for hours, the order of two clicks and how long ago they were say more than a symmetric count for all time
/// (<see cref="ItemCfChannel"/>). Both orders hold still between clicks (<see cref="ForwardDecay"/>). Each item keeps a bounded list
/// of followers: a newcomer takes the place of the weakest when it is stronger by now, which decay sees to. One thread learns
/// while nobody reads; then any number may read.
/// </summary>
public sealed class TransitionChannel(FeedsSettings settings) : IRecallChannel, IStreamLearner
{
    private const byte FormatVersion = 1;

    private Dictionary<ulong, Row> _rows = [];
    private long _actions;

    public string Name => FeedChannels.Transition;

    /// <summary>Items with followers.</summary>
    public int Count => _rows.Count;

    private sealed class Row(ulong key)
    {
        public readonly ulong Key = key;

        /// <summary>Logarithm of T_i., all followers ever counted.</summary>
        public double Total = double.NegativeInfinity;

        public long Touched;
        public int Size;
        public ulong[] Keys = [];

        /// <summary>Logarithms of T_ij, aligned with <see cref="Keys"/>.</summary>
        public double[] Logs = [];

        public double LogOf(ulong follower)
        {
            var at = Keys.AsSpan(0, Size).IndexOf(follower);
            return at < 0 ? double.NegativeInfinity : Logs[at];
        }

        public void Add(ulong follower, long timeMs, double weight, FeedsSettings settings)
        {
            Total = ForwardDecay.Add(Total, timeMs, weight, settings.TransitionHalfLifeMs);
            var at = Keys.AsSpan(0, Size).IndexOf(follower);
            if (at >= 0)
            {
                Logs[at] = ForwardDecay.Add(Logs[at], timeMs, weight, settings.TransitionHalfLifeMs);
                return;
            }
            var log = ForwardDecay.Add(double.NegativeInfinity, timeMs, weight, settings.TransitionHalfLifeMs);
            if (Size < settings.TransitionFollowersMax)
            {
                if (Size == Keys.Length) Resize(Math.Min(settings.TransitionFollowersMax, Math.Max(4, Size * 2)));
                (Keys[Size], Logs[Size++]) = (follower, log);
                return;
            }
            var weakest = 0;
            for (var k = 1; k < Size; k++)
                if (Logs[k] < Logs[weakest]) weakest = k;
            if (log >= Logs[weakest]) (Keys[weakest], Logs[weakest]) = (follower, log);
        }

        public void Resize(int size)
        {
            Array.Resize(ref Keys, size);
            Array.Resize(ref Logs, size);
        }
    }

    public void OnExample(Example example)
    {
        // Transitions are between actions; impressions carry none.
    }

    public void OnInteraction(Interaction interaction)
    {
        if (!(interaction.Weight > 0)) return;
        _actions++;
        if (interaction.Recent.Length == 0) return;
        var from = interaction.Recent[0];
        if (!_rows.TryGetValue(from, out var row)) _rows[from] = row = new Row(from);
        row.Add(interaction.ItemKey, interaction.TimeMs, interaction.Weight, settings);
        row.Touched = _actions;
        if (_rows.Count > settings.TransitionItemsMax) Forget();
    }

    public int Recall(UserState user, in RecallRequest request, Span<Candidate> into)
    {
        Span<Seed> seeds = stackalloc Seed[settings.SeedsMax];
        seeds = seeds[..Seeds.Collect(user, (float)settings.RecentDecay, seeds)];
        var scratch = RecallScratch.Mine;
        scratch.Scores.Clear();
        foreach (var seed in seeds)
        {
            if (!_rows.TryGetValue(seed.Item, out var row)) continue;
            for (var k = 0; k < row.Size; k++)
                scratch.Scores.GetOrAdd(row.Keys[k], out _) += seed.Weight * (float)double.Exp2(row.Logs[k] - row.Total);
        }
        // What was just acted upon is no recommendation; NaN never enters the selection.
        foreach (var seed in seeds)
            if (scratch.Scores.Contains(seed.Item)) scratch.Scores.GetOrAdd(seed.Item, out _) = float.NaN;
        return scratch.Best(into);
    }

    /// <summary>The strongest followers of one item, with T_ij / T_i.; returns how many.</summary>
    public int Followers(ulong item, Span<Candidate> into)
    {
        if (!_rows.TryGetValue(item, out var row)) return 0;
        var top = new TopK(into);
        for (var k = 0; k < row.Size; k++) top.Offer(row.Keys[k], (float)double.Exp2(row.Logs[k] - row.Total));
        return top.Sort();
    }

    /// <summary>
    /// (T_ij + m p_j) / (T_i. + m): the chance that <paramref name="to"/> is next, drawn towards <paramref name="prior"/> (p_j) by
    /// <paramref name="priorWeight"/> (m) actions.
    /// </summary>
    public double Probability(ulong from, ulong to, long nowMs, double prior, double priorWeight)
    {
        if (!_rows.TryGetValue(from, out var row)) return prior;
        var count = ForwardDecay.Value(row.LogOf(to), nowMs, settings.TransitionHalfLifeMs);
        return (count + priorWeight * prior) / (ForwardDecay.Value(row.Total, nowMs, settings.TransitionHalfLifeMs) + priorWeight);
    }

    public void Save(Stream into)
    {
        var writer = new ByteWriter();
        writer.Byte(FormatVersion);
        writer.Int64(_actions);
        writer.Count(_rows.Count);
        foreach (var row in _rows.Values.OrderBy(r => r.Key))
        {
            writer.UInt64(row.Key);
            writer.Int64(row.Touched);
            writer.Double(row.Total);
            writer.Count(row.Size);
            for (var k = 0; k < row.Size; k++)
            {
                writer.UInt64(row.Keys[k]);
                writer.Double(row.Logs[k]);
            }
            writer.Flush(into);
        }
        writer.Flush(into, end: true);
    }

    public void Load(Stream from) => Part.Load(from, Name, (ref ByteReader reader) =>
    {
        reader.Version(FormatVersion, "the transition table");
        var actions = reader.Int64();
        var rows = new Dictionary<ulong, Row>();
        for (var left = reader.Count(25); left > 0; left--)
        {
            var row = new Row(reader.UInt64()) { Touched = reader.Int64(), Total = reader.Double(), Size = reader.Count(16) };
            Part.Expect(row.Size <= settings.TransitionFollowersMax, $"an item has {row.Size} followers, more than Feeds:TransitionFollowersMax");
            row.Resize(row.Size);
            for (var k = 0; k < row.Size; k++) (row.Keys[k], row.Logs[k]) = (reader.UInt64(), reader.Double());
            Part.Expect(rows.TryAdd(row.Key, row), "an item occurs twice");
        }
        (_rows, _actions) = (rows, actions);
    });

    /// <summary>Forgets the items left longest ago, an eighth of the bound at once, so that the sweep over all rows is paid rarely.</summary>
    private void Forget()
    {
        var stalest = _rows.Values.Select(r => (r.Touched, r.Key)).ToArray();
        Array.Sort(stalest);
        foreach (var (_, key) in stalest.AsSpan(0, Math.Max(1, _rows.Count - (settings.TransitionItemsMax - settings.TransitionItemsMax / 8))))
            _rows.Remove(key);
    }
}
