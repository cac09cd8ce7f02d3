using System.Diagnostics;
using Streaming.Core.Feeds;
using Streaming.Core.Ids;
using Streaming.Core.Log;
using Streaming.Core.Metrics;
using Streaming.Core.Ports;
using Streaming.Core.Settings;
using Streaming.Feeds.Recall;
using Streaming.Feeds.Structures;
using Streaming.Learning.Interleaving;
using Streaming.Users;

namespace Streaming.Feeds.Building;

/// <summary>
/// Builds lists: recall, filters and merge (<see cref="CandidateMerger"/>), ranking, re-ranking and exploration
/// (<see cref="Reranker"/>); for arms with an opponent by two rankers, interleaved (<see cref="InterleavingPolicy"/>). One instance per shard thread, with its own buffers; the index and the models are shared and only
/// read. The same state, models and time give the same list. A build allocates the list, its entries and its
/// <see cref="ListRef"/>, nothing else.
/// </summary>
public sealed partial class FeedBuilder : IFeedBuilder
{
    private static readonly byte FreshChannelIndex = (byte)FeedChannels.All.ToList().IndexOf(FeedChannels.Fresh);

    private readonly FeedIndex _index;
    private readonly IUserModels _models;
    private readonly IRanker _ranker;
    private readonly FeedsSettings _settings;
    private readonly ListPlans _plans;
    private readonly CandidateFilter _filter;
    private readonly IItemVectors _vectors;
    private readonly ulong[] _pool;
    private readonly Candidate[] _popular;

    // As large as the largest plan so far needs them (Fit).
    private CandidateMerger _merger = null!;
    private Reranker _reranker = null!;
    private Slate _slate = null!;
    private KeyMap<int> _slateIndex = null!;
    private Slot[] _slots = [];
    private ulong[] _recallOrder = [];
    private ulong[] _rankOrder = [];
    private ulong[] _keys = [];
    private float[] _scores = [];
    private int[] _placed = [];
    private Slate? _opponent;
    private (int Quota, int Quotas, int Length, int Candidates) _fits;

    /// <param name="index">Shared by all shards.</param>
    /// <param name="models">The catalogue and the versions in force.</param>
    /// <param name="vectors">For similarity between items.</param>
    /// <param name="ranker">Of all arms whose policy names none.</param>
    /// <param name="settings">Validated.</param>
    /// <param name="arms">Policies by name; without any, <see cref="ArmPolicy.Learned"/> and <see cref="ArmPolicy.Holdout"/>.</param>
    public FeedBuilder(
        FeedIndex index, IUserModels models, IItemVectors vectors, IRanker ranker, FeedsSettings settings, params IReadOnlyList<ArmPolicy> arms)
        : this(index, models, vectors, ranker, settings, arms, null)
    {
    }

    /// <inheritdoc cref="FeedBuilder(FeedIndex, IUserModels, IItemVectors, IRanker, FeedsSettings, IReadOnlyList{ArmPolicy})"/>
    /// <param name="policies">Of arms that come and go; null for none.</param>
    public FeedBuilder(
        FeedIndex index, IUserModels models, IItemVectors vectors, IRanker ranker, FeedsSettings settings, IReadOnlyList<ArmPolicy> arms, IArmPolicies? policies)
    {
        (_index, _models, _vectors, _ranker, _settings) = (index, models, vectors, ranker, settings);
        _plans = new ListPlans(settings, arms.Count > 0 ? arms : [ArmPolicy.Learned, ArmPolicy.Holdout(settings.CandidatesMax)], policies);
        _filter = new CandidateFilter(models.Items);
        foreach (var plan in _plans.All) Fit(plan);
        _pool = new ulong[settings.FreshPoolMax];
        _popular = new Candidate[settings.PopularTopMax];
    }

    public FeedList? Build(UserState user, string surface, string arm, long nowMs)
    {
        if (_plans.Of(arm, surface) is not { } plan) return null;
        var started = StreamingMeters.IsListBuildTimed ? Stopwatch.GetTimestamp() : 0;
        var list = Build(user, plan, surface, arm, nowMs);
        if (started != 0) StreamingMeters.RecordListBuild(arm, Stopwatch.GetElapsedTime(started));
        return list;
    }

