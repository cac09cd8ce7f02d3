using System.Runtime.InteropServices;
using Streaming.Core.Ids;
using Streaming.Core.Items;
using Streaming.Learning.Statistics;
using Streaming.Models.Embeddings;
using Streaming.Users;

namespace Streaming.Learning.Features;

/// <summary>
/// Extracts features, and scores, for many candidates of one user. <see cref="BeginUser"/> does the user's share of the work
/// once; <see cref="ItemFeatures"/> and <see cref="Score"/> then do the candidate's. What an item adds to every user's score is
/// remembered while nothing is learned and the time stands: the lists of one round rank the same items for user after user. Not
/// thread-safe: one per thread. Allocates nothing once warm.
/// </summary>
public sealed class CandidateScorer
{
    /// <summary>Events' worth of the global rate mixed into a user's mean.</summary>
    private const float UserPrior = 5f;
    private const int SessionActionsMax = 10;
    private const int RememberedMax = 1 << 16;

    private readonly FeatureExtractor _features;
    private readonly Func<IRankingWeights> _weightsNow;
    private readonly FeatureScratch _scratch;
    private readonly FeatureBuffer _shared = new();
    private readonly FeatureBuffer _scored = new();
    private readonly float[] _session;
    private readonly bool _usesSession;
    private readonly bool _itemUsesFigures;
    private readonly bool _pairUsesFigures;
    private readonly bool _usesVector;
    private readonly Dictionary<ulong, ItemShare> _remembered = [];
    private (long NowMs, IRankingWeights Weights, long Ranker, long Statistics, long Catalog) _rememberedAt;
    private IRankingWeights _weights;

    private UserState? _user;
    private long _nowMs;
    private float _globalLogit;
    private float _sharedLogit;
    private float _shortNorm;
    private float _longNorm;
    private float _sessionNorm;

    /// <summary>What an item is, and what it adds to every user's logit.</summary>
    private readonly record struct ItemShare(Item? Item, float Logit);

    /// <summary>What the features of one candidate are computed from.</summary>
    private readonly ref struct Candidate
    {
        public required ulong Key { get; init; }
        public required Item? Item { get; init; }
        public required ItemFigures Figures { get; init; }
        public required ReadOnlySpan<float> Vector { get; init; }
        public required float Norm { get; init; }
        public required float Dot { get; init; }
        public required float Logit { get; init; }
    }

    internal CandidateScorer(FeatureExtractor features, Func<IRankingWeights> weights)
    {
        _features = features;
        _weightsNow = weights;
        _weights = weights();
        _scratch = new FeatureScratch(features.Salts);
        _session = new float[features.Factors.Dim - 1];
        var kinds = features.CandidateKinds;
        _usesSession = kinds.Contains(FeatureKind.SessionSimilarity);
        _itemUsesFigures = features.ItemKinds.Any(NeedsFigures);
        _pairUsesFigures = features.PairKinds.Any(NeedsFigures);
        _usesVector = kinds.Any(k => k is >= FeatureKind.Mf and <= FeatureKind.InterestSimilarity);
    }

    /// <summary>Starts on a user; the state must not change until the last candidate is done.</summary>
    public void BeginUser(UserState user, long nowMs, string surface)
    {
        _user = user;
        _nowMs = nowMs;
        _weights = _weightsNow();
        _globalLogit = Buckets.Logit((float)_features.Statistics.GlobalRate);
        foreach (var kind in _features.UserKinds)
        {
            _scratch.Clear(kind);
            UserFeature(kind, user, surface);
        }
        _shared.Clear();
        foreach (var output in _features.UserOutputs) _scratch.Emit(output, _shared);
        // No learner writes while a user is scored, so the user's own part of the logit holds for every candidate.
        _sharedLogit = _weights.Logit(_shared.Features, _shared.Values);
        if (!_usesVector) return;
        _shortNorm = VectorMath.Norm(user.ShortVector.AsSpan(0, _session.Length));
        _longNorm = VectorMath.Norm(user.LongVector.AsSpan(0, _session.Length));
        if (_usesSession) SumSession(user);
    }

    /// <summary>The hashed features of the user, and of this item for them.</summary>
    /// <exception cref="InvalidOperationException"><see cref="BeginUser"/> was not called.</exception>
    public void ItemFeatures(ulong itemKey, FeatureBuffer into)
    {
        into.Clear();
        into.AddRange(_shared.Features, _shared.Values);
        _features.Catalog.TryGet(itemKey, out var item);
        Extract(itemKey, item, _features.CandidateKinds, _features.CandidateOutputs, _itemUsesFigures || _pairUsesFigures, into);
    }

