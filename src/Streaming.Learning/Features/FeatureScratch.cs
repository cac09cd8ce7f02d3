using Streaming.Core.Ids;
using Streaming.Users;

namespace Streaming.Learning.Features;

/// <summary>The keys and values of each feature kind while one user and candidate are looked at; reused, bounded, per thread.</summary>
internal sealed class FeatureScratch(ulong[] salts)
{
    private readonly ulong[] _keys = new ulong[salts.Length * FeatureExtractor.ValuesMax];
    private readonly float[] _values = new float[salts.Length * FeatureExtractor.ValuesMax];
    private readonly int[] _counts = new int[salts.Length];

    public void Clear(FeatureKind kind) => _counts[(int)kind] = 0;

    /// <summary>Adds one value of a feature. Beyond <see cref="FeatureExtractor.ValuesMax"/> it is ignored.</summary>
    public void Add(FeatureKind kind, ulong raw, float value = 1f)
    {
        ref var count = ref _counts[(int)kind];
        if (count == FeatureExtractor.ValuesMax) return;
        var at = (int)kind * FeatureExtractor.ValuesMax + count++;
        _keys[at] = StableHash.Combine(salts[(int)kind], raw);
        _values[at] = value;
    }

    public void Bucket(FeatureKind kind, int bucket) => Add(kind, (ulong)(long)bucket);

    /// <summary>A single real-valued key; nothing when the value is 0, which would not matter.</summary>
    public void Real(FeatureKind kind, float value)
    {
        if (value != 0f) Add(kind, 0, value);
    }

    /// <summary>The value of a real feature; 0 where it has none.</summary>
    public float RealOf(FeatureKind kind) => _counts[(int)kind] == 0 ? 0f : _values[(int)kind * FeatureExtractor.ValuesMax];

    /// <summary>Appends a feature, or the cross of two (all pairs; values multiply), as 32-bit hashes.</summary>
    public void Emit(FeatureOutput output, FeatureBuffer into)
    {
        var first = (int)output.First * FeatureExtractor.ValuesMax;
        var firstEnd = first + _counts[(int)output.First];
        if (output.Second is not { } secondKind)
        {
            for (var i = first; i < firstEnd; i++) into.Add((uint)(_keys[i] >> 32), _values[i]);
            return;
        }
        var second = (int)secondKind * FeatureExtractor.ValuesMax;
        var secondEnd = second + _counts[(int)secondKind];
        for (var i = first; i < firstEnd; i++)
            for (var j = second; j < secondEnd; j++)
                into.Add((uint)(StableHash.Combine(_keys[i], _keys[j]) >> 32), _values[i] * _values[j]);
    }
}
