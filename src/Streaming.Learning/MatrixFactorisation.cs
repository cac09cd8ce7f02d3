using Streaming.Core.Examples;
using Streaming.Core.Ids;
using Streaming.Core.Ports;
using Streaming.Core.Settings;
using Streaming.Core.Wire;
using Streaming.Models.Embeddings;
using Streaming.Users;

namespace Streaming.Learning;

/// <summary>
/// Incremental matrix factorisation: logit = b + b_u + b_i + u . v, each example one step of row-wise Adagrad on the logistic
/// loss (Koren et al. 2009; Vinagre et al. 2014 for the single pass). Where the stream brings clicks alone, each positive is
/// paired with an item drawn from recent positives, that is by popularity, and the step goes by BPR (Rendle et al. 2009):
/// -ln sigmoid((u . v_i + b_i) - (u . v_j + b_j)).
/// <para>
/// The two sides learn in different places. The user's (<see cref="UserState.Embedding"/>) moves in the actor at once, from the
/// item as it is then; the item's moves in the trainer, from the user vector that the example carries. With dimension d, u and
/// v have d - 1 columns: the last column of a user's embedding repeats the bias b_u, so that it travels in
/// <see cref="Example.UserVector"/>, and the last column of an item's row is b_i.
/// </para>
/// </summary>
public sealed class MatrixFactorisation : IStreamLearner
{
    private const byte FormatVersion = 1;
    private const int SweepEvery = 1024;
    private const int SweepRows = 64;

    /// <summary>A stream counts as clicks alone while fewer than one example in so many is a negative.</summary>
    private const int PositivesPerNegativeMax = 50;

    private readonly EmbeddingTable _items;
    private readonly RowWiseAdagrad _vectorStep;
    private readonly RowWiseAdagrad _biasStep;
    private readonly float _l2;
    private readonly long _expiryMs;
    private readonly ulong _seed;

    private ulong[] _pool;
    private long _poolCount;
    private float _bias;
    private float _biasG2;
    private long _positives;
    private long _negatives;
    private long _nowMs = long.MinValue;

    public MatrixFactorisation(LearningSettings settings, long seed)
    {
        _seed = StableHash.Finalise((ulong)seed);
        _items = new EmbeddingTable(new EmbeddingTableOptions(settings.EmbeddingDim, StateSize: 2, settings.EmbeddingAdmitCount,
            settings.EmbeddingPendingMax, settings.EmbeddingRowsMax, (float)settings.EmbeddingInitScale, _seed));
        _vectorStep = new RowWiseAdagrad((float)settings.EmbeddingRate, (float)settings.EmbeddingAdagradInitial);
        _biasStep = new RowWiseAdagrad((float)settings.EmbeddingBiasRate, (float)settings.EmbeddingAdagradInitial);
        _l2 = (float)settings.EmbeddingL2;
        _expiryMs = settings.ItemExpiryMs;
        _pool = new ulong[settings.NegativePoolMax];
    }

    public string Name => "mf";

    /// <summary>Grows by one with every example learned.</summary>
    public long Version { get; private set; }

    /// <summary>d: columns of an embedding, the bias included.</summary>
    public int Dim => _items.Dim;

    /// <summary>Items that have a vector.</summary>
    public int ItemCount => _items.Count;

    /// <summary>b.</summary>
    public float GlobalBias => _bias;

    /// <summary>True while the stream brings clicks alone and negatives are sampled.</summary>
    public bool SamplesNegatives => _negatives * PositivesPerNegativeMax < _positives;

    /// <summary>The item that the last example was paired with as a sampled negative; 0 for none.</summary>
    public ulong LastNegative { get; private set; }

    /// <summary>
    /// Takes the bias and these items' rows over from another of the same dimension: a sparse delta of what predictions read.
    /// The pool of negatives stays behind, and a row that expired over there stays here. This one must admit items at once.
    /// </summary>
    public void Take(MatrixFactorisation from, IEnumerable<ulong> items)
    {
        (Version, _bias, _nowMs) = (from.Version, from._bias, from._nowMs);
        foreach (var key in items)
        {
            if (!from._items.TryGet(key, out var theirs)) continue;
            if (_items.GetOrAdmit(key, _nowMs, out var mine, out _)) theirs.CopyTo(mine);
        }
    }

    /// <summary>An item's vector v, shape [d - 1], and its bias; false when it has none yet.</summary>
    public bool TryItem(ulong itemKey, out ReadOnlySpan<float> vector, out float bias)
    {
        if (!_items.TryGet(itemKey, out var row))
        {
            vector = default;
            bias = 0f;
            return false;
        }
        vector = row[..^1];
        bias = row[^1];
        return true;
    }

    /// <summary>Copies v into the first d - 1 columns and 0 into the last, so that dot products leave biases out; false when there is none.</summary>
    public bool TryItemVector(ulong itemKey, Span<float> into)
    {
        if (!TryItem(itemKey, out var vector, out _)) return false;
        vector.CopyTo(into);
        into[vector.Length..].Clear();
        return true;
    }

    /// <summary>The logit of a positive label.</summary>
    public float Logit(UserState user, ulong itemKey)
    {
        var logit = _bias + user.EmbeddingBias;
        return TryItem(itemKey, out var vector, out var itemBias)
            ? logit + itemBias + VectorMath.Dot(user.Embedding.AsSpan(0, vector.Length), vector)
            : logit;
    }

