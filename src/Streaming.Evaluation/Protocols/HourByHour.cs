using Streaming.Core.Events;
using Streaming.Core.Ids;
using Streaming.Core.Settings;
using Streaming.Evaluation.DataSets;
using Streaming.Evaluation.Protocols.Online;
using Streaming.Feeds;

namespace Streaming.Evaluation.Protocols;

/// <summary>
/// The news stream: before every click that is not its session's first, the model names the next article out of all there are; then
/// it learns the click. The last 55 hourly files are read (330 to 384 of the complete set), their clicks put in order of time, and the
/// last fifth of the clicks is the test.
/// </summary>
public sealed class HourByHour : IProtocol
{
    public const string PopularLastHour = "popular-last-hour";
    public const string PopularDecayed = "popular-decayed";
    public const string Transitions = "transitions";
    public const string LiveRecall = "live-recall";

    private const int FilesMax = 55;
    private const int CutOff = 20;
    private const long HourMs = 3_600_000;

    private readonly StreamingSettings _settings;
    private readonly double _from;
    private readonly double _to;

    public HourByHour() : this(RecallSettings)
    {
    }

    /// <summary>Other settings, and another part of the clicks (shares of their number) to judge: what settings are chosen on.</summary>
    internal HourByHour(StreamingSettings settings, double from = 0.8, double to = 1) => (_settings, _from, _to) = (settings, from, to);

    public string Name => "hour-by-hour";

    public string Description =>
        "Next click of a news session among all articles but the one just clicked; the last 55 hourly files in order of time, the last "
        + "20 % of their clicks as test; every click is predicted from what came before it, then learned.";

    public IReadOnlyList<string> Models { get; } = [PopularLastHour, PopularDecayed, Transitions, LiveRecall];

    /// <summary>
    /// News lives for hours: the defaults' half-lives are of days. Chosen on the fifth of the clicks before the test, where half an hour
    /// to three hours make little difference.
    /// </summary>
    internal static StreamingSettings RecallSettings { get; } = new()
    {
        Feeds = new FeedsSettings
        {
            PopularHalfLifeMs = 3 * HourMs, TrendingHalfLifeMs = HourMs / 6, TransitionHalfLifeMs = HourMs, ItemCfItemsMax = 20_000,
        },
        // Nothing here ranks by the model of examples, so it learns as little as it can.
        Learning = new LearningSettings { Features = ["bias"], Crosses = ["none"], FtrlBits = 10 },
    };

    public IReadOnlyList<Figure> Run(EvaluationCase what, CancellationToken cancel)
    {
        what.Check(this);
        if (DataSets.DataSets.Open(what.DataPath) is not Globo globo)
            throw new DataSetException(what.DataPath, 0, $"is not the Globo set, the one that {Name} is for");
        var clicks = Clicks(globo, cancel);
        var (from, to) = ((int)(clicks.Count * _from), (int)(clicks.Count * _to));
        IRecaller recaller = what.Model switch
        {
            PopularLastHour => new LastHour(),
            LiveRecall => new Blended(new RecallPath(_settings)),
            _ => new OneChannel(new RecallPath(_settings), what.Model),
        };
        var means = new UserMeans("hr@5", $"hr@{CutOff}", $"mrr@{CutOff}");
        var lastOf = new Dictionary<string, ulong>();
        for (var i = 0; i < to; i++)
        {
            if ((i & 1023) == 0)
            {
                cancel.ThrowIfCancellationRequested();
                what.Progress?.Invoke((double)i / to);
            }
            var (e, key) = (clicks[i], StableHash.Of(clicks[i].Item!));
            if (lastOf.TryGetValue(e.SessionId!, out var last))
            {
                var rank = recaller.Rank(e, key, last, i >= from);
                if (i >= from) means.Add(e.User, rank.HitRate(5), rank.HitRate(CutOff), rank.ReciprocalRank(CutOff));
            }
            recaller.Learn(e, key);
            lastOf[e.SessionId!] = key;
        }
        return means.Figures(what.Seed);
    }

