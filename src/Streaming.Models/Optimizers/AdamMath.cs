using System.Numerics;
using System.Runtime.InteropServices;

namespace Streaming.Models.Optimizers;

/// <summary>Adam's step on plain arrays: element by element, so that the width of the processor does not show in the result.</summary>
internal static class AdamMath
{
    /// <summary>
    /// Step size and epsilon that hold the corrections for step <paramref name="t"/>, from 1: rate (m / c1) / (sqrt(v / c2) + eps), c1 and c2 the
    /// corrections, is rate sqrt(c2) / c1 m / (sqrt(v) + eps sqrt(c2)), which has one division.
    /// </summary>
    public static (float Rate, float Epsilon) Corrected(double rate, double beta1, double beta2, double epsilon, long t)
    {
        var root = Math.Sqrt(1 - Math.Pow(beta2, t));
        return ((float)(rate * root / (1 - Math.Pow(beta1, t))), (float)(epsilon * root));
    }

    /// <summary>m = b1 m + (1 - b1) g, v = b2 v + (1 - b2) g^2, w -= rate m / (sqrt(v) + eps): <paramref name="rate"/> holds the corrections for t.</summary>
    public static void Step(
        Span<float> weights, ReadOnlySpan<float> gradient, Span<float> m, Span<float> v, float rate, float beta1, float beta2, float epsilon)
    {
        gradient = gradient[..weights.Length];
        var rows = MemoryMarshal.Cast<float, Vector<float>>(weights);
        var gradients = MemoryMarshal.Cast<float, Vector<float>>(gradient);
        var ms = MemoryMarshal.Cast<float, Vector<float>>(m);
        var vs = MemoryMarshal.Cast<float, Vector<float>>(v);
        for (var i = 0; i < rows.Length; i++)
        {
            var g = gradients[i];
            ms[i] = ms[i] * beta1 + g * (1 - beta1);
            vs[i] = vs[i] * beta2 + g * g * (1 - beta2);
            rows[i] -= ms[i] * rate / (Vector.SquareRoot(vs[i]) + new Vector<float>(epsilon));
        }
        for (var i = rows.Length * Vector<float>.Count; i < weights.Length; i++)
        {
            var g = gradient[i];
            m[i] = m[i] * beta1 + g * (1 - beta1);
            v[i] = v[i] * beta2 + g * g * (1 - beta2);
            weights[i] -= m[i] * rate / (MathF.Sqrt(v[i]) + epsilon);
        }
    }
}
