using Streaming.Core.Examples;
using Streaming.Core.Experiments;
using Streaming.Core.Feeds;
using Streaming.Core.Items;
using Streaming.Core.Log;
using Streaming.Core.Ports;
using Streaming.Core.Settings;
using Streaming.Core.Wire;
using Streaming.Feeds;
using Streaming.Feeds.Building;
using Streaming.Learning;
using Streaming.Learning.Features;
using Streaming.Learning.Isolation;
using Streaming.Learning.Metrics;
using Streaming.Learning.Statistics;
using Streaming.Node.Deep;
using Streaming.Node.Splitting;
using Streaming.Users;

namespace Streaming.Node;

/// <summary>
/// Everything that is learned, and the catalogue it is learned over: one writer (the round's learning phase), many readers (the
/// shards, in the other phases).
/// </summary>
public sealed class ModelSet : IDisposable
{
    private const int SegmentsPerRefresh = 64;

    private readonly StreamingSettings _settings;
    private readonly LearnerSet _learners;
    private readonly FeedIndex _index;
    private readonly SegmentLists _segments;
    private readonly FeedBuilder _segmentBuilder;
    private readonly FeedExplainer _explainer;
    private readonly ItemVectors _vectors;
    private readonly DeepServing? _deep;

    /// <param name="settings">Resolved.</param>
    /// <param name="log">Where the versions of deep models come from.</param>
    /// <param name="learnsDeepInRounds">See <see cref="NodeParts.LearnsDeepInRounds"/>.</param>
    public ModelSet(StreamingSettings settings, IEventLog log, bool learnsDeepInRounds = false)
    {
        _settings = settings;
        _learners = new LearnerSet(settings);
        _vectors = new ItemVectors(_learners.Factors, settings.Learning.EmbeddingDim);
        if (settings.Deep.Models.Count > 0) _deep = new DeepServing(settings, Catalog, _learners.UserModels, log, learnsDeepInRounds);
        _index = new FeedIndex(Catalog, _vectors, settings.Feeds, settings.Users, _deep?.Retrieval);
        Policies = new ArmPolicies(settings, Arms(), _deep is null ? null : _deep.Pin);
        _segments = new SegmentLists(_index, settings.Feeds);
        _segmentBuilder = (FeedBuilder)BuilderForShard();
        _explainer = new FeedExplainer((FeedBuilder)BuilderForShard(), _learners.UserModels, settings.Users);
        Trainer = _learners.NewTrainer([.. _index.Learners, .. _deep?.Learners ?? []], Introduce);
        Skew = new SkewWatch(SkewWatch.ModelsOf(Arms(), _deep, settings.Feeds), () => Trainer.Counts, () => Trainer.NewestMs, settings.Deep.SkewMsMax);
        Parts = [.. Trainer.Parts, new CatalogPart(this)];
    }

    public ItemCatalog Catalog => _learners.Catalog;
    public Trainer Trainer { get; }

    /// <summary>Every part of a checkpoint.</summary>
    public IReadOnlyList<ICheckpointed> Parts { get; }

    /// <summary>What the arms of experiments make of lists.</summary>
    internal ArmPolicies Policies { get; }

    public long Examples => Trainer.Examples;
    public string Versions => _deep is null ? Trainer.Versions : $"{Trainer.Versions} {_deep.Versions}";

    /// <summary>Null where deep models are off.</summary>
    public DeepServing? Deep => _deep;

    /// <summary>Counts lists of mismatched versions.</summary>
    internal SkewWatch Skew { get; }

    /// <summary>Figures of the deep models that learn within the rounds.</summary>
    public IReadOnlyList<PrequentialFigures> DeepFigures() => [.. (_deep?.Learners ?? []).Select(l => l.Figures())];

    /// <summary>Records of <c>items</c> that were set aside.</summary>
    public long ItemDeadLetters { get; internal set; }

    /// <summary>Where isolated arms learn.</summary>
    public ArmOverlays Overlays => _learners.Overlays;

    /// <summary>Brings the overlays to what the experiments ask for at this time; returns those that were folded into the shared weights.</summary>
    internal IReadOnlyList<string> Follow(ExperimentDefinitions definitions, long nowMs) => new IsolatedArms(definitions, nowMs).Apply(Overlays);

    /// <summary>Prequential figures: the ranker first, then the baselines on the same stream.</summary>
    public IReadOnlyList<PrequentialFigures> Figures() => Trainer.Figures();

    /// <summary>What a shard's user machine asks.</summary>
    public IUserModels ForShard() => _learners.UserModels;

    /// <summary>A list builder with its own buffers, for one shard's thread.</summary>
    public IFeedBuilder BuilderForShard() =>
        new FeedBuilder(_index, _learners.UserModels, _vectors, new ScorerRanker(_learners), _settings.Feeds, Arms(), Policies);

