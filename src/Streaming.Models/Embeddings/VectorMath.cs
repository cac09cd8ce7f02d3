using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Streaming.Models.Embeddings;

/// <summary>
/// Small dense vectors. Sums run over four fixed lanes, whatever the processor's width, so that results are bit-equal on
/// every machine.
/// </summary>
public static class VectorMath
{
    /// <summary>Inner product of two vectors of equal length.</summary>
    public static float Dot(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        if (a.Length != b.Length) throw new ArgumentException($"lengths {a.Length} and {b.Length} differ");
        var lanes = Vector128<float>.Zero;
        var a4 = MemoryMarshal.Cast<float, Vector128<float>>(a);
        var b4 = MemoryMarshal.Cast<float, Vector128<float>>(b);
        for (var i = 0; i < a4.Length; i++) lanes += a4[i] * b4[i];
        var sum = lanes[0] + lanes[1] + (lanes[2] + lanes[3]);
        for (var i = a4.Length * 4; i < a.Length; i++) sum += a[i] * b[i];
        return sum;
    }

    /// <summary>Cosine of the angle between two vectors whose lengths are known; 0 where either is zero.</summary>
    public static float Cosine(ReadOnlySpan<float> a, float normA, ReadOnlySpan<float> b, float normB)
    {
        var scale = normA * normB;
        return scale > 1e-12f ? Dot(a, b) / scale : 0f;
    }

    public static float Norm(ReadOnlySpan<float> a) => MathF.Sqrt(Dot(a, a));

    /// <summary>1 / (1 + e^-x), with x clipped to [-35, 35] so that neither it nor its logarithm overflows.</summary>
    public static float Sigmoid(float x) => 1f / (1f + MathF.Exp(-Math.Clamp(x, -35f, 35f)));
}
