using Streaming.Core.Items;
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
    private readonly ThreadLocal<DenseInputs> _dense;
    private VersionText _versions = new(-1, -1, "");

    private sealed record VersionText(long Ranker, long Factors, string Text);

    public UserModels(FeatureExtractor features)
    {
        Items = features.Catalog;
        _ranker = features.Ranker;
        _factors = features.Factors;
        _scorers = new ThreadLocal<CandidateScorer>(features.NewScorer);
        _dense = new ThreadLocal<DenseInputs>(() => new DenseInputs(Scorer, features.Settings));
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

    /// <summary>The calling thread's dense columns for deep rankers, by <see cref="Scorer"/>.</summary>
    public DenseInputs Dense => _dense.Value!;

    public void Features(UserState user, ulong itemKey, in ShownContext context, FeatureBuffer into)
    {
        var scorer = Scorer;
        scorer.BeginUser(user, context.NowMs, context.Surface);
        scorer.ItemFeatures(itemKey, into);
    }

    public bool TryItemVector(ulong itemKey, Span<float> into) => _factors.TryItemVector(itemKey, into);

    public void LearnUser(UserState user, ulong itemKey, float label, float weight) => _factors.LearnUser(user, itemKey, label, weight);

    public void Dispose()
    {
        _dense.Dispose();
        _scorers.Dispose();
    }
}