    /// <summary>Items like this one, best first.</summary>
    public IReadOnlyList<(string Item, float Score)> Similar(string id, int count, long nowMs)
    {
        var found = new Candidate[count];
        var n = _index.Similar(Core.Ids.StableHash.Of(id), nowMs, found);
        return [.. found.Take(n).Select(c => (Catalog.TryGet(c.Item, out var item) ? item.Id : "", c.Score)).Where(s => s.Item1.Length > 0)];
    }

    /// <inheritdoc cref="FeedExplainer.Explain"/>
    internal IReadOnlyList<ExplainedItem>? Explain(byte[] snapshot, int dimension, string user, string surface, string arm, ulong[] items, long nowMs) =>
        _explainer.Explain(snapshot, dimension, user, surface, arm, items, nowMs)?
            .Select(e => new ExplainedItem(ItemOf(e.ItemKey), e, [.. e.Omissions.Select(o => ItemOf(o.Action.ItemKey))])).ToList();

    private Item? ItemOf(ulong key) => Catalog.TryGet(key, out var item) ? item : null;

    public void Dispose() => _deep?.Dispose();

    internal void Apply(ItemChange change)
    {
        if (Catalog.Apply(change) is { } item) Introduce(item);
        else _index.OnItemDeleted(Core.Ids.StableHash.Of(change.Id));
    }

    internal void Learn(ExampleRecord record) => Trainer.On(record);

    /// <summary>Ends a round's learning.</summary>
    internal void Refresh(long nowMs)
    {
        _deep?.Apply();
        _index.Refresh(nowMs);
        Skew.Refresh();
    }

    /// <summary>Ends a stream: what waits for a mini-batch is learned.</summary>
    internal void FinishDeep()
    {
        foreach (var learner in _deep?.Learners ?? []) learner.Finish();
    }

    private IReadOnlyList<ArmPolicy> Arms() =>
    [
        ArmPolicy.Learned, ArmPolicy.Holdout(_settings.Feeds.CandidatesMax), .. _deep?.Arms ?? [],
        .. FeedsSettings.Diversities.Where(_settings.Experiments.ArmShares.ContainsKey).Select(diversity => ArmPolicy.Diverse(diversity, _settings.Feeds)),
    ];

    /// <summary>Rebuilds the popular lists of segments that have changed, a bounded number at a time.</summary>
    internal void RefreshSegments(Action<FeedList> put, long nowMs)
    {
        Span<Segment> due = new Segment[SegmentsPerRefresh];
        foreach (var segment in due[.._segments.Due(nowMs, due)])
            if (_segmentBuilder.BuildSegment(segment.Name, segment.Surface, FeedLookup.SegmentArm, nowMs) is { } list) put(list);
    }

    private void Introduce(Item item)
    {
        _index.OnItem(item);
        _segments.OnItem(item);
    }

    private sealed class ItemVectors(MatrixFactorisation factors, int dimension) : IItemVectors
    {
        public int Dim => dimension;

        public bool TryGet(ulong item, Span<float> into) => factors.TryItemVector(item, into);
    }

    /// <summary>Ranks by the scorer that also extracts the features to train on: the user's side is done once for all candidates.</summary>
    private sealed class ScorerRanker : IArmRanker
    {
        private readonly LearnerSet _learners;
        private readonly CandidateScorer _scorer;
        private FtrlOverlay? _overlay;
        private (FtrlOverlay? Overlay, long Version, string Text) _named;

        public ScorerRanker(LearnerSet learners)
        {
            _learners = learners;
            _scorer = learners.Features.NewScorer(() => (IRankingWeights?)_overlay ?? learners.Ranker);
        }

        public string? StartArm(string arm)
        {
            _overlay = _learners.Overlays.Of(arm);
            if (_overlay is null) return null;
            if (_named.Overlay != _overlay || _named.Version != _overlay.Version) _named = (_overlay, _overlay.Version, $"overlay:{_overlay.Version}");
            return _named.Text;
        }

        public void Score(UserState user, ReadOnlySpan<ulong> items, string surface, long nowMs, Span<float> scores)
        {
            _scorer.BeginUser(user, nowMs, surface);
            for (var i = 0; i < items.Length; i++) scores[i] = _scorer.Score(items[i]);
        }
    }

    /// <summary>The catalogue as a part of the checkpoint; loading it also tells the segments and channels about its items.</summary>
    private sealed class CatalogPart(ModelSet models) : ICheckpointed
    {
        private const byte FormatVersion = 1;

        public string Name => "catalogue";

        public void Save(Stream into)
        {
            var writer = new CheckpointWriter(into, FormatVersion);
            writer.Int64(models.ItemDeadLetters);
            CatalogCodec.Save(models.Catalog, writer);
            writer.Finish();
        }

        public void Load(Stream from)
        {
            var reader = new CheckpointReader(from, FormatVersion, Name);
            models.ItemDeadLetters = reader.Int64();
            CatalogCodec.Load(models.Catalog, reader);
            foreach (var item in models.Catalog.All)
            {
                models._segments.OnItem(item);
                foreach (var channel in models._index.Retrieval) channel.OnItem(item); // its index lives in memory only
            }
            reader.Finish();
        }
    }
}
