using Streaming.Core.Events;
using Streaming.Core.Ids;
using Streaming.Core.Settings;
using Streaming.Learning;
using Streaming.Models.Deep;
using Streaming.Models.Ranking;
using Streaming.Models.Reranking;
using Streaming.Users;

namespace Streaming.Feeds.Building;

/// <summary>
/// Ranks with a deep ranker, a trainer's or a replica: the probability that the user likes the item, or what <see cref="GoalFusion"/> makes of those of several goals. Each thread has buffers of its
/// own; the weights are shared. History and session are read as they are when an example is made.
/// </summary>
public sealed class DeepRanker : IRanker, IDisposable
{
    private readonly Func<long> _version;
    private readonly UserModels _users;
    private readonly IReadOnlyDictionary<string, double> _actions;
    private readonly ThreadLocal<Work> _work;

    /// <summary>Scores candidates of one user, as <see cref="DinScorer.Score"/>.</summary>
    private delegate void ScoreCandidates(
        ulong user, ReadOnlySpan<ulong> history, int inSession, ulong surface, long nowMs, ReadOnlySpan<ulong> items, ReadOnlySpan<float> dense, Span<float> scores);

    /// <param name="Goals">Tasks 2 to K; scores are then of shape [items, K].</param>
    private sealed record Scorer(ScoreCandidates Score, Action Refresh, IDisposable? Owned, IReadOnlyList<EventKind> Goals);

    private sealed class Work(Scorer scorer, int historyMax)
    {
        public readonly Scorer Scorer = scorer;
        public readonly ulong[] History = new ulong[historyMax];
        public float[] Dense = [];
        public float[] Probabilities = [];
        public GoalFusion? Fusion;
        public float[] Weights = [];
        public long Version = long.MinValue;
        public string Surface = "";
        public ulong SurfaceKey = StableHash.Of("");
    }

    private DeepRanker(Func<Scorer> scorer, int historyMax, UserModels users, Func<long> version, IReadOnlyDictionary<string, double>? actions)
    {
        (_version, _users, _actions) = (version, users, actions ?? new UsersSettings().ActionWeights);
        _work = new ThreadLocal<Work>(() => new Work(scorer(), historyMax), trackAllValues: true);
    }

    /// <param name="model">A <see cref="Din"/>, a <see cref="RankerModel"/> or a <see cref="PrmModel"/>; read while nobody writes to it.</param>
    /// <param name="users">Gives the dense columns, those of the model.</param>
    /// <param name="version">Changes whenever the model's dense weights have: they are then taken over anew.</param>
    /// <param name="actions">Weights of actions, for goals whose weight a list does not name; null for the settings' own defaults.</param>
    public static DeepRanker Of(IDeepModel model, UserModels users, Func<long> version, IReadOnlyDictionary<string, double>? actions = null)
    {
        static Scorer OfDin(DinScorer own) => new(own.Score, own.Refresh, null, []);
        static Scorer OfRows(CandidateRows own, RankerModel ranker) => new(own.Score, own.Refresh, own, ranker.Goals);
        static Scorer OfPrm(PrmCandidates own) => new(own.Score, own.Refresh, own, []);
        return model switch
        {
            Din din => new DeepRanker(() => OfDin(new DinScorer(din)), din.HistoryMax, users, version, actions),
            RankerModel ranker => new DeepRanker(() => OfRows(ranker.NewCandidates(), ranker), ranker.HistoryMax, users, version, actions),
            PrmModel prm => new DeepRanker(() => OfPrm(prm.NewCandidates()), prm.HistoryMax, users, version, actions),
            _ => throw new ArgumentException($"{model.Name} is no ranker", nameof(model)),
        };
    }

    public void Score(UserState user, ReadOnlySpan<ulong> items, string surface, long nowMs, Span<float> scores) =>
        Score(user, items, surface, nowMs, GoalFusion.Default, scores);

    public void Score(UserState user, ReadOnlySpan<ulong> items, string surface, long nowMs, GoalFusion fusion, Span<float> scores)
    {
        var work = _work.Value!;
        var version = _version();
        if (work.Version != version)
        {
            work.Scorer.Refresh();
            work.Version = version;
        }
        if (work.Surface != surface) (work.Surface, work.SurfaceKey) = (surface, StableHash.Of(surface));
        var count = PastItems.Newest(user, work.History, out var inSession);
        var inputs = _users.Dense;
        if (work.Dense.Length < items.Length * inputs.Columns) work.Dense = new float[items.Length * inputs.Columns];
        var dense = work.Dense.AsSpan(0, items.Length * inputs.Columns);
        inputs.Fill(user, items, surface, nowMs, dense);
        var tasks = 1 + work.Scorer.Goals.Count;
        if (tasks > 1 && work.Probabilities.Length < items.Length * tasks) work.Probabilities = new float[items.Length * tasks];
        var found = tasks == 1 ? scores : work.Probabilities.AsSpan(0, items.Length * tasks);
        work.Scorer.Score(StableHash.Of(user.User), work.History.AsSpan(0, count), inSession, work.SurfaceKey, nowMs, items, dense, found);
        if (tasks == 1) return;
        if (!ReferenceEquals(work.Fusion, fusion)) (work.Fusion, work.Weights) = (fusion, fusion.WeightsOf(work.Scorer.Goals, _actions));
        for (var i = 0; i < items.Length; i++) scores[i] = fusion.Fuse(found.Slice(i * tasks, tasks), work.Weights);
    }

    public void Dispose()
    {
        foreach (var work in _work.Values) work.Scorer.Owned?.Dispose();
        _work.Dispose();
    }
}
