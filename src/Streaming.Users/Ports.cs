using Streaming.Core.Examples;
using Streaming.Core.Feeds;
using Streaming.Core.Items;

namespace Streaming.Users;

/// <summary>Hashed features of one (user, item, context), reused: clear, fill, copy out.</summary>
public sealed class FeatureBuffer
{
    private uint[] _features = new uint[64];
    private float[] _values = new float[64];

    public int Count { get; private set; }
    public ReadOnlySpan<uint> Features => _features.AsSpan(0, Count);
    public ReadOnlySpan<float> Values => _values.AsSpan(0, Count);

    public void Clear() => Count = 0;

    public void AddRange(ReadOnlySpan<uint> features, ReadOnlySpan<float> values)
    {
        while (Count + features.Length > _features.Length)
        {
            Array.Resize(ref _features, _features.Length * 2);
            Array.Resize(ref _values, _values.Length * 2);
        }
        features.CopyTo(_features.AsSpan(Count));
        values.CopyTo(_values.AsSpan(Count));
        Count += features.Length;
    }

    public void Add(uint feature, float value = 1f)
    {
        if (Count == _features.Length)
        {
            Array.Resize(ref _features, Count * 2);
            Array.Resize(ref _values, Count * 2);
        }
        _features[Count] = feature;
        _values[Count++] = value;
    }
}

/// <summary>The circumstances of showing an item.</summary>
/// <param name="NowMs">Event time.</param>
/// <param name="Surface">Where.</param>
/// <param name="Position">Zero-based, -1 unknown (always -1 while ranking, so that the model cannot lean on it).</param>
public readonly record struct ShownContext(long NowMs, string Surface, int Position);

/// <summary>
/// What one user's state machine asks of the models: read-only views, called from the shard's thread while no learner writes.
/// </summary>
public interface IUserModels
{
    IItemCatalog Items { get; }

    /// <summary>Versions in force, for example "ftrl:812 mf:812".</summary>
    string Versions { get; }

    /// <summary>Fills <paramref name="into"/> (cleared first) with the hashed features of this user and item.</summary>
    void Features(UserState user, ulong itemKey, in ShownContext context, FeatureBuffer into);

    /// <summary>
    /// Dense features of this user and item for the ranker of <paramref name="arm"/>, to be kept with the impression: what it learns from cannot
    /// be computed again later. A new array; empty where that ranker has none.
    /// </summary>
    float[] DenseFeatures(UserState user, ulong itemKey, in ShownContext context, string arm) => [];

    /// <summary>Copies the item's vector, shape [dim]; false when there is none yet.</summary>
    bool TryItemVector(ulong itemKey, Span<float> into);

    /// <summary>Moves the user's embedding by one labelled item, from the item's vector as it is now.</summary>
    void LearnUser(UserState user, ulong itemKey, float label, float weight);
}

/// <summary>What handling a message may cause. Called synchronously; the implementation copies nothing it is given.</summary>
public interface IUserEffects
{
    void Emit(Example example);
    void Emit(Interaction interaction);

    /// <summary>The user's list for this surface is stale. <paramref name="urgent"/>: after an action; otherwise it may wait for a quiet moment.</summary>
    void Refresh(string surface, bool urgent);

    /// <summary>Wake this user no later than event time <paramref name="dueMs"/>.</summary>
    void Wake(long dueMs);

    /// <summary>The event could not be applied; the caller sets it aside with this reason.</summary>
    void Reject(string reason);

    /// <summary>The user asked to be forgotten: state and lists go.</summary>
    void Forget();
}

/// <summary>Builds a user's list; implemented by Streaming.Feeds.</summary>
public interface IFeedBuilder
{
    /// <summary>
    /// Recall, filter, rank, re-rank. With nothing to show, null for a user who has had no list, and an empty list for one who has.
    /// Notes the list in <see cref="UserState.Lists"/> and advances <see cref="UserState.ListVersion"/>.
    /// </summary>
    FeedList? Build(UserState user, string surface, string arm, long nowMs);
}