    /// <summary>The values of declared real features of the user, and of this item for them: what <see cref="ItemFeatures"/> would hold.</summary>
    /// <param name="itemKey">The item.</param>
    /// <param name="kinds">Real ones.</param>
    /// <param name="into">As long.</param>
    internal void Reals(ulong itemKey, ReadOnlySpan<FeatureKind> kinds, Span<float> into)
    {
        _features.Catalog.TryGet(itemKey, out var item);
        var candidate = CandidateOf(itemKey, item, usesFigures: true);
        for (var i = 0; i < kinds.Length; i++)
        {
            if (FeatureKinds.Side(kinds[i]) != FeatureSide.User) Extract(kinds[i], candidate);
            into[i] = _scratch.RealOf(kinds[i]);
        }
    }

    /// <summary>The ranker's probability that this user likes this item.</summary>
    public float Score(ulong itemKey)
    {
        var share = ShareOf(itemKey);
        _scored.Clear();
        Extract(itemKey, share.Item, _features.PairKinds, _features.PairOutputs, _pairUsesFigures, _scored);
        return _weights.Probability(_sharedLogit + share.Logit + _weights.Logit(_scored.Features, _scored.Values));
    }

    private ItemShare ShareOf(ulong itemKey)
    {
        var at = (_nowMs, _weights, _weights.Version, _features.Statistics.Version, _features.Catalog.Version);
        if (at != _rememberedAt || _remembered.Count >= RememberedMax)
        {
            _remembered.Clear();
            _rememberedAt = at;
        }
        ref var share = ref CollectionsMarshal.GetValueRefOrAddDefault(_remembered, itemKey, out var known);
        if (known) return share;
        _features.Catalog.TryGet(itemKey, out var item);
        var candidate = new Candidate
        {
            Key = itemKey, Item = item, Vector = default, Norm = 0, Dot = 0, Logit = 0,
            Figures = _itemUsesFigures ? _features.Statistics.Figures(itemKey, _nowMs) : default,
        };
        foreach (var kind in _features.ItemKinds)
        {
            _scratch.Clear(kind);
            ItemFeature(kind, candidate);
        }
        _scored.Clear();
        foreach (var output in _features.ItemOutputs) _scratch.Emit(output, _scored);
        return share = new ItemShare(item, _weights.Logit(_scored.Features, _scored.Values));
    }

    private static bool NeedsFigures(FeatureKind kind) => kind is >= FeatureKind.ItemCtr and <= FeatureKind.ItemShown and not FeatureKind.ItemAge;

    /// <summary>Appends outputs that depend on the item, from the kinds that they need.</summary>
    private void Extract(ulong itemKey, Item? item, FeatureKind[] kinds, FeatureOutput[] outputs, bool usesFigures, FeatureBuffer into)
    {
        var candidate = CandidateOf(itemKey, item, usesFigures);
        foreach (var kind in kinds) Extract(kind, candidate);
        foreach (var output in outputs) _scratch.Emit(output, into);
    }

    private void Extract(FeatureKind kind, in Candidate candidate)
    {
        _scratch.Clear(kind);
        if (kind < FeatureKind.Mf) ItemFeature(kind, candidate);
        else PairFeature(kind, _user!, candidate);
    }

    private Candidate CandidateOf(ulong itemKey, Item? item, bool usesFigures)
    {
        var user = _user ?? throw new InvalidOperationException("BeginUser comes first");
        ReadOnlySpan<float> vector = default;
        var (dot, logit, norm) = (0f, 0f, 0f);
        if (_usesVector)
        {
            logit = _features.Factors.GlobalBias + user.EmbeddingBias;
            if (_features.Factors.TryItem(itemKey, out vector, out var bias))
            {
                dot = VectorMath.Dot(user.Embedding.AsSpan(0, vector.Length), vector);
                logit += bias + dot;
                norm = VectorMath.Norm(vector);
            }
        }
        return new Candidate
        {
            Key = itemKey, Item = item, Vector = vector, Norm = norm, Dot = dot, Logit = logit,
            Figures = usesFigures ? _features.Statistics.Figures(itemKey, _nowMs) : default,
        };
    }

