using Streaming.Core.Events;
using Streaming.Core.Examples;
using Streaming.Core.Ids;
using Streaming.Core.Items;
using Streaming.Core.Settings;
using Streaming.Evaluation.Metrics;
using Streaming.Evaluation.Replay;
using Streaming.Learning;
using Streaming.Learning.Features;
using Streaming.Users;

namespace Streaming.Evaluation.Freshness;

/// <summary>
/// The live learners, which learn every example the moment its label is known, and copies of them that serve, each as stale as its
/// interval. A shown item is scored by every copy at the moment of showing, from the same state of the user; when its label comes,
/// the scores are noted with it. A user's own state (history, marks, embedding) is in the actor and always fresh: what gets stale is the
/// models' parameters.
/// </summary>
internal sealed class ServedRanking : IUserModels
{
    private readonly OfflinePath _path;
    private readonly ServingCopy?[] _copies;
    private readonly CandidateScorer[] _scorers;
    private readonly SyncSchedule _schedule;
    private readonly long _scoreFromMs;
    private readonly Dictionary<Shown, float[]> _waiting = [];

    private readonly record struct Shown(ulong User, ulong Item, long TimeMs, int Position);

    /// <param name="settings">Of the learners and users; one partition, so that time moves for all users at once.</param>
    /// <param name="intervals">One copy each.</param>
    /// <param name="scoreFromMs">End of the warm-up: the copies are synchronised, and scoring starts.</param>
    public ServedRanking(StreamingSettings settings, IReadOnlyList<SyncInterval> intervals, long scoreFromMs)
    {
        // What expires in the learner stays in a copy: nothing may expire within a run.
        settings = settings with
        {
            Log = settings.Log with { Partitions = 1 }, Learning = settings.Learning with { ItemExpiryMs = 36_500L * 86_400_000 },
        };
        _path = new OfflinePath(settings, _ => this) { Learned = OnLearned };
        _copies = [.. intervals.Select(i => i.Ms == 0 ? null : new ServingCopy(_path.Learners))];
        _scorers = [.. _copies.Select(c => (c?.Learners ?? _path.Learners).Features.NewScorer())];
        _schedule = new SyncSchedule(intervals, scoreFromMs);
        _scoreFromMs = scoreFromMs;
        Scored = new ScoredExamples(intervals.Count);
    }

    public ScoredExamples Scored { get; }

    public IReadOnlyList<long> Syncs => [.. _copies.Select(c => c?.Syncs ?? 0)];

    public UserState StateOf(string user) => _path.StateOf(user);

    public void Apply(ItemChange change) => _path.Apply(change);

    /// <summary>Applies one event after everything that was due before it; what it releases is learned at once.</summary>
    public void Apply(UserEvent e)
    {
        AdvanceTo(e.TimeMs);
        _path.Step(e);
    }

    /// <summary>Moves event time on: windows end and are learned, copies are synchronised, each at its moment.</summary>
    public void AdvanceTo(long timeMs)
    {
        foreach (var (boundaryMs, interval) in _schedule.Due(timeMs))
        {
            _path.Tick(boundaryMs);
            _copies[interval]!.Sync();
        }
        _path.Tick(timeMs);
    }

    public void Finish() => _path.Finish();

    /// <summary>Scores candidates with one interval's copy, in the user's present state.</summary>
    public void Rank(int interval, UserState user, IReadOnlyList<Item> candidates, string surface, long nowMs, Span<double> scores)
    {
        var scorer = _scorers[interval];
        scorer.BeginUser(user, nowMs, surface);
        for (var i = 0; i < candidates.Count; i++) scores[i] = scorer.Score(candidates[i].Key);
    }

    IItemCatalog IUserModels.Items => _path.Learners.UserModels.Items;
    string IUserModels.Versions => "";
    bool IUserModels.TryItemVector(ulong itemKey, Span<float> into) => _path.Learners.UserModels.TryItemVector(itemKey, into);

    void IUserModels.LearnUser(UserState user, ulong itemKey, float label, float weight) =>
        _path.Learners.UserModels.LearnUser(user, itemKey, label, weight);

    void IUserModels.Features(UserState user, ulong itemKey, in ShownContext context, FeatureBuffer into)
    {
        if (context.NowMs >= _scoreFromMs)
        {
            var scores = new float[_scorers.Length];
            for (var i = 0; i < scores.Length; i++)
            {
                _scorers[i].BeginUser(user, context.NowMs, context.Surface);
                scores[i] = _scorers[i].Score(itemKey);
            }
            _waiting[new Shown(StableHash.Of(user.User), itemKey, context.NowMs, context.Position)] = scores;
        }
        _path.Learners.UserModels.Features(user, itemKey, context, into);
    }

    private void OnLearned(ExampleRecord record)
    {
        foreach (var copy in _copies) copy?.Touch(record);
        if (record.Example is not { IsCorrection: false } example) return;
        var user = StableHash.Of(example.User);
        if (_waiting.Remove(new Shown(user, example.ItemKey, example.ShownMs, example.Position), out var scores))
            Scored.Add(user, example.Label > 0.5f, scores);
    }
}
