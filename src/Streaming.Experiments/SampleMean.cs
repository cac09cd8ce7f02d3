using MathNet.Numerics.Distributions;
using MathNet.Numerics.Statistics;

namespace Streaming.Experiments;

/// <summary>The mean of independent samples: runs with different seeds, say.</summary>
/// <param name="Mean">NaN of none.</param>
/// <param name="Deviation">Standard deviation of the samples (n - 1 below); NaN below two.</param>
/// <param name="Bar">Half the width of Student's t interval of the mean; NaN below two samples.</param>
public readonly record struct SampleMean(double Mean, double Deviation, double Bar)
{
    /// <param name="samples">Independent of each other.</param>
    /// <param name="confidence">In (0, 1), of the interval.</param>
    public static SampleMean Of(double[] samples, double confidence = 0.95)
    {
        if (confidence is not (> 0 and < 1)) throw new ArgumentOutOfRangeException(nameof(confidence), confidence, "must be between 0 and 1");
        var (mean, deviation) = ArrayStatistics.MeanStandardDeviation(samples);
        return samples.Length < 2
            ? new SampleMean(mean, double.NaN, double.NaN)
            : new SampleMean(mean, deviation, StudentT.InvCDF(0, 1, samples.Length - 1, (1 + confidence) / 2) * deviation / Math.Sqrt(samples.Length));
    }
}
