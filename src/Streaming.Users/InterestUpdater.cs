using Streaming.Core.Items;
using Streaming.Core.Settings;

namespace Streaming.Users;

/// <summary>
/// Writes interests: decayed weights of tags, categories and authors, the short- and long-term vectors, and the several
/// interest vectors. Holds buffers: one per shard.
/// </summary>
internal sealed class InterestUpdater(UsersSettings settings, IUserModels models, Forgetter forgetter)
{
    /// <summary>An item this near (cosine) to an interest vector starts no new one, however many are still allowed.</summary>
    private const float SameInterestCosine = 0.95f;
    private const int TermCharsMax = 64;

    private float[] _vector = [];

    /// <summary>One action of non-zero weight on an item. Vectors follow what the user wants, so negative weights leave them alone.</summary>
    public void OnAction(UserState state, ulong itemKey, float weight, long timeMs)
    {
        if (models.Items.TryGet(itemKey, out var item))
        {
            foreach (var key in item.TagKeys) Add(state, key, weight, timeMs);
            foreach (var key in item.CategoryKeys) Add(state, key, weight, timeMs);
            if (item.AuthorKey != 0) Add(state, item.AuthorKey, weight, timeMs);
            forgetter.Bound(state.Interests, settings.InterestsMax, new InterestRetention(state.LastEventMs, settings.LongHalfLifeMs));
        }
        if (weight > 0) MoveVectors(state, itemKey, weight, timeMs);
    }

    /// <summary>
    /// Remembers the terms of a search and leans towards tags of the same name, as typed and in lower case. Whether such a tag
    /// exists is not asked: a term that names none fades and is forgotten first.
    /// </summary>
    public void OnSearch(UserState state, string query, long timeMs)
    {
        var added = 0;
        foreach (var range in query.AsSpan().Split(' '))
        {
            var text = query.AsSpan(range).Trim();
            if (text.IsEmpty || text.Length > TermCharsMax) continue;
            if (added++ == settings.SearchTermsMax) break;
            var typed = text.ToString();
            var term = typed.ToLowerInvariant();
            state.RecentTerms.Remove(term);
            state.RecentTerms.Add(term);
            if (settings.SearchTermWeight == 0) continue;
            Add(state, InterestKey.Tag(term), (float)settings.SearchTermWeight, timeMs);
            if (typed != term) Add(state, InterestKey.Tag(typed), (float)settings.SearchTermWeight, timeMs);
        }
        if (state.RecentTerms.Count > settings.SearchTermsMax) state.RecentTerms.RemoveRange(0, state.RecentTerms.Count - settings.SearchTermsMax);
        forgetter.Bound(state.Interests, settings.InterestsMax, new InterestRetention(state.LastEventMs, settings.LongHalfLifeMs));
    }

    /// <summary>K' = max(1, min(K, log2 |I|)), |I| being the length of the history (dynamic interest number of MIND, Li et al. 2019).</summary>
    public static int VectorCount(int historyLength, int max) =>
        Math.Max(1, Math.Min(max, System.Numerics.BitOperations.Log2((uint)Math.Max(1, historyLength))));

    private void Add(UserState state, ulong key, float weight, long timeMs)
    {
        ref var slot = ref state.Interests.Slot(key, out var existed);
        var (sum, sumMs) = existed ? Decay.Add(slot.Weight, slot.TimeMs, weight, timeMs, settings.LongHalfLifeMs) : (weight, timeMs);
        slot = new Interest(sum, sumMs, slot.Count + 1);
    }

    private void MoveVectors(UserState state, ulong itemKey, float weight, long timeMs)
    {
        var dimension = state.Embedding.Length;
        if (_vector.Length < dimension) _vector = new float[dimension];
        var vector = _vector.AsSpan(0, dimension);
        if (dimension == 0 || !models.TryItemVector(itemKey, vector)) return;
        (state.ShortWeight, state.ShortMs) = Decay.AddToMean(
            state.ShortVector, state.ShortWeight, state.ShortMs, vector, weight, timeMs, settings.ShortHalfLifeMs);
        (state.LongWeight, state.LongMs) = Decay.AddToMean(
            state.LongVector, state.LongWeight, state.LongMs, vector, weight, timeMs, settings.LongHalfLifeMs);
        MoveInterestVectors(state, vector, weight, timeMs);
    }

    private void MoveInterestVectors(UserState state, ReadOnlySpan<float> vector, float weight, long timeMs)
    {
        var nearest = Nearest(state, vector, out var best);
        if (nearest is null || (best < SameInterestCosine && state.InterestVectors.Count < VectorCount(state.History.Count, settings.InterestVectorsMax)))
        {
            state.InterestVectors.Add(new InterestVector(vector.ToArray()) { Weight = weight, TimeMs = timeMs });
            return;
        }
        (nearest.Weight, nearest.TimeMs) = Decay.AddToMean(
            nearest.Centre, nearest.Weight, nearest.TimeMs, vector, weight, timeMs, settings.LongHalfLifeMs);
    }

    /// <summary>The interest vector nearest to an item's by cosine; null where there is none.</summary>
    internal static InterestVector? Nearest(UserState state, ReadOnlySpan<float> vector) => Nearest(state, vector, out _);

    private static InterestVector? Nearest(UserState state, ReadOnlySpan<float> vector, out float best)
    {
        InterestVector? nearest = null;
        best = float.NegativeInfinity;
        foreach (var candidate in state.InterestVectors)
        {
            var cosine = Cosine(candidate.Centre, vector);
            if (cosine <= best) continue;
            best = cosine;
            nearest = candidate;
        }
        return nearest;
    }

    /// <summary>0 where either vector is zero.</summary>
    private static float Cosine(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        float dot = 0, aa = 0, bb = 0;
        for (var i = 0; i < a.Length; i++)
        {
            dot += a[i] * b[i];
            aa += a[i] * a[i];
            bb += b[i] * b[i];
        }
        return aa == 0 || bb == 0 ? 0 : dot / MathF.Sqrt(aa * bb);
    }
}
