using System.Runtime.CompilerServices;
using Streaming.Core.Examples;
using Streaming.Core.Ports;
using Streaming.Core.Settings;
using Streaming.Core.Wire;
using Streaming.Learning.Isolation;
using Streaming.Models.Embeddings;

namespace Streaming.Learning;

/// <summary>
/// FTRL-proximal logistic regression over hashed features (McMahan et al. 2013, "Ad Click Prediction: a View from the
/// Trenches", Algorithm 1). Per coordinate i it keeps z and n; the weight is
/// w = 0 where |z| &lt;= L1, else -(z - sign(z) L1) / ((beta + sqrt n) / alpha + L2); an example with gradient
/// g = weight (p - y) x adds g - (sqrt(n + g^2) - sqrt n) / alpha * w to z and g^2 to n. A feature that stands twice in an
/// example counts twice, with the weights as they were before the example.
/// </summary>
public sealed class FtrlModel : IOnlineModel, IRankingWeights
{
    private const byte FormatVersion = 1;
    private const int StackFeaturesMax = 512;

    // z and n of a slot lie side by side, so that a coordinate costs one cache line. Weights follow from them and are kept apart:
    // ranking reads nothing else, and a root and a division per feature are not for the path of every candidate.
    private FtrlSlot[] _slots;
    private readonly float[] _weights;
    private readonly uint _mask;
    private readonly float _negativeRate;

    /// <summary>Whoever still reads the weights as they were, and must be told before a slot is written.</summary>
    private readonly List<FrozenWeights> _frozen = [];

    /// <param name="settings">Bits, alpha, beta, L1, L2.</param>
    /// <param name="negativeSampleRate">w in (0, 1]: the rate at which negatives of the training stream were kept.</param>
    public FtrlModel(LearningSettings settings, double negativeSampleRate = 1)
    {
        _slots = new FtrlSlot[1 << settings.FtrlBits];
        _weights = new float[_slots.Length];
        _mask = (uint)_slots.Length - 1;
        Rule = new FtrlRule(settings);
        _negativeRate = (float)negativeSampleRate;
    }

    public string Name => "ftrl";
    public long Version { get; private set; }

    /// <inheritdoc/>
    public float Predict(ReadOnlySpan<uint> features, ReadOnlySpan<float> values)
    {
        return Probability(Logit(features, values));
    }

    /// <summary>Sum of weight x value: the logit of the uncorrected probability. Sums of parts of an example add up.</summary>
    public float Logit(ReadOnlySpan<uint> features, ReadOnlySpan<float> values)
    {
        var weights = _weights;
        var sum = 0f;
        for (var i = 0; i < features.Length; i++) sum += weights[features[i] & _mask] * values[i];
        return sum;
    }

    /// <summary>The corrected probability of a logit.</summary>
    public float Probability(float logit) => Corrected(VectorMath.Sigmoid(logit));

    /// <summary>Predicts (corrected, as <see cref="Predict"/> would have), then learns; the weights are read once for both.</summary>
    [SkipLocalsInit]
    public float PredictAndLearn(ReadOnlySpan<uint> features, ReadOnlySpan<float> values, float label, float weight = 1f)
    {
        Span<float> weights = features.Length <= StackFeaturesMax ? stackalloc float[StackFeaturesMax] : new float[features.Length];
        if (_frozen.Count > 0) KeepForFrozen(features);
        var slots = _slots;
        var table = _weights;
        var rule = Rule;
        var sum = 0f;
        for (var i = 0; i < features.Length; i++)
        {
            var w = table[features[i] & _mask];
            weights[i] = w;
            sum += w * values[i];
        }
        var p = VectorMath.Sigmoid(sum);
        var error = weight * (p - label);
        for (var i = 0; i < features.Length; i++)
        {
            ref var slot = ref slots[features[i] & _mask];
            rule.Step(ref slot, error * values[i], weights[i]);
            table[features[i] & _mask] = rule.WeightOf(slot);
        }
        Version++;
        return Corrected(p);
    }

