using Streaming.Core.Items;
using Streaming.Learning.Drn;
using Streaming.Learning.Features;
using Streaming.Users;

namespace Streaming.Learning;

/// <summary>
/// The models as user actors see them: read-only views for several shard threads at once, while no learner writes. Each
/// thread extracts with a scorer of its own.
/// </summary>
public sealed class UserModels : IUserModels, IDisposable
{
    private readonly FtrlModel _ranker;
    private readonly MatrixFactorisation _factors;
    private readonly ThreadLocal<CandidateScorer> _scorers;
    private readonly ThreadLocal<DrnFeatures>? _drn;
    private VersionText _versions = new(-1, -1, "");

    private sealed record VersionText(long Ranker, long Factors, string Text);

    /// <param name="features">Of the ranker.</param>
    /// <param name="drn">Makes the dense features of the arm "drn"; null where there is no such arm.</param>
    public UserModels(FeatureExtractor features, Func<DrnFeatures>? drn = null)
    {
        if (drn is not null) _drn = new ThreadLocal<DrnFeatures>(drn);
        Items = features.Catalog;
        _ranker = features.Ranker;
        _factors = features.Factors;
        _scorers = new ThreadLocal<CandidateScorer>(features.NewScorer);
    }

    public IItemCatalog Items { get; }

    /// <summary>"ftrl:N mf:N"; made anew only when a model has learned.</summary>
    public string Versions
    {
        get
        {
            var now = _versions;
            if (now.Ranker == _ranker.Version && now.Factors == _factors.Version) return now.Text;
            var text = $"ftrl:{_ranker.Version} mf:{_factors.Version}";
            _versions = new VersionText(_ranker.Version, _factors.Version, text);
            return text;
        }
    }

    /// <summary>The calling thread's scorer: the one by which <see cref="Features"/> extracts, for ranking.</summary>
    public CandidateScorer Scorer => _scorers.Value!;

    public void Features(UserState user, ulong itemKey, in ShownContext context, FeatureBuffer into)
    {
        var scorer = Scorer;
        scorer.BeginUser(user, context.NowMs, context.Surface);
        scorer.ItemFeatures(itemKey, into);
    }

    /// <summary>The calling thread's dense features of DRN, for its ranker; null where there is no such arm.</summary>
    public DrnFeatures? Drn => _drn?.Value;

    public float[] DenseFeatures(UserState user, ulong itemKey, in ShownContext context, string arm)
    {
        if (_drn is null || arm != DrnModel.ModelName) return [];
        var features = _drn.Value!;
        var dense = new float[DrnFeatures.StateLength + DrnFeatures.ActionLength];
        features.BeginUser(user, context.NowMs, context.Surface, dense.AsSpan(0, DrnFeatures.StateLength));
        features.Item(itemKey, dense.AsSpan(DrnFeatures.StateLength));
        return dense;
    }

    public bool TryItemVector(ulong itemKey, Span<float> into) => _factors.TryItemVector(itemKey, into);

    public void LearnUser(UserState user, ulong itemKey, float label, float weight) => _factors.LearnUser(user, itemKey, label, weight);

    public void Dispose()
    {
        _scorers.Dispose();
        _drn?.Dispose();
    }
}
