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

    /// <summary>target += factor x source, element by element.</summary>
    public static void AddScaled(Span<float> target, float factor, ReadOnlySpan<float> source)
    {
        if (target.Length != source.Length) throw new ArgumentException($"lengths {target.Length} and {source.Length} differ");
        var t4 = MemoryMarshal.Cast<float, Vector128<float>>(target);
        var s4 = MemoryMarshal.Cast<float, Vector128<float>>(source);
        for (var i = 0; i < t4.Length; i++) t4[i] += s4[i] * factor;
        for (var i = t4.Length * 4; i < target.Length; i++) target[i] += source[i] * factor;
    }

    /// <summary>a, b = keep a + step b, keep b + step a, both from the old values: one step of matrix factorisation.</summary>
    public static void CrossStep(Span<float> a, Span<float> b, float keep, float step)
    {
        if (a.Length != b.Length) throw new ArgumentException($"lengths {a.Length} and {b.Length} differ");
        var a4 = MemoryMarshal.Cast<float, Vector128<float>>(a);
        var b4 = MemoryMarshal.Cast<float, Vector128<float>>(b);
        for (var i = 0; i < a4.Length; i++) (a4[i], b4[i]) = (a4[i] * keep + b4[i] * step, b4[i] * keep + a4[i] * step);
        for (var i = a4.Length * 4; i < a.Length; i++) (a[i], b[i]) = (a[i] * keep + b[i] * step, b[i] * keep + a[i] * step);
    }

    /// <summary>Cosine of the angle between two vectors whose lengths are known; 0 where either is zero.</summary>
    public static float Cosine(ReadOnlySpan<float> a, float normA, ReadOnlySpan<float> b, float normB)
    {
        var scale = normA * normB;
        return scale > 1e-12f ? Dot(a, b) / scale : 0f;
    }

    /// <summary>Euclidean length.</summary>
    public static float Norm(ReadOnlySpan<float> a) => MathF.Sqrt(Dot(a, a));

    /// <summary>1 / (1 + e^-x), with x clipped to [-35, 35] so that neither it nor its logarithm overflows.</summary>
    public static float Sigmoid(float x) => 1f / (1f + MathF.Exp(-Math.Clamp(x, -35f, 35f)));
}
