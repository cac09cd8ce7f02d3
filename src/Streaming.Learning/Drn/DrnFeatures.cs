using Streaming.Core.Items;
using Streaming.Learning.Features;
using Streaming.Models.Embeddings;
using Streaming.Users;

namespace Streaming.Learning.Drn;

/// <summary>
/// The dense features of DRN's network, from what the live path knows when it ranks: the user's state, the item statistics, the factors and
/// the catalogue. Each is scaled to a few units around 0. The live ranker's own logit is one of them: what it has learned of single users, items and
/// their crosses has no other dense form. One thread; allocates nothing once warm.
/// </summary>
public sealed class DrnFeatures
{
    /// <summary>S. Feature 0 is the agent's own: the position.</summary>
    public const int StateLength = 14;

    /// <summary>A: the item's features, then those of the item for the user.</summary>
    public const int ActionLength = ItemLength + PairLength;

    private const int ItemLength = 9;
    private const int PairLength = 15;
    private const float UserPrior = 5f;
    private const int SessionActionsMax = 10;

    private readonly LearnerSet _learners;
    private readonly CandidateScorer _ranker;
    private readonly float[] _session;
    private UserState? _user;
    private long _nowMs;
    private float _shortNorm, _longNorm, _sessionNorm;

    public DrnFeatures(LearnerSet learners)
    {
        _learners = learners;
        _ranker = learners.Features.NewScorer();
        _session = new float[learners.Factors.Dim - 1];
    }

    /// <summary>Starts on a user: fills the state's features and keeps what all items share. The state must not change until the last item.</summary>
    /// <param name="into">Shape [<see cref="StateLength"/>].</param>
    public void BeginUser(UserState user, long nowMs, string surface, Span<float> into)
    {
        (_user, _nowMs) = (user, nowMs);
        _ranker.BeginUser(user, nowMs, surface);
        _shortNorm = VectorMath.Norm(user.ShortVector.AsSpan(0, _session.Length));
        _longNorm = VectorMath.Norm(user.LongVector.AsSpan(0, _session.Length));
        SumSession(user);
        var rate = (float)_learners.Statistics.GlobalRate;
        var own = (user.Positives + UserPrior * rate) / (user.Impressions + UserPrior);
        var hour = 2 * MathF.PI * (nowMs / 3_600_000 % 24) / 24;
        var at = 0;
        into[at++] = 0;
        into[at++] = Log(user.Positives) / 3;
        into[at++] = Log(user.Impressions) / 4;
        into[at++] = Buckets.Logit(own) - Buckets.Logit(rate);
        into[at++] = Buckets.Logit(rate) / 3;
        into[at++] = Log(user.SessionsClosed) / 2;
        into[at++] = Log(user.Session.Actions.Count) / 2;
        into[at++] = user.Session.StartMs > 0 ? 1 : 0;
        into[at++] = user.LastEventMs > 0 ? Log((nowMs - user.LastEventMs) / 60_000) / 4 : 0;
        into[at++] = UserInterests.Gate(user, _learners.Settings.Users, nowMs);
        into[at++] = Math.Min(user.Profile?.Interests.Count ?? 0, 4) / 2f;
        into[at++] = user.EmbeddingBias;
        into[at++] = MathF.Sin(hour);
        into[at] = MathF.Cos(hour);
    }

    /// <summary>The features of one candidate for the user of <see cref="BeginUser"/>.</summary>
    /// <param name="into">Shape [<see cref="ActionLength"/>].</param>
    public void Item(ulong key, Span<float> into)
    {
        var user = _user ?? throw new InvalidOperationException("BeginUser comes first");
        _learners.Catalog.TryGet(key, out var item);
        ItemSide(key, item, into[..ItemLength]);
        PairSide(user, key, item, into[ItemLength..]);
    }

    private void ItemSide(ulong key, Item? item, Span<float> into)
    {
        var statistics = _learners.Statistics;
        var figures = statistics.Figures(key, _nowMs);
        var global = Buckets.Logit((float)statistics.GlobalRate);
        var ageMs = item is null ? 0 : Math.Max(0, _nowMs - item.BornMs);
        var at = 0;
        into[at++] = Buckets.Logit(figures.Ctr) - global;
        into[at++] = Math.Clamp(MathF.Log(Math.Max(figures.Coec, 0.05f)), -3, 3);
        into[at++] = Log(figures.Popularity) / 3;
        into[at++] = Log(figures.Shown) / 4;
        into[at++] = figures.Shown < 5 ? 1 : 0;
        into[at++] = Log(ageMs / 60_000) / 5;
        into[at++] = item is { ExpiresMs: < long.MaxValue } && item.ExpiresMs > item.BornMs ? ageMs / (float)(item.ExpiresMs - item.BornMs) : 0;
        into[at++] = item is { CategoryKeys.Length: > 0 } ? Share(item.CategoryKeys) : 0;
        into[at] = item is { TagKeys.Length: > 0 } ? Share(item.TagKeys) : 0;
    }

