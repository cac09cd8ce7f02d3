using Streaming.Core.Items;
using Streaming.Core.Ports;
using Streaming.Core.Settings;
using Streaming.Learning.Drn;
using Streaming.Learning.Features;
using Streaming.Learning.Isolation;
using Streaming.Learning.Statistics;

namespace Streaming.Learning;

/// <summary>
/// The learners of one node and the catalogue they learn over, wired to each other: what stands behind every ranking, live or
/// offline. One writer (whoever drives the <see cref="Trainer"/>), many readers in between.
/// </summary>
public sealed class LearnerSet
{
    /// <param name="settings">Bounds, rates, features, seed.</param>
    /// <param name="catalog">A catalogue that is kept up to date elsewhere; null for one of its own.</param>
    public LearnerSet(StreamingSettings settings, ItemCatalog? catalog = null)
    {
        Settings = settings;
        Catalog = catalog ?? new ItemCatalog(new ListingRules(settings.Feeds));
        Ranker = new FtrlModel(settings.Learning, settings.Users.NegativeSampleRate);
        Overlays = new ArmOverlays(Ranker, settings);
        Factors = new MatrixFactorisation(settings.Learning, settings.Node.Seed);
        Statistics = new ItemStatistics(settings.Learning, Catalog);
        Features = new FeatureExtractor(settings, Catalog, Statistics, Factors, Ranker);
        UserModels = new UserModels(Features, settings.Deep.Models.Contains(DrnModel.ModelName) ? () => new DrnFeatures(this) : null);
    }

    public StreamingSettings Settings { get; }
    public ItemCatalog Catalog { get; }
    public FtrlModel Ranker { get; }

    /// <summary>Where isolated arms rank and learn.</summary>
    public ArmOverlays Overlays { get; }
    public MatrixFactorisation Factors { get; }
    public ItemStatistics Statistics { get; }
    public FeatureExtractor Features { get; }

    /// <summary>What user machines ask.</summary>
    public UserModels UserModels { get; }

    /// <summary>The trainer of this set; one per set.</summary>
    /// <param name="others">Further learners, told of everything after the models, in this order.</param>
    /// <param name="onNewItem">Told of every item that only events have named, once it is in the catalogue.</param>
    public Trainer NewTrainer(IReadOnlyList<IStreamLearner>? others = null, Action<Item>? onNewItem = null) =>
        new(Settings.Learning, Ranker, Overlays, Factors, Statistics, others, (id, timeMs) =>
        {
            if (Catalog.AddStub(id, timeMs) && Catalog.TryGet(Core.Ids.StableHash.Of(id), out var item)) onNewItem?.Invoke(item);
        });
}