    private void UserFeature(FeatureKind kind, UserState user, string surface)
    {
        switch (kind)
        {
            case FeatureKind.Bias: _scratch.Add(kind, 0); break;
            case FeatureKind.User: _scratch.Add(kind, StableHash.Of(user.User)); break;
            case FeatureKind.Surface: _scratch.Add(kind, StableHash.Of(surface)); break;
            case FeatureKind.Hour: _scratch.Bucket(kind, (int)(_nowMs / 3_600_000 % 24)); break;
            case FeatureKind.Profile:
                if (user.Profile is not { } profile) break;
                for (var i = 0; i < profile.Attributes.Count; i++)
                    _scratch.Add(kind, StableHash.Combine(StableHash.Of(profile.Attributes[i].Key), StableHash.Of(profile.Attributes[i].Value)));
                break;
            case FeatureKind.Interest:
                for (var i = 0; i < (user.Profile?.Interests.Count ?? 0); i++) _scratch.Add(kind, StableHash.Of(user.Profile!.Interests[i]));
                break;
            case FeatureKind.UserCtr:
                _scratch.Bucket(kind, Buckets.OfLogit(Smoothed(user.Positives, user.Impressions)));
                break;
            case FeatureKind.UserMean:
                var (positives, of) = user.RatingCount > 0 ? (user.RatingPositives, user.RatingCount) : (user.Positives, user.Impressions);
                _scratch.Real(kind, Buckets.Logit(Smoothed(positives, of)) - _globalLogit);
                break;
            case FeatureKind.UserRating:
                var at = _features.Users.RatingPositiveAt;
                var mean = (user.RatingSum + UserPrior * at) / (user.RatingCount + UserPrior) - at;
                _scratch.Real(kind, Math.Clamp((float)mean, -5f, 5f));
                break;
            case FeatureKind.History: _scratch.Bucket(kind, Buckets.OfCount(user.Positives)); break;
            case FeatureKind.Activity: _scratch.Bucket(kind, Buckets.OfCount(user.RatingCount + user.Impressions)); break;
        }
    }

    private void ItemFeature(FeatureKind kind, in Candidate c)
    {
        switch (kind)
        {
            case FeatureKind.Item: _scratch.Add(kind, c.Key); break;
            case FeatureKind.Author when c.Item is { AuthorKey: not 0 }: _scratch.Add(kind, c.Item.AuthorKey); break;
            case FeatureKind.Category when c.Item is not null:
                foreach (var key in c.Item.CategoryKeys) _scratch.Add(kind, key);
                break;
            case FeatureKind.Tag when c.Item is not null:
                foreach (var key in c.Item.TagKeys) _scratch.Add(kind, key);
                break;
            case FeatureKind.ItemCtr: _scratch.Bucket(kind, Buckets.OfLogit(c.Figures.Ctr)); break;
            case FeatureKind.ItemMean: _scratch.Real(kind, Buckets.Logit(c.Figures.PositiveShare) - _globalLogit); break;
            case FeatureKind.ItemCoec: _scratch.Real(kind, Math.Clamp(MathF.Log(Math.Max(c.Figures.Coec, 0.01f)), -4f, 4f)); break;
            case FeatureKind.Popularity: _scratch.Bucket(kind, Buckets.OfCount((long)c.Figures.Popularity)); break;
            case FeatureKind.ItemAge when c.Item is not null:
                _scratch.Bucket(kind, Buckets.OfCount(Math.Max(0, _nowMs - c.Item.BornMs) / 3_600_000));
                break;
            case FeatureKind.Attribute when c.Item is not null:
                foreach (var key in c.Item.AttributeKeys) _scratch.Add(kind, key);
                break;
            case FeatureKind.ItemShown: _scratch.Bucket(kind, Buckets.OfCount((long)c.Figures.Shown)); break;
        }
    }

