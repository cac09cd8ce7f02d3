using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Streaming.Core.Settings;

namespace Streaming.Learning;

/// <summary>One coordinate of FTRL-proximal: z and n lie side by side, so that it costs one cache line.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct FtrlSlot
{
    public float Z;
    public float N;
}

/// <summary>The arithmetic of a coordinate (McMahan et al. 2013, Algorithm 1), the same wherever coordinates are kept.</summary>
internal readonly struct FtrlRule(LearningSettings settings)
{
    private readonly float _inverseAlpha = (float)(1 / settings.FtrlAlpha);
    private readonly float _betaOverAlphaPlusL2 = (float)(settings.FtrlBeta / settings.FtrlAlpha + settings.FtrlL2);
    private readonly float _l1 = (float)settings.FtrlL1;

    /// <summary>Takes a gradient in.</summary>
    /// <param name="slot">The coordinate.</param>
    /// <param name="g">Its gradient.</param>
    /// <param name="weight">Its weight before the example.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Step(ref FtrlSlot slot, float g, float weight)
    {
        var g2 = g * g;
        var n = slot.N + g2;
        // sqrt(n + g^2) - sqrt(n), without cancellation when g is small beside n.
        var sigma = g2 > 0 ? g2 / (MathF.Sqrt(n) + MathF.Sqrt(slot.N)) * _inverseAlpha : 0f;
        slot.Z += g - sigma * weight;
        slot.N = n;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float WeightOf(in FtrlSlot slot)
    {
        var z = slot.Z;
        if (MathF.Abs(z) <= _l1) return 0f;
        return (MathF.CopySign(_l1, z) - z) / (_betaOverAlphaPlusL2 + MathF.Sqrt(slot.N) * _inverseAlpha);
    }
}

/// <summary>Weights that candidates are ranked by. Read from several threads at once, while no learner writes.</summary>
public interface IRankingWeights
{
    /// <summary>Changes whenever a weight has.</summary>
    long Version { get; }

    /// <summary>Sum of weight x value. Sums of parts of an example add up.</summary>
    float Logit(ReadOnlySpan<uint> features, ReadOnlySpan<float> values);

    /// <summary>The probability of a logit, corrected for down-sampled negatives.</summary>
    float Probability(float logit);
}
