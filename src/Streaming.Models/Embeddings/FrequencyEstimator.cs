using Streaming.Core.Ids;
using Streaming.Core.Wire;

namespace Streaming.Models.Embeddings;

/// <summary>Shape and learning rate of a <see cref="FrequencyEstimator"/>.</summary>
/// <param name="Hashes">m: independent hash functions, each with arrays of its own.</param>
/// <param name="Slots">H: slots of each hash function.</param>
/// <param name="LearningRate">alpha in (0, 1]: large follows changes, small averages the noise away.</param>
/// <param name="InitialInterval">Steps between two occurrences that an item never met is believed to have; at least 1.</param>
/// <param name="Seed">Of the hash functions.</param>
public sealed record FrequencyOptions(
    int Hashes = 4, int Slots = 1 << 16, double LearningRate = 0.01, double InitialInterval = 100, ulong Seed = 1);

/// <summary>
/// How likely an item is to be in a mini-batch, from the stream of batches alone and without a vocabulary: streaming frequency
/// estimation with multiple hashes (Yi et al. 2019, "Sampling-Bias-Corrected Neural Modeling for Large Corpus Item
/// Recommendations", Algorithm 2 and its multiple hashes). A keeps the step at which a slot was last hit, B the steps between hits:
/// <code>
/// B[h(y)] = (1 - alpha) B[h(y)] + alpha (t - A[h(y)]),  A[h(y)] = t,  p(y) = 1 / max over i of B_i[h_i(y)]
/// </code>
/// Items that share a slot make it hit more often than either, so a collision only ever shortens the interval: the longest of m is
/// the one that suffered least. Two details are decided here: an item that a batch holds twice hits once, because the interval counts
/// steps; and the first hit of a slot only starts its clock, since the age of the stream is no interval of an item born late.
/// One writer; readers only while nobody writes.
/// </summary>
public sealed class FrequencyEstimator
{
    private const byte FormatVersion = 1;

    private readonly FrequencyOptions _options;

    // Shape [m, H] each; a last step of 0 means never.
    private long[] _lastStep;
    private float[] _interval;

    public FrequencyEstimator(FrequencyOptions options)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(options.Hashes is >= 1 and <= 64, true);
        ArgumentOutOfRangeException.ThrowIfNotEqual(options.Slots is >= 1 and <= 1 << 24, true);
        ArgumentOutOfRangeException.ThrowIfNotEqual(options.LearningRate is > 0 and <= 1, true);
        ArgumentOutOfRangeException.ThrowIfNotEqual(options.InitialInterval is >= 1 and <= 1e9, true);
        _options = options;
        _lastStep = new long[options.Hashes * options.Slots];
        _interval = new float[_lastStep.Length];
        Array.Fill(_interval, (float)options.InitialInterval);
    }

    /// <summary>t: batches observed.</summary>
    public long Steps { get; private set; }

    /// <summary>One step: a mini-batch held these items.</summary>
    public void Observe(ReadOnlySpan<ulong> batch)
    {
        Steps++;
        var alpha = (float)_options.LearningRate;
        foreach (var item in batch)
        {
            for (var i = 0; i < _options.Hashes; i++)
            {
                var slot = Slot(item, i);
                var last = _lastStep[slot];
                if (last == Steps) continue;
                if (last > 0) _interval[slot] += alpha * (Steps - last - _interval[slot]);
                _lastStep[slot] = Steps;
            }
        }
    }

    /// <summary>Probability in (0, 1] that a mini-batch holds the item; 1 / initial interval for one never met.</summary>
    public float Probability(ulong item)
    {
        var longest = 0f;
        for (var i = 0; i < _options.Hashes; i++) longest = Math.Max(longest, _interval[Slot(item, i)]);
        return 1f / longest;
    }

    public void Save(Stream into)
    {
        var writer = new CheckpointWriter(into, FormatVersion);
        writer.Int32(_options.Hashes);
        writer.Int32(_options.Slots);
        writer.Int64((long)_options.Seed);
        writer.Int64(Steps);
        writer.Values<long>(_lastStep);
        writer.Values<float>(_interval);
        writer.Finish();
    }

    /// <exception cref="InvalidDataException">Torn, corrupt, of another shape, or from a newer build; the estimator is unchanged.</exception>
    public void Load(Stream from)
    {
        const string what = "frequency estimator";
        var reader = new CheckpointReader(from, FormatVersion, what);
        reader.Expect(_options.Hashes, "hashes");
        reader.Expect(_options.Slots, "slots");
        if (reader.Int64() != (long)_options.Seed) throw new InvalidDataException($"{what} was made with another seed: its hashes differ");
        var steps = reader.Int64();
        var (lastStep, interval) = (new long[_lastStep.Length], new float[_interval.Length]);
        reader.Values(lastStep.AsSpan());
        reader.Values(interval.AsSpan());
        reader.Finish();
        if (steps < 0 || lastStep.Any(s => s < 0 || s > steps) || interval.Any(b => !(b >= 1)))
            throw new InvalidDataException($"{what} holds a step or an interval that cannot be");
        (Steps, _lastStep, _interval) = (steps, lastStep, interval);
    }

    private int Slot(ulong item, int hash)
    {
        var mixed = StableHash.Finalise(item ^ StableHash.Finalise(_options.Seed + (ulong)(hash + 1) * 0x9E3779B97F4A7C15UL));
        return hash * _options.Slots + (int)Math.BigMul(mixed, (ulong)_options.Slots, out _);
    }
}