    private FeedList? Build(UserState user, ListPlan plan, string surface, string arm, long nowMs)
    {
        var own = (_ranker as IArmRanker)?.StartArm(arm);
        Fit(plan);
        _filter.Start(user, plan, nowMs);
        _merger.Merge(user, plan, new RecallRequest(surface, nowMs));
        FillSlate(user, plan, surface, nowMs);
        var version = user.ListVersion + 1;
        var draws = StableHash.Combine(StableHash.Combine(_settings.Seed, StableHash.Of(user.User)), (ulong)version);
        var wanted = _slots.AsSpan(0, plan.ListLength);
        var shuffled = 0;
        var count = plan.Arm.Interleaving is null
            ? _reranker.Fill(_slate, plan, draws, wanted, out shuffled)
            : _reranker.FillInterleaved(_slate, _opponent!, plan, plan.Interleaver!, draws, wanted);
        // An empty list replaces one whose last item has become unwanted; without one before, the look-up falls back on the segment's.
        if (count == 0 && user.ListVersion == 0) return null;
        ScoreExplored(user, plan, surface, nowMs, _slots.AsSpan(0, count));
        return Publish(user, plan, surface, nowMs, version, VersionsOf(plan.Arm, own), shuffled, _slots.AsSpan(0, count));
    }

    /// <summary>
    /// The popular list of a segment, for users of whom nothing is known: of the tag or category named <paramref name="segment"/>,
    /// then of the surface, then overall; an empty segment starts with the surface. Null when there is nothing to show. Its version
    /// is <paramref name="nowMs"/>, its user <see cref="IFeedCache.SegmentUser"/>.
    /// </summary>
    public FeedList? BuildSegment(string segment, string surface, string arm, long nowMs)
    {
        if (_plans.Of(arm, surface) is not { } plan) return null;
        _filter.Start(null, plan, nowMs);
        _slate.Clear();
        _slateIndex.Clear();
        var popular = _index.Popular;
        if (segment.Length > 0)
        {
            var key = new Segment(segment, surface);
            AddPopular(_popular.AsSpan(0, popular.FillInterest(key.TagKey, nowMs, _popular)), plan.ListLength);
            AddPopular(_popular.AsSpan(0, popular.FillInterest(key.CategoryKey, nowMs, _popular)), plan.ListLength);
        }
        AddPopular(_popular.AsSpan(0, popular.Fill(surface, nowMs, _popular)), plan.ListLength);
        if (_slate.Count == 0) return null;
        var entries = new FeedEntry[_slate.Count];
        for (var i = 0; i < entries.Length; i++)
            entries[i] = new FeedEntry(_slate.Items[i].Id, _slate.Keys[i], _slate.Scores[i], FeedChannels.Popular, 1f);
        return new FeedList
        {
            User = IFeedCache.SegmentUser(segment), Surface = surface, Arm = arm, Version = nowMs, BuiltMs = nowMs,
            LastEventMs = nowMs, LastApplied = new LogPosition(0, -1), Models = "popularity", Entries = entries,
        };
    }

    /// <summary>Makes the buffers large enough for a plan; they never shrink. Bounded by the rules that settings and arms keep to.</summary>
    private void Fit(ListPlan plan)
    {
        var (quota, quotas, length, candidates) = (Math.Max(1, plan.Quotas.Max()), Math.Max(1, plan.Quotas.Sum()), plan.ListLength, plan.CandidatesMax);
        var isOpposed = _opponent is not null || plan.Arm.Interleaving is not null;
        if (quota <= _fits.Quota && quotas <= _fits.Quotas && length <= _fits.Length && candidates <= _fits.Candidates && isOpposed == _opponent is not null) return;
        _fits = (Math.Max(quota, _fits.Quota), Math.Max(quotas, _fits.Quotas), Math.Max(length, _fits.Length), Math.Max(candidates, _fits.Candidates));
        _merger = new CandidateMerger(_index.Channels, _filter, _settings.RecallOverfetch, _fits.Candidates, _fits.Quota, _fits.Quotas);
        var capacity = _fits.Candidates + _fits.Length + _settings.FreshPoolMax;
        _slate = new Slate(capacity, _settings.FreshPoolMax);
        _slateIndex = new KeyMap<int>(capacity);
        _reranker = new Reranker(_vectors, capacity, _settings.FreshPoolMax);
        _slots = new Slot[_fits.Length];
        _recallOrder = new ulong[Math.Max(_fits.Quotas, _fits.Candidates)];
        (_rankOrder, _keys, _scores, _placed) = (new ulong[capacity], new ulong[capacity], new float[capacity], new int[capacity]);
        _opponent = isOpposed ? new Slate(capacity, 0) : null;
    }

