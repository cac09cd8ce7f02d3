using Streaming.Core.Events;
using Streaming.Core.Ids;
using Streaming.Core.Items;
using Streaming.Core.Settings;
using Streaming.Evaluation.DataSets;
using Streaming.Evaluation.Metrics;
using Streaming.Evaluation.Protocols.Online;
using Streaming.Evaluation.Replay;

namespace Streaming.Evaluation.Protocols;

/// <summary>
/// Lists that were really shown, with the clicks on them: the model orders each list's items again, and the clicked ones are
/// relevant. Lists come in time order and are judged before they are learned (prequential); the last fifth by time is the test. A
/// click counts as known from its own time on, not from its list's.
/// </summary>
public sealed class GivenRankings : IProtocol
{
    public const string ShownOrder = "shown-order";
    public const string Random = "random";
    public const string ItemCtr = "item-ctr";
    public const string ItemCtrOnline = "item-ctr-online";

    /// <summary>The feed's own ranker, through the user machine and the trainer.</summary>
    public const string Ftrl = "ftrl";

    /// <summary>NDCG@10 less that of <see cref="ItemCtrOnline"/>, paired by list.</summary>
    internal const string OverItemCtr = "ndcg@10-over-item-ctr-online";

    private const int CutOff = 10;
    private const double PriorImpressions = 10;

    private readonly StreamingSettings _settings;
    private readonly double _from;
    private readonly double _to;

    public GivenRankings() : this(LearnerSettings)
    {
    }

    /// <summary>Other settings, and another part of the lists (shares of their number) to judge: what settings are chosen on.</summary>
    internal GivenRankings(StreamingSettings settings, double from = 0.8, double to = 1) => (_settings, _from, _to) = (settings, from, to);

    public string Name => "given-rankings";

    public string Description =>
        "Lists as they were shown, with at least one click, in time order, the last 20 % by time as test; the shown items are ranked "
        + "against each other, the clicked ones are relevant. Every list is predicted before its clicks are known; nothing later than it is.";

    public IReadOnlyList<string> Models { get; } = [ShownOrder, Random, ItemCtr, ItemCtrOnline, Ftrl];

    /// <summary>Where the live path's defaults do not suit lists that are shown and clicked within seconds.</summary>
    internal static StreamingSettings LearnerSettings { get; } = new()
    {
        // Five seconds lie between list and click in RankLens, and the whole set is 20 minutes long.
        Users = new UsersSettings { AttributionWindowMs = 10_000, InterestsMax = 1000 },
        // Alpha was chosen among .02 to .2 on the lists before the test; so was to do without embeddings, which five lists per user
        // only make noisy.
        Learning = new LearningSettings
        {
            FtrlAlpha = 0.03, Crosses = ["user*tag", "user*category", "user*author"],
            Features =
            [
                .. FeatureNames.Default.Where(f => !f.StartsWith("mf", StringComparison.Ordinal) && !f.EndsWith("_similarity", StringComparison.Ordinal)),
                "attribute", "author_lift", "category_lift", "tag_lift",
            ],
        },
    };

    public IReadOnlyList<Figure> Run(EvaluationCase what, CancellationToken cancel)
    {
        what.Check(this);
        var set = DataSets.DataSets.Open(what.DataPath);
        var means = new UserMeans($"ndcg@{CutOff}", $"map@{CutOff}", $"mrr@{CutOff}", "ndcg@5", OverItemCtr);
        var yardstick = new ByItemCtr(online: true);
        IScorer scorer = what.Model switch
        {
            ShownOrder => new ByPosition(),
            Random => new Indifferent(),
            ItemCtr => new ByItemCtr(online: false),
            ItemCtrOnline => new ByItemCtr(online: true),
            _ => new ByLearner(_settings with { Node = _settings.Node with { Seed = what.Seed } }, set.Items()),
        };
        ShownLists.Walk(set, what, Name, _from, _to, list => Judge(list, scorer, yardstick, means), e =>
        {
            scorer.Learn(e);
            yardstick.Learn(e);
        }, cancel);
        return means.Figures(what.Seed);
    }