    /// <summary>The same for an example; the weight of a dislike is negative, but its label says that already.</summary>
    public float PredictAndLearn(Example example) =>
        PredictAndLearn(example.Features, example.Values, example.Label, Math.Abs(example.Weight));

    public void OnExample(Example example) => PredictAndLearn(example);

    public void OnInteraction(Interaction interaction)
    {
        // Labels come with examples; an interaction alone has no features.
    }

    /// <summary>The weight of a feature as it stands.</summary>
    public float Weight(uint feature) => _weights[feature & _mask];

    /// <summary>Takes these features' coordinates over from a model of the same size: a sparse delta.</summary>
    /// <exception cref="ArgumentException">The sizes differ.</exception>
    public void Take(FtrlModel from, IEnumerable<uint> features)
    {
        if (from._mask != _mask) throw new ArgumentException("the models differ in their number of slots", nameof(from));
        foreach (var feature in features)
        {
            var at = feature & _mask;
            foreach (var frozen in _frozen) frozen.Keep(at);
            _slots[at] = from._slots[at];
            _weights[at] = from._weights[at];
        }
        Version = from.Version;
    }

    /// <summary>Slots: features that agree in their lowest bits share one.</summary>
    public int Slots => _weights.Length;

    /// <summary>The arithmetic of a coordinate.</summary>
    internal FtrlRule Rule { get; }

    internal uint Mask => _mask;

    internal ref readonly FtrlSlot SlotAt(uint at) => ref _slots[at];

    internal float WeightAt(uint at) => _weights[at];

    internal ReadOnlySpan<FtrlSlot> SlotsFrom(uint at, int count) => _slots.AsSpan((int)at, count);

    /// <summary>Overwrites slots: what is folded in from elsewhere. Counts as one step of the version, so that nobody goes on with remembered sums.</summary>
    internal void Put(IEnumerable<(uint At, FtrlSlot Slot)> slots)
    {
        foreach (var (at, slot) in slots)
        {
            foreach (var frozen in _frozen) frozen.Keep(at);
            _slots[at] = slot;
            _weights[at] = Rule.WeightOf(slot);
        }
        Version++;
    }

    /// <summary>
    /// The weights as they are now, for as long as they are needed: pages are copied when they are first written. Two that are taken between
    /// the same two examples are one.
    /// </summary>
    internal FrozenWeights Freeze()
    {
        if (_frozen.Count > 0 && _frozen[^1].MadeAt == Version) return _frozen[^1];
        var frozen = new FrozenWeights(this, Version);
        _frozen.Add(frozen);
        return frozen;
    }

    /// <summary>Takes part in writes again, after a checkpoint.</summary>
    internal void Attach(FrozenWeights frozen) => _frozen.Add(frozen);

    /// <summary>Nobody needs it any more.</summary>
    internal void Release(FrozenWeights frozen) => _frozen.Remove(frozen);

    private void KeepForFrozen(ReadOnlySpan<uint> features)
    {
        foreach (var frozen in _frozen)
            foreach (var feature in features) frozen.Keep(feature & _mask);
    }

    /// <summary>q = p / (p + (1 - p) / w): what p would be had no negatives been dropped (He et al. 2014, section 6.3).</summary>
    private float Corrected(float p) => _negativeRate >= 1f ? p : p / (p + (1f - p) / _negativeRate);

    public void Save(Stream into)
    {
        var writer = new CheckpointWriter(into, FormatVersion);
        writer.Int32(_slots.Length);
        writer.Int64(Version);
        writer.Values<FtrlSlot>(_slots);
        writer.Finish();
    }

    public void Load(Stream from)
    {
        var reader = new CheckpointReader(from, FormatVersion, "FTRL model");
        reader.Expect(_slots.Length, "slots");
        var version = reader.Int64();
        var slots = new FtrlSlot[_slots.Length];
        reader.Values(slots.AsSpan());
        reader.Finish();
        (_slots, Version) = (slots, version);
        for (var i = 0; i < slots.Length; i++) _weights[i] = Rule.WeightOf(slots[i]);
    }
}
