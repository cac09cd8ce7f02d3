using Streaming.Core.Ids;
using Streaming.Core.Items;
using Streaming.Core.Settings;
using Streaming.Learning.Statistics;

namespace Streaming.Learning.Features;

/// <summary>
/// The declared features and crosses, compiled, with the models they read. It has no state of its own: any number of
/// <see cref="CandidateScorer"/>s, one per thread, extract at once while no learner writes. Training and serving go through
/// the same scorers, so they cannot differ.
/// </summary>
public sealed class FeatureExtractor
{
    /// <summary>Values that one multi-valued feature (tags, attributes, ...) contributes at most; the rest is ignored.</summary>
    internal const int ValuesMax = 16;

    public FeatureExtractor(
        StreamingSettings settings, IItemCatalog catalog, ItemStatistics statistics, MatrixFactorisation factors, FtrlModel ranker)
    {
        Settings = settings;
        Users = settings.Users;
        Learning = settings.Learning;
        Catalog = catalog;
        Statistics = statistics;
        Factors = factors;
        Ranker = ranker;
        var names = Learning.Features.Count > 0 ? Learning.Features : FeatureNames.Default;
        var crosses = Learning.Crosses.Count == 0 ? FeatureNames.DefaultCrosses : Learning.Crosses is ["none"] ? [] : Learning.Crosses;
        var outputs = names.Distinct().Select(name => new FeatureOutput(FeatureKinds.Parse(name), null)).ToList();
        foreach (var cross in crosses.Distinct())
        {
            if (!FeatureNames.TryParseCross(cross, out var left, out var right)) throw new ArgumentException($"unknown cross '{cross}'");
            outputs.Add(new FeatureOutput(FeatureKinds.Parse(left), FeatureKinds.Parse(right)));
        }
        UserOutputs = [.. outputs.Where(o => o.Side == FeatureSide.User)];
        CandidateOutputs = [.. outputs.Where(o => o.Side != FeatureSide.User)];
        ItemOutputs = [.. outputs.Where(o => o.Side == FeatureSide.Item)];
        PairOutputs = [.. outputs.Where(o => o.Side == FeatureSide.Candidate)];
        UserKinds = [.. KindsOf(outputs).Where(k => FeatureKinds.Side(k) == FeatureSide.User)];
        CandidateKinds = CandidateKindsOf(CandidateOutputs);
        ItemKinds = CandidateKindsOf(ItemOutputs);
        PairKinds = CandidateKindsOf(PairOutputs);
        Salts = [.. Enum.GetValues<FeatureKind>().Select(SaltOf)];
    }

    internal StreamingSettings Settings { get; }
    internal UsersSettings Users { get; }
    internal LearningSettings Learning { get; }
    internal IItemCatalog Catalog { get; }
    internal ItemStatistics Statistics { get; }
    internal MatrixFactorisation Factors { get; }
    internal FtrlModel Ranker { get; }
    internal FeatureOutput[] UserOutputs { get; }
    internal FeatureKind[] UserKinds { get; }

    /// <summary>Everything that depends on the candidate, in order of declaration: <see cref="ItemOutputs"/> and <see cref="PairOutputs"/>.</summary>
    internal FeatureOutput[] CandidateOutputs { get; }
    internal FeatureKind[] CandidateKinds { get; }

    /// <summary>What depends on the item alone.</summary>
    internal FeatureOutput[] ItemOutputs { get; }
    internal FeatureKind[] ItemKinds { get; }

    /// <summary>What depends on user and item.</summary>
    internal FeatureOutput[] PairOutputs { get; }
    internal FeatureKind[] PairKinds { get; }

    /// <summary>By kind: what its keys are combined with, so that equal values of two features differ.</summary>
    internal ulong[] Salts { get; }

    internal static ulong SaltOf(FeatureKind kind) => StableHash.Of("feature:" + kind);

    /// <summary>A scorer for one thread.</summary>
    public CandidateScorer NewScorer() => NewScorer(() => Ranker);

    /// <summary>A scorer for one thread that ranks by other weights over the same features.</summary>
    /// <param name="weights">Asked anew for every user: an overlay may come and go between rounds.</param>
    public CandidateScorer NewScorer(Func<IRankingWeights> weights) => new(this, weights);

    private static IEnumerable<FeatureKind> KindsOf(IEnumerable<FeatureOutput> outputs) =>
        outputs.SelectMany(o => o.Second is { } second ? [o.First, second] : new[] { o.First }).Distinct().Order();

    private static FeatureKind[] CandidateKindsOf(IEnumerable<FeatureOutput> outputs) =>
        [.. KindsOf(outputs).Where(k => FeatureKinds.Side(k) != FeatureSide.User)];
}

/// <summary>One emitted feature: a kind alone, or two crossed.</summary>
internal readonly record struct FeatureOutput(FeatureKind First, FeatureKind? Second)
{
    /// <summary>Of a cross: the side of both where they agree, else both together.</summary>
    public FeatureSide Side
    {
        get
        {
            var side = FeatureKinds.Side(First);
            return Second is null || FeatureKinds.Side(Second.Value) == side ? side : FeatureSide.Candidate;
        }
    }
}