    /// <summary>
    /// Moves the user's side by one labelled item. Runs in the actor, while no learner writes. Of <paramref name="weight"/> the
    /// magnitude counts: a dislike's is negative, but its label says that already.
    /// </summary>
    public void LearnUser(UserState user, ulong itemKey, float label, float weight)
    {
        weight = Math.Abs(weight);
        var known = TryItem(itemKey, out var vector, out var itemBias);
        var own = user.Embedding.AsSpan(0, Dim - 1);
        var g2 = user.EmbeddingG2;
        if (label > 0.5f && SamplesNegatives)
        {
            var other = DrawNegative(StableHash.Of(user.User) ^ (ulong)user.Events, itemKey);
            if (!known || !TryItem(other, out var otherVector, out var otherBias)) return;
            Span<float> difference = stackalloc float[own.Length];
            for (var i = 0; i < own.Length; i++) difference[i] = vector[i] - otherVector[i];
            var margin = VectorMath.Dot(own, difference) + itemBias - otherBias;
            _vectorStep.Step(own, difference, -weight * VectorMath.Sigmoid(-margin), _l2, ref g2);
            user.EmbeddingG2 = g2;
            return;
        }
        var error = weight * (VectorMath.Sigmoid(Logit(user, itemKey)) - label);
        if (known) _vectorStep.Step(own, vector, error, _l2, ref g2);
        user.EmbeddingG2 = g2;
        var (bias, biasG2) = (user.EmbeddingBias, user.EmbeddingBiasG2);
        _biasStep.Step(ref bias, error + _l2 * bias, ref biasG2);
        (user.EmbeddingBias, user.EmbeddingBiasG2) = (bias, biasG2);
        user.Embedding[^1] = bias;
    }

    public void OnExample(Example example)
    {
        Version++;
        LastNegative = 0;
        if (example.LabelMs > _nowMs) _nowMs = example.LabelMs;
        if (example.Label > 0.5f) _positives++;
        else _negatives++;
        if (Version % SweepEvery == 0) _items.Sweep(_nowMs - _expiryMs, SweepRows);
        if (example.UserVector.Length != Dim) return;
        var user = example.UserVector.AsSpan(0, Dim - 1);
        if (example.Label > 0.5f && SamplesNegatives) LearnPair(example, user);
        else LearnLabel(example, user);
        if (example.Label > 0.5f) _pool[_poolCount++ % _pool.Length] = example.ItemKey;
    }

    public void OnInteraction(Interaction interaction)
    {
        // Every action that carries a label comes as an example too, with the user's vector.
    }

    private void LearnLabel(Example example, ReadOnlySpan<float> user)
    {
        var admitted = _items.GetOrAdmit(example.ItemKey, _nowMs, out var row, out var state);
        var logit = _bias + example.UserVector[^1] + (admitted ? row[^1] + VectorMath.Dot(user, row[..^1]) : 0f);
        var error = Math.Abs(example.Weight) * (VectorMath.Sigmoid(logit) - example.Label);
        _biasStep.Step(ref _bias, error, ref _biasG2);
        if (!admitted) return;
        _vectorStep.Step(row[..^1], user, error, _l2, ref state[0]);
        _biasStep.Step(ref row[^1], error + _l2 * row[^1], ref state[1]);
    }

    private void LearnPair(Example example, ReadOnlySpan<float> user)
    {
        var key = example.ItemKey;
        var otherKey = DrawNegative((ulong)Version, key);
        if (!_items.GetOrAdmit(key, _nowMs, out var row, out var state)) return;
        // The negative is not an occurrence: it neither admits the item nor keeps it from expiring.
        if (otherKey == 0 || otherKey == key || !_items.TryGet(otherKey, out _)) return;
        LastNegative = otherKey;
        _items.GetOrAdmit(otherKey, long.MinValue, out var other, out var otherState);
        var margin = VectorMath.Dot(user, row[..^1]) + row[^1] - VectorMath.Dot(user, other[..^1]) - other[^1];
        var error = -Math.Abs(example.Weight) * VectorMath.Sigmoid(-margin);
        _vectorStep.Step(row[..^1], user, error, _l2, ref state[0]);
        _biasStep.Step(ref row[^1], error + _l2 * row[^1], ref state[1]);
        _vectorStep.Step(other[..^1], user, -error, _l2, ref otherState[0]);
        _biasStep.Step(ref other[^1], -error + _l2 * other[^1], ref otherState[1]);
    }

    /// <summary>An item of the pool of recent positives, drawn from <paramref name="salt"/> alone; 0 when the pool is empty.</summary>
    private ulong DrawNegative(ulong salt, ulong positive)
    {
        var filled = (ulong)Math.Min(_poolCount, _pool.Length);
        return filled == 0 ? 0 : _pool[StableHash.Finalise(StableHash.Combine(salt ^ _seed, positive)) % filled];
    }

    public void Save(Stream into)
    {
        var writer = new CheckpointWriter(into, FormatVersion);
        writer.Int64(Version);
        writer.Single(_bias);
        writer.Single(_biasG2);
        writer.Int64(_positives);
        writer.Int64(_negatives);
        writer.Int64(_nowMs);
        writer.Int64(_poolCount);
        writer.Int32(_pool.Length);
        writer.Values<ulong>(_pool);
        writer.Finish();
        _items.Save(into);
    }

    public void Load(Stream from)
    {
        var reader = new CheckpointReader(from, FormatVersion, "matrix factorisation");
        var version = reader.Int64();
        var (bias, biasG2) = (reader.Single(), reader.Single());
        var (positives, negatives, nowMs, poolCount) = (reader.Int64(), reader.Int64(), reader.Int64(), reader.Int64());
        reader.Expect(_pool.Length, "negative pool");
        var pool = new ulong[_pool.Length];
        reader.Values(pool.AsSpan());
        reader.Finish();
        _items.Load(from);
        (Version, _bias, _biasG2, _positives, _negatives, _nowMs) = (version, bias, biasG2, positives, negatives, nowMs);
        (_poolCount, _pool) = (poolCount, pool);
    }
}