    private void AddPopular(ReadOnlySpan<Candidate> found, int length)
    {
        foreach (var (key, score) in found)
        {
            if (_slate.Count == length) return;
            if (_filter.Check(key, out var item) != FilterVerdict.Keep) continue;
            _slateIndex.GetOrAdd(key, out var known);
            if (!known) _slate.Add(key, item!, score, 0);
        }
    }

    private void FillSlate(UserState user, ListPlan plan, string surface, long nowMs)
    {
        _slate.Clear();
        _opponent?.Clear();
        AddRanked(_merger.Kept, plan.CandidatesMax, user, plan, surface, nowMs);
        _slate.FirstCount = _slate.Count;
        if (_opponent is not null) _opponent.FirstCount = _opponent.Count;
        // Fatigue yields only where the list would otherwise be short.
        AddRanked(_merger.Reserve, Math.Max(0, plan.ListLength - _slate.Count), user, plan, surface, nowMs);
        _slate.RankedCount = _slate.Count;
        if (_opponent is not null) _opponent.RankedCount = _opponent.Count;
        if (plan.ExploreEvery > 0) AddPool(nowMs);
    }

    /// <summary>Adds the best of a set by recall rank, then ordered by the ranker's score; with an opponent, to its slate in its own order.</summary>
    private void AddRanked(CandidateSet set, int max, UserState user, ListPlan plan, string surface, long nowMs)
    {
        var count = Math.Min(set.Count, max);
        if (count == 0) return;
        // Which come in matters only when not all do; the ranker's order is made below.
        if (count < set.Count) Descending.Sort(set.Ranks.AsSpan(0, set.Count), _recallOrder);
        else
            for (var i = 0; i < count; i++) _recallOrder[i] = (ulong)i;
        for (var i = 0; i < count; i++)
        {
            var at = Descending.Index(_recallOrder[i]);
            (_keys[i], _scores[i]) = (set.Keys[at], set.Ranks[at]);
        }
        if (plan.Arm.Ranks) Score(RankerOf(plan), plan, user, surface, nowMs, count);
        Descending.Sort(_scores.AsSpan(0, count), _rankOrder);
        for (var r = 0; r < count; r++)
        {
            var i = Descending.Index(_rankOrder[r]);
            var at = Descending.Index(_recallOrder[i]);
            _placed[i] = _slate.Add(set.Keys[at], set.Items[at], _scores[i], set.Channels[at]);
        }
        if (plan.Arm.Interleaving is { } policy) AddOpposed(policy, plan, set, user, surface, nowMs, count);
    }

    /// <summary>Puts what <see cref="AddRanked"/> has just added into the opponent's order.</summary>
    private void AddOpposed(InterleavingPolicy policy, ListPlan plan, CandidateSet set, UserState user, string surface, long nowMs, int count)
    {
        var opponent = _opponent!;
        Score(policy.Opponent, plan, user, surface, nowMs, count);
        Descending.Sort(_scores.AsSpan(0, count), _rankOrder);
        for (var r = 0; r < count; r++)
        {
            var i = Descending.Index(_rankOrder[r]);
            var at = Descending.Index(_recallOrder[i]);
            opponent.Twins[opponent.Count] = _placed[i];
            opponent.Add(set.Keys[at], set.Items[at], _scores[i], set.Channels[at]);
        }
    }