    private static List<UserEvent> Clicks(Globo globo, CancellationToken cancel)
    {
        var hours = new Queue<IEnumerable<UserEvent>>();
        foreach (var hour in globo.Hours())
        {
            cancel.ThrowIfCancellationRequested();
            if (hours.Count == FilesMax) hours.Dequeue();
            hours.Enqueue(hour);
        }
        // Stable, so that clicks of one millisecond keep the order of the files.
        return [.. hours.SelectMany(h => h).OrderBy(e => e.TimeMs)];
    }

    /// <summary>Where the clicked item came: after <paramref name="Above"/> others, tied with <paramref name="Tied"/> (itself included); 0 tied: nowhere.</summary>
    private readonly record struct Place(int Above, int Tied)
    {
        /// <summary>Chance of being in the first K, over the orders of the tie.</summary>
        public double HitRate(int k) => Tied == 0 ? 0 : Math.Clamp(k - Above, 0, Tied) / (double)Tied;

        public double ReciprocalRank(int k)
        {
            double sum = 0;
            for (var rank = Above + 1; rank <= Math.Min(k, Above + Tied); rank++) sum += 1.0 / rank;
            return Tied == 0 ? 0 : sum / Tied;
        }
    }

    private interface IRecaller
    {
        /// <summary>Where the model puts the item that is clicked next; <paramref name="last"/> is never a candidate.</summary>
        Place Rank(UserEvent next, ulong item, ulong last, bool isTested);

        void Learn(UserEvent e, ulong item);
    }

    /// <summary>Clicks of the past 60 minutes, all sessions.</summary>
    private sealed class LastHour : IRecaller
    {
        private readonly Queue<(long TimeMs, ulong Item)> _window = new();
        private readonly Dictionary<ulong, int> _counts = [];

        public Place Rank(UserEvent next, ulong item, ulong last, bool isTested)
        {
            if (!isTested) return default;
            Forget(next.TimeMs);
            if (item == last || !_counts.TryGetValue(item, out var count)) return default;
            var (above, tied) = (0, 0);
            foreach (var (other, of) in _counts)
            {
                if (other == last) continue;
                if (of > count) above++;
                else if (of == count) tied++;
            }
            return new Place(above, tied);
        }

        public void Learn(UserEvent e, ulong item)
        {
            Forget(e.TimeMs);
            _window.Enqueue((e.TimeMs, item));
            _counts[item] = _counts.GetValueOrDefault(item) + 1;
        }

        private void Forget(long nowMs)
        {
            while (_window.TryPeek(out var oldest) && oldest.TimeMs <= nowMs - HourMs)
            {
                _window.Dequeue();
                if (--_counts[oldest.Item] == 0) _counts.Remove(oldest.Item);
            }
        }
    }

    /// <summary>One recall channel alone, without what the user has clicked.</summary>
    private sealed class OneChannel(RecallPath path, string model) : IRecaller
    {
        private readonly Candidate[] _found = new Candidate[CutOff + 64];

        public Place Rank(UserEvent next, ulong item, ulong last, bool isTested)
        {
            if (!isTested) return default;
            var user = path.StateOf(next.User);
            var count = model == Transitions
                ? path.Index.Transitions.Recall(user, new RecallRequest("", next.TimeMs), _found)
                : path.Index.Popular.Fill("", next.TimeMs, _found);
            var above = 0;
            foreach (var candidate in _found.AsSpan(0, count))
            {
                if (candidate.Item == item) return new Place(above, 1);
                if (!user.Marks.TryGetValue(candidate.Item, out var marks) || marks.Clicked == 0) above++;
            }
            return default;
        }

        public void Learn(UserEvent e, ulong item) => path.Handle(e);
    }

    /// <summary>All channels, blended by weights learned click by click.</summary>
    private sealed class Blended(RecallPath path) : IRecaller
    {
        private readonly ChannelBlend _blend = new(path);

        public Place Rank(UserEvent next, ulong item, ulong last, bool isTested)
        {
            _blend.Begin(path.StateOf(next.User), next.TimeMs);
            var rank = isTested ? _blend.RankOf(item) : 0;
            _blend.Learn(item);
            return rank == 0 ? default : new Place(rank - 1, 1);
        }

        public void Learn(UserEvent e, ulong item)
        {
            path.Handle(e);
            _blend.Count(e.TimeMs);
        }
    }
}