    /// <summary>The difference is taken list by list, so that its interval is free of what makes lists hard for everybody.</summary>
    private static void Judge(ShownList list, IScorer scorer, ByItemCtr yardstick, UserMeans means)
    {
        var scores = new double[list.Keys.Length];
        scorer.Score(list.Event, list.Keys, scores);
        var ten = RankingMetrics.Evaluate(scores, list.Grades, CutOff);
        var five = RankingMetrics.Evaluate(scores, list.Grades, 5);
        yardstick.Score(list.Event, list.Keys, scores);
        var over = ten.Ndcg - RankingMetrics.Evaluate(scores, list.Grades, CutOff).Ndcg;
        means.Add(list.Event.User, ten.Ndcg, ten.AveragePrecision, ten.ReciprocalRank, five.Ndcg, over);
    }

    /// <summary>A model under this protocol: told every event after it was asked about it.</summary>
    private interface IScorer
    {
        void Score(UserEvent list, ReadOnlySpan<ulong> items, Span<double> scores);
        void Learn(UserEvent e);
    }

    private sealed class ByPosition : IScorer
    {
        public void Score(UserEvent list, ReadOnlySpan<ulong> items, Span<double> scores)
        {
            for (var i = 0; i < items.Length; i++) scores[i] = -list.Items[i].Position;
        }

        public void Learn(UserEvent e)
        {
        }
    }

    /// <summary>Equal scores get the exact expectation over random orders, without a draw.</summary>
    private sealed class Indifferent : IScorer
    {
        public void Score(UserEvent list, ReadOnlySpan<ulong> items, Span<double> scores) => scores.Clear();

        public void Learn(UserEvent e)
        {
        }
    }

    /// <summary>
    /// (clicks + 10 g) / (impressions + 10), g the rate over all; counted up to the list in question, or up to the first tested one.
    /// </summary>
    private sealed class ByItemCtr(bool online) : IScorer
    {
        private readonly Dictionary<ulong, (double Clicks, double Shown)> _counts = [];
        private double _clicks;
        private double _shown;
        private bool _isFrozen;

        public void Score(UserEvent list, ReadOnlySpan<ulong> items, Span<double> scores)
        {
            // Only tested lists are asked about.
            _isFrozen = !online;
            var prior = PriorImpressions * (_clicks + 1) / (_shown + 2);
            for (var i = 0; i < items.Length; i++)
            {
                var (clicks, shown) = _counts.GetValueOrDefault(items[i]);
                scores[i] = (clicks + prior) / (shown + PriorImpressions);
            }
        }

        public void Learn(UserEvent e)
        {
            if (_isFrozen) return;
            if (e.Kind == EventKind.Impression)
                foreach (var slot in e.Items) Add(slot.Item, 0, 1);
            else if (e.Item is not null) Add(e.Item, 1, 0);
        }

        private void Add(string item, double clicks, double shown)
        {
            var key = StableHash.Of(item);
            var old = _counts.GetValueOrDefault(key);
            _counts[key] = (old.Clicks + clicks, old.Shown + shown);
            (_clicks, _shown) = (_clicks + clicks, _shown + shown);
        }
    }

    /// <summary>The live path itself.</summary>
    private sealed class ByLearner : IScorer
    {
        private readonly OfflinePath _path;

        public ByLearner(StreamingSettings settings, IEnumerable<ItemChange> items)
        {
            _path = new OfflinePath(settings, inOneLine: true);
            foreach (var change in items) _path.Apply(change);
        }

        public void Score(UserEvent list, ReadOnlySpan<ulong> items, Span<double> scores)
        {
            _path.Tick(list.TimeMs);
            _path.Score(list.User, list.Surface, list.TimeMs, items, scores);
        }

        public void Learn(UserEvent e) => _path.Step(e);
    }
}
