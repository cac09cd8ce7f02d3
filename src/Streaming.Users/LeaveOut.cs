using Streaming.Core.Settings;
using Streaming.Core.Wire;

namespace Streaming.Users;

/// <summary>
/// A user's state as it would be had they never acted on one item: what explanations compare a list with. Exact for everything that is
/// a decayed sum or mean over actions (history, session, weights of interests, short- and long-term vector, up to the item's vector having
/// moved since); what was learned step by step from it (<see cref="UserState.Embedding"/>, the models) stays, and so do the item's marks.
/// </summary>
public static class LeaveOut
{
    /// <summary>What is left of a mean's weight below this share of it is rounding.</summary>
    private const double ShareMin = 1e-4;

    /// <summary>The state in its persisted form, to be read by <see cref="Read"/>: a copy that another thread may have.</summary>
    public static byte[] Snapshot(UserState state)
    {
        var bytes = new ByteWriter(1024);
        UserStateCodec.Write(state, bytes);
        return bytes.WrittenSpan.ToArray();
    }

    /// <summary>A copy of its own.</summary>
    /// <param name="snapshot">Of <see cref="Snapshot"/>.</param>
    /// <param name="dimension">Length of the user's vectors.</param>
    /// <param name="user">Their id.</param>
    public static UserState Read(ReadOnlySpan<byte> snapshot, int dimension, string user) => UserStateCodec.Read(snapshot, dimension, user);

    /// <summary>Takes every remembered action on an item out of the state.</summary>
    /// <param name="state">A copy; the actor's own is never touched.</param>
    /// <param name="itemKey">The item.</param>
    /// <param name="settings">Half-lives, as they were when the actions were added.</param>
    /// <param name="models">The item's interests and vector.</param>
    public static void Item(UserState state, ulong itemKey, UsersSettings settings, IUserModels models)
    {
        // An action stands in the session and, where it was positive, in the history as well; it was added to the sums once.
        var actions = state.History.Concat(state.Session.Actions).Where(a => a.ItemKey == itemKey).Distinct().ToList();
        state.Positives = Math.Max(0, state.Positives - state.History.RemoveAll(a => a.ItemKey == itemKey));
        state.Session.Actions.RemoveAll(a => a.ItemKey == itemKey);
        foreach (var action in actions)
        {
            TakeInterests(state, action, settings, models);
            if (action.Weight > 0) TakeVectors(state, action, settings, models);
        }
    }

    private static void TakeInterests(UserState state, PastAction action, UsersSettings settings, IUserModels models)
    {
        if (!models.Items.TryGet(action.ItemKey, out var item)) return;
        foreach (var key in item.TagKeys) Take(key);
        foreach (var key in item.CategoryKeys) Take(key);
        if (item.AuthorKey != 0) Take(item.AuthorKey);

        void Take(ulong key)
        {
            if (!state.Interests.TryGetValue(key, out var interest)) return;
            if (interest.Count <= 1) state.Interests.Remove(key);
            else
                state.Interests[key] = interest with
                {
                    Weight = (float)(interest.Weight - action.Weight * Decay.Factor(interest.TimeMs - action.TimeMs, settings.LongHalfLifeMs)),
                    Count = interest.Count - 1,
                };
        }
    }

    private static void TakeVectors(UserState state, PastAction action, UsersSettings settings, IUserModels models)
    {
        Span<float> vector = new float[state.Embedding.Length];
        if (vector.IsEmpty || !models.TryItemVector(action.ItemKey, vector)) return;
        state.ShortWeight = TakeFromMean(state.ShortVector, state.ShortWeight, vector, action.Weight * Decay.Factor(state.ShortMs - action.TimeMs, settings.ShortHalfLifeMs));
        state.LongWeight = TakeFromMean(state.LongVector, state.LongWeight, vector, action.Weight * Decay.Factor(state.LongMs - action.TimeMs, settings.LongHalfLifeMs));
        if (InterestUpdater.Nearest(state, vector) is not { } nearest) return;
        nearest.Weight = TakeFromMean(nearest.Centre, nearest.Weight, vector, action.Weight * Decay.Factor(nearest.TimeMs - action.TimeMs, settings.LongHalfLifeMs));
        if (nearest.Weight == 0) state.InterestVectors.Remove(nearest);
    }

    /// <summary>The inverse of <see cref="Decay.AddToMean"/>: mean' = (W mean - a v) / (W - a). Returns W - a; 0, with a zero mean, where nothing is left.</summary>
    private static float TakeFromMean(Span<float> mean, float weight, ReadOnlySpan<float> vector, double amount)
    {
        var left = weight - amount;
        if (!(left > weight * ShareMin))
        {
            mean.Clear();
            return 0;
        }
        for (var i = 0; i < mean.Length; i++) mean[i] = (float)((weight * mean[i] - amount * vector[i]) / left);
        return (float)left;
    }
}