    private void PairSide(UserState user, ulong key, Item? item, Span<float> into)
    {
        into.Clear();
        var at = 0;
        if (_learners.Factors.TryItem(key, out var vector, out var bias))
        {
            var norm = VectorMath.Norm(vector);
            into[0] = bias;
            into[1] = Math.Clamp(VectorMath.Dot(user.Embedding.AsSpan(0, vector.Length), vector), -4, 4);
            into[2] = VectorMath.Cosine(user.ShortVector.AsSpan(0, vector.Length), _shortNorm, vector, norm);
            into[3] = VectorMath.Cosine(user.LongVector.AsSpan(0, vector.Length), _longNorm, vector, norm);
            into[4] = VectorMath.Cosine(_session, _sessionNorm, vector, norm);
        }
        at = 5;
        var marks = user.Marks.TryGetValue(key, out var found) ? found : default;
        into[at++] = Math.Min(marks.Seen, 8) / 4f;
        into[at++] = marks.Clicked > 0 ? 1 : 0;
        into[at++] = Buckets.Logit(_ranker.Score(key)) - Buckets.Logit((float)_learners.Statistics.GlobalRate);
        if (item is null) return;
        into[at++] = item.CategoryKeys.Length > 0 ? Affinity(user, item.CategoryKeys) : 0;
        into[at++] = item.TagKeys.Length > 0 ? Affinity(user, item.TagKeys) : 0;
        into[at++] = item.AuthorKey != 0 ? Weight(user, item.AuthorKey) : 0;
        into[at++] = item.CategoryKeys.Length > 0 ? Lift(user, item.CategoryKeys) : 0;
        into[at++] = item.TagKeys.Length > 0 ? Lift(user, item.TagKeys) : 0;
        into[at++] = item.AuthorKey != 0 ? Lift(user, item.AuthorKey) : 0;
        into[at] = Declared(user, item);
    }

    private void SumSession(UserState user)
    {
        Array.Clear(_session);
        var actions = user.Session.Actions;
        for (var i = actions.Count - 1; i >= Math.Max(0, actions.Count - SessionActionsMax); i--)
            if (actions[i].Weight > 0 && _learners.Factors.TryItem(actions[i].ItemKey, out var vector, out _)) VectorMath.AddScaled(_session, 1, vector);
        _sessionNorm = VectorMath.Norm(_session);
    }

    /// <summary>How much of all positive action went to these interests lately, as a logarithm around 0 for one in twenty.</summary>
    private float Share(ReadOnlySpan<ulong> keys)
    {
        float sum = 0;
        foreach (var key in keys) sum += (float)_learners.Statistics.InterestShare(key, _nowMs);
        return Math.Clamp(MathF.Log(20 * sum / keys.Length), -4, 4) / 2;
    }

    private float Affinity(UserState user, ReadOnlySpan<ulong> keys)
    {
        float sum = 0;
        foreach (var key in keys) sum += Weight(user, key);
        return sum / keys.Length;
    }

    /// <summary>sign(w) ln(1 + |w|) of the user's decayed weight of an interest.</summary>
    private float Weight(UserState user, ulong interest)
    {
        if (!user.Interests.TryGetValue(interest, out var found)) return 0;
        var weight = UserInterests.WeightAt(found, _learners.Settings.Users, _nowMs);
        return MathF.Sign(weight) * MathF.Log(1 + Math.Abs(weight));
    }

    private float Lift(UserState user, ReadOnlySpan<ulong> keys)
    {
        float sum = 0;
        foreach (var key in keys) sum += Lift(user, key);
        return sum / keys.Length;
    }

    /// <summary>How much more often the user acts on an interest than everybody does, as a logarithm.</summary>
    private float Lift(UserState user, ulong interest)
    {
        var share = (float)_learners.Statistics.InterestShare(interest, _nowMs);
        var count = user.Interests.TryGetValue(interest, out var found) ? found.Count : 0;
        return Math.Clamp(MathF.Log((count + UserPrior * share) / ((user.Positives + UserPrior) * share)), -4, 4) / 2;
    }

    private static float Declared(UserState user, Item item)
    {
        if (user.Profile is not { } profile) return 0;
        for (var i = 0; i < profile.Interests.Count; i++)
        {
            for (var c = 0; c < item.Categories.Count; c++)
                if (item.Categories[c] == profile.Interests[i]) return 1;
        }
        return 0;
    }

    private static float Log(double count) => MathF.Log(1 + (float)Math.Max(0, count));
}
