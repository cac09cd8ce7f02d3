using Streaming.Core.Examples;
using Streaming.Core.Items;
using Streaming.Core.Log;
using Streaming.Core.Ports;
using Streaming.Core.Settings;
using Streaming.Core.Wire;
using Streaming.Feeds;
using Streaming.Feeds.Building;
using Streaming.Learning;
using Streaming.Learning.Features;
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
    private readonly ItemVectors _vectors;
    private readonly DeepServing? _deep;

    /// <param name="settings">Resolved.</param>
    /// <param name="log">Where the versions of deep models come from.</param>
    public ModelSet(StreamingSettings settings, IEventLog log)
    {
        _settings = settings;
        _learners = new LearnerSet(settings);
        _vectors = new ItemVectors(_learners.Factors, settings.Learning.EmbeddingDim);
        if (settings.Deep.Models.Count > 0) _deep = new DeepServing(settings, Catalog, _learners.UserModels, log);
        _index = new FeedIndex(Catalog, _vectors, settings.Feeds, settings.Users, _deep?.TwoTower);
        Policies = new ArmPolicies(settings, Arms());
        _segments = new SegmentLists(_index, settings.Feeds);
        _segmentBuilder = (FeedBuilder)BuilderForShard();
        Trainer = _learners.NewTrainer(_index.Learners, Introduce);
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

    /// <summary>Records of <c>items</c> that were set aside.</summary>
    public long ItemDeadLetters { get; internal set; }

    /// <summary>Prequential figures: the ranker first, then the baselines on the same stream.</summary>
    public IReadOnlyList<PrequentialFigures> Figures() => Trainer.Figures();

    /// <summary>What a shard's user machine asks.</summary>
    public IUserModels ForShard() => _learners.UserModels;

    /// <summary>A list builder with its own buffers, for one shard's thread.</summary>
    public IFeedBuilder BuilderForShard() =>
        new FeedBuilder(_index, _learners.UserModels, _vectors, new ScorerRanker(_learners.Features.NewScorer()), _settings.Feeds, Arms(), Policies);

    /// <summary>Items like this one, best first.</summary>
    public IReadOnlyList<(string Item, float Score)> Similar(string id, int count, long nowMs)
    {
        var found = new Candidate[count];
        var n = _index.Similar(Core.Ids.StableHash.Of(id), nowMs, found);
        return [.. found.Take(n).Select(c => (Catalog.TryGet(c.Item, out var item) ? item.Id : "", c.Score)).Where(s => s.Item1.Length > 0)];
    }

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
    }

    private IReadOnlyList<ArmPolicy> Arms() => [ArmPolicy.Learned, ArmPolicy.Holdout(_settings.Feeds.CandidatesMax), .. _deep?.Arms ?? []];

    /// <summary>Rebuilds the popular lists of segments that have changed, a bounded number at a time.</summary>
    internal void RefreshSegments(IFeedCache cache, long nowMs)
    {
        Span<Segment> due = new Segment[SegmentsPerRefresh];
        foreach (var segment in due[.._segments.Due(nowMs, due)])
            if (_segmentBuilder.BuildSegment(segment.Name, segment.Surface, FeedLookup.SegmentArm, nowMs) is { } list) cache.Put(list);
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
    private sealed class ScorerRanker(CandidateScorer scorer) : IRanker
    {
        public void Score(UserState user, ReadOnlySpan<ulong> items, string surface, long nowMs, Span<float> scores)
        {
            scorer.BeginUser(user, nowMs, surface);
            for (var i = 0; i < items.Length; i++) scores[i] = scorer.Score(items[i]);
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
                models._deep?.TwoTower?.OnItem(item); // its index lives in memory only
            }
            reader.Finish();
        }
    }
}