    private void PairFeature(FeatureKind kind, UserState user, in Candidate c)
    {
        switch (kind)
        {
            case FeatureKind.Mf: _scratch.Real(kind, c.Logit); break;
            case FeatureKind.MfDot: _scratch.Real(kind, c.Dot); break;
            case FeatureKind.MfBucket: _scratch.Bucket(kind, (int)MathF.Round(Math.Clamp(c.Logit, -6f, 6f) * 4f)); break;
            case FeatureKind.ShortSimilarity: Similarity(kind, user.ShortVector, _shortNorm, c); break;
            case FeatureKind.LongSimilarity: Similarity(kind, user.LongVector, _longNorm, c); break;
            case FeatureKind.SessionSimilarity: Similarity(kind, _session, _sessionNorm, c); break;
            case FeatureKind.InterestSimilarity: LargestSimilarity(user, c); break;
            case FeatureKind.Seen: _scratch.Bucket(kind, Math.Min(Marks(user, c).Seen, 8)); break;
            case FeatureKind.Clicked:
                if (Marks(user, c).Clicked > 0) _scratch.Add(kind, 0);
                break;
            case FeatureKind.AuthorClicked:
                if (c.Item is { AuthorKey: not 0 } && user.Interests.ContainsKey(c.Item.AuthorKey)) _scratch.Add(kind, 0);
                break;
            case FeatureKind.AuthorAffinity when c.Item is { AuthorKey: not 0 }:
                _scratch.Bucket(kind, Buckets.OfWeight(Weight(user, c.Item.AuthorKey)));
                break;
            case FeatureKind.CategoryAffinity when c.Item is { CategoryKeys.Length: > 0 }:
                var largest = float.MinValue;
                foreach (var key in c.Item.CategoryKeys) largest = Math.Max(largest, Weight(user, key));
                _scratch.Bucket(kind, Buckets.OfWeight(largest));
                break;
            case FeatureKind.TagAffinity when c.Item is { TagKeys.Length: > 0 }:
                var sum = 0f;
                foreach (var key in c.Item.TagKeys) sum += Weight(user, key);
                _scratch.Bucket(kind, Buckets.OfWeight(sum / c.Item.TagKeys.Length));
                break;
            case FeatureKind.AuthorLift when c.Item is { AuthorKey: not 0 }: _scratch.Real(kind, Lift(user, c.Item.AuthorKey)); break;
            case FeatureKind.CategoryLift when c.Item is not null: MeanLift(kind, user, c.Item.CategoryKeys); break;
            case FeatureKind.TagLift when c.Item is not null: MeanLift(kind, user, c.Item.TagKeys); break;
        }
    }

    private void Similarity(FeatureKind kind, ReadOnlySpan<float> vector, float norm, in Candidate c)
    {
        if (c.Norm > 0) _scratch.Real(kind, VectorMath.Cosine(vector[..c.Vector.Length], norm, c.Vector, c.Norm));
    }

    private void LargestSimilarity(UserState user, in Candidate c)
    {
        if (c.Norm <= 0 || user.InterestVectors.Count == 0) return;
        var largest = -1f;
        foreach (var interest in user.InterestVectors)
        {
            var centre = interest.Centre.AsSpan(0, c.Vector.Length);
            largest = Math.Max(largest, VectorMath.Cosine(centre, VectorMath.Norm(centre), c.Vector, c.Norm));
        }
        _scratch.Real(FeatureKind.InterestSimilarity, largest);
    }

    private void SumSession(UserState user)
    {
        Array.Clear(_session);
        var actions = user.Session.Actions;
        for (var i = actions.Count - 1; i >= Math.Max(0, actions.Count - SessionActionsMax); i--)
        {
            if (actions[i].Weight <= 0 || !_features.Factors.TryItem(actions[i].ItemKey, out var vector, out _)) continue;
            for (var d = 0; d < _session.Length; d++) _session[d] += vector[d];
        }
        _sessionNorm = VectorMath.Norm(_session);
    }

    private float Smoothed(long positives, long of) =>
        Math.Clamp((positives + UserPrior * (float)_features.Statistics.GlobalRate) / (of + UserPrior), 0.001f, 0.999f);

    private float Weight(UserState user, ulong interestKey)
    {
        if (!user.Interests.TryGetValue(interestKey, out var interest)) return 0f;
        return _nowMs <= interest.TimeMs
            ? interest.Weight
            : interest.Weight * MathF.Pow(0.5f, (float)(_nowMs - interest.TimeMs) / _features.Users.LongHalfLifeMs);
    }

    private void MeanLift(FeatureKind kind, UserState user, ReadOnlySpan<ulong> keys)
    {
        if (keys.Length == 0) return;
        var sum = 0f;
        foreach (var key in keys) sum += Lift(user, key);
        _scratch.Real(kind, sum / keys.Length);
    }

    private float Lift(UserState user, ulong interestKey)
    {
        var share = (float)_features.Statistics.InterestShare(interestKey, _nowMs);
        var count = user.Interests.TryGetValue(interestKey, out var interest) ? interest.Count : 0;
        return Math.Clamp(MathF.Log((count + UserPrior * share) / ((user.Positives + UserPrior) * share)), -4f, 4f);
    }

    private static ItemMarks Marks(UserState user, in Candidate c) =>
        user.Marks.TryGetValue(c.Key, out var marks) ? marks : default;
}
