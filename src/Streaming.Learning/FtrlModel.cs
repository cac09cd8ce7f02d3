using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Streaming.Core.Examples;
using Streaming.Core.Ports;
using Streaming.Core.Settings;
using Streaming.Core.Wire;
using Streaming.Models.Embeddings;

namespace Streaming.Learning;

/// <summary>
/// FTRL-proximal logistic regression over hashed features (McMahan et al. 2013, "Ad Click Prediction: a View from the
/// Trenches", Algorithm 1). Per coordinate i it keeps z and n; the weight is
/// w = 0 where |z| &lt;= L1, else -(z - sign(z) L1) / ((beta + sqrt n) / alpha + L2); an example with gradient
/// g = weight (p - y) x adds g - (sqrt(n + g^2) - sqrt n) / alpha * w to z and g^2 to n. A feature that stands twice in an
/// example counts twice, with the weights as they were before the example.
/// </summary>
public sealed class FtrlModel : IOnlineModel
{
    private const byte FormatVersion = 1;
    private const int StackFeaturesMax = 512;

    // z and n of a slot lie side by side, so that a coordinate costs one cache line. Weights follow from them and are kept apart:
    // ranking reads nothing else, and a root and a division per feature are not for the path of every candidate.
    private Slot[] _slots;
    private readonly float[] _weights;
    private readonly uint _mask;
    private readonly float _inverseAlpha;
    private readonly float _betaOverAlphaPlusL2;
    private readonly float _l1;
    private readonly float _negativeRate;

    [StructLayout(LayoutKind.Sequential)]
    private struct Slot
    {
        public float Z;
        public float N;
    }

    /// <param name="settings">Bits, alpha, beta, L1, L2.</param>
    /// <param name="negativeSampleRate">w in (0, 1]: the rate at which negatives of the training stream were kept.</param>
    public FtrlModel(LearningSettings settings, double negativeSampleRate = 1)
    {
        _slots = new Slot[1 << settings.FtrlBits];
        _weights = new float[_slots.Length];
        _mask = (uint)_slots.Length - 1;
        _inverseAlpha = (float)(1 / settings.FtrlAlpha);
        _betaOverAlphaPlusL2 = (float)(settings.FtrlBeta / settings.FtrlAlpha + settings.FtrlL2);
        _l1 = (float)settings.FtrlL1;
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
        var slots = _slots;
        var table = _weights;
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
            var g = error * values[i];
            var g2 = g * g;
            var n = slot.N + g2;
            // sqrt(n + g^2) - sqrt(n), without cancellation when g is small beside n.
            var sigma = g2 > 0 ? g2 / (MathF.Sqrt(n) + MathF.Sqrt(slot.N)) * _inverseAlpha : 0f;
            slot.Z += g - sigma * weights[i];
            slot.N = n;
            table[features[i] & _mask] = WeightOf(slot);
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
            _slots[at] = from._slots[at];
            _weights[at] = from._weights[at];
        }
        Version = from.Version;
    }

    /// <summary>Slots: features that agree in their lowest bits share one.</summary>
    public int Slots => _weights.Length;

    private float WeightOf(in Slot slot)
    {
        var z = slot.Z;
        if (MathF.Abs(z) <= _l1) return 0f;
        return (MathF.CopySign(_l1, z) - z) / (_betaOverAlphaPlusL2 + MathF.Sqrt(slot.N) * _inverseAlpha);
    }

    /// <summary>q = p / (p + (1 - p) / w): what p would be had no negatives been dropped (He et al. 2014, section 6.3).</summary>
    private float Corrected(float p) => _negativeRate >= 1f ? p : p / (p + (1f - p) / _negativeRate);

    public void Save(Stream into)
    {
        var writer = new CheckpointWriter(into, FormatVersion);
        writer.Int32(_slots.Length);
        writer.Int64(Version);
        writer.Values<Slot>(_slots);
        writer.Finish();
    }

    public void Load(Stream from)
    {
        var reader = new CheckpointReader(from, FormatVersion, "FTRL model");
        reader.Expect(_slots.Length, "slots");
        var version = reader.Int64();
        var slots = new Slot[_slots.Length];
        reader.Values(slots.AsSpan());
        reader.Finish();
        (_slots, Version) = (slots, version);
        for (var i = 0; i < slots.Length; i++) _weights[i] = WeightOf(slots[i]);
    }
}
