using System.Numerics;

namespace Streaming.Learning.Features;

/// <summary>Ranges by which real quantities become one-hot features.</summary>
internal static class Buckets
{
    /// <summary>0, 1, 2-3, 4-7, ...: one more than the index of the highest bit.</summary>
    public static int OfCount(long count) => count <= 0 ? 0 : BitOperations.Log2((ulong)count) + 1;

    /// <summary>Quarters of a logit.</summary>
    public static int OfLogit(float probability) => (int)MathF.Round(Math.Clamp(Logit(probability), -10f, 10f) * 4f);

    /// <summary>Halves of log2(1 + |weight|), with its sign.</summary>
    public static int OfWeight(float weight) =>
        Math.Sign(weight) * (int)MathF.Ceiling(2f * MathF.Log2(1f + Math.Min(Math.Abs(weight), 1e6f)));

    /// <summary>ln(p / (1 - p)), finite for every p.</summary>
    public static float Logit(float p)
    {
        var clamped = Math.Clamp(p, 1e-5f, 1f - 1e-5f);
        return MathF.Log(clamped / (1f - clamped));
    }
}