    private void AddPool(long nowMs)
    {
        _slateIndex.Clear();
        for (var i = 0; i < _slate.Count; i++) _slateIndex.GetOrAdd(_slate.Keys[i], out _) = i;
        foreach (var key in _pool.AsSpan(0, _index.Fresh.Pool(nowMs, _pool)))
        {
            if (_filter.Check(key, out var item) != FilterVerdict.Keep) continue;
            ref var at = ref _slateIndex.GetOrAdd(key, out var known);
            if (!known) at = _slate.Add(key, item!, 0f, FreshChannelIndex);
            _slate.Pool[_slate.PoolCount++] = at;
        }
    }

    /// <summary>Scores what exploration brought in from outside the candidates, so that every entry has a score of the same kind.</summary>
    private void ScoreExplored(UserState user, ListPlan plan, string surface, long nowMs, ReadOnlySpan<Slot> slots)
    {
        var count = 0;
        foreach (var slot in slots)
            if (slot.Index >= _slate.RankedCount) _keys[count++] = _slate.Keys[slot.Index];
        if (count == 0 || !plan.Arm.Ranks) return;
        Score(RankerOf(plan), plan, user, surface, nowMs, count);
        count = 0;
        foreach (var slot in slots)
            if (slot.Index >= _slate.RankedCount) _slate.Scores[slot.Index] = _scores[count++];
    }

    private IRanker RankerOf(ListPlan plan) => plan.Arm.Ranker ?? _ranker;

    private void Score(IRanker ranker, ListPlan plan, UserState user, string surface, long nowMs, int count)
    {
        ranker.Score(user, _keys.AsSpan(0, count), surface, nowMs, plan.Fusion, _scores.AsSpan(0, count));
        // A model that has diverged must not take the list's order with it.
        for (var i = 0; i < count; i++)
            if (!float.IsFinite(_scores[i])) _scores[i] = 0f;
    }

    /// <param name="own">Of the arm's weights in the builder's ranker.</param>
    private string VersionsOf(ArmPolicy arm, string? own) => !arm.Ranks ? "popularity"
        : arm.Version is not null ? $"{_models.Versions} {arm.Version()}"
        : own is not null && arm.Ranker is null ? $"{_models.Versions} {own}" : _models.Versions;

    private FeedList Publish(
        UserState user, ListPlan plan, string surface, long nowMs, long version, string models, int shuffled, ReadOnlySpan<Slot> slots)
    {
        var arm = plan.Arm.Name;
        var entries = new FeedEntry[slots.Length];
        var (keys, propensities) = Forget(user, slots.Length);
        Team[] teams = plan.Arm.Interleaving is null ? [] : new Team[slots.Length];
        for (var s = 0; s < slots.Length; s++)
        {
            var (index, explored, propensity, team) = slots[s];
            var channel = FeedChannels.All[explored ? FreshChannelIndex : _slate.Channels[index]];
            entries[s] = new FeedEntry(_slate.Items[index].Id, _slate.Keys[index], _slate.Scores[index], channel, propensity);
            (keys[s], propensities[s]) = (_slate.Keys[index], propensity);
            if (teams.Length > 0) teams[s] = team;
        }
        user.ListVersion = version;
        user.Lists.Add(new ListRef
        {
            Version = version, Surface = surface, Arm = arm, Models = models, Items = keys, Propensities = propensities, Teams = teams, Shuffled = shuffled,
        });
        return new FeedList
        {
            User = user.User, Surface = surface, Arm = arm, Version = version, BuiltMs = nowMs, LastEventMs = user.LastEventMs,
            LastApplied = user.LastApplied, Models = models, Entries = entries, Teams = teams,
        };
    }

    /// <summary>
    /// Makes room for one more list, and gives its arrays. Those of a list that goes serve again where they fit: they have long been where the
    /// collector keeps what is old, and new ones would be copied there.
    /// </summary>
    private (ulong[] Keys, float[] Propensities) Forget(UserState user, int length)
    {
        ListRef? last = null;
        for (; user.Lists.Count >= _settings.ListsRememberedMax; user.Lists.RemoveAt(0)) last = user.Lists[0];
        return last is not null && last.Items.Length == length && last.Propensities.Length == length
            ? (last.Items, last.Propensities)
            : (new ulong[length], new float[length]);
    }
}
