namespace Streaming.Experiments.Inference;

/// <summary>
/// CUPED (Deng, Xu, Kohavi and Walker 2013, "Improving the Sensitivity of Online Controlled Experiments by Utilizing Pre-Experiment Data"): what
/// users did before they met the experiment explains part of what they do in it, and no arm can have caused it; taking that part out leaves the
/// expected difference as it is and makes its variance smaller. The outcome is the linearised ratio (Y - R X) / mean(X), so ratio metrics are
/// adjusted as the paper's appendix B does; covariates are the metric's own numerator and denominator from before, and whether there was a
/// before at all. The coefficients come from the covariances within arms, pooled over all arms, so each arm is adjusted alike.
/// </summary>
public sealed class Cuped
{
    private const int K = 3;
    private const int FirstCovariate = UnitSums.Length - K;

    /// <summary>A covariate whose variance is explained by the others up to this share carries nothing of its own.</summary>
    private const double Redundant = 1e-9;

    private readonly double[] _theta;
    private readonly double[] _mean = new double[K];

    private Cuped(double[] theta) => _theta = theta;

    /// <summary>Learns the coefficients from all arms of an experiment.</summary>
    public static Cuped Fit(IReadOnlyList<UnitMoments> arms)
    {
        var covariance = new double[K, K];
        var with = new double[K];
        var all = new UnitMoments();
        foreach (var arm in arms)
        {
            all.Add(arm);
            if (arm.Count < 2 || !(arm.Sum(1) > 0)) continue;
            var (ratio, _) = ArmEstimate.Ratio(arm);
            var mean = arm.Sum(1) / arm.Count;
            for (var i = 0; i < K; i++)
            {
                with[i] += (arm.Count - 1) * (arm.Covariance(0, FirstCovariate + i) - ratio * arm.Covariance(1, FirstCovariate + i)) / mean;
                for (var j = 0; j < K; j++) covariance[i, j] += (arm.Count - 1) * arm.Covariance(FirstCovariate + i, FirstCovariate + j);
            }
        }
        var cuped = new Cuped(Solve(covariance, with));
        for (var i = 0; i < K; i++) cuped._mean[i] = all.Count > 0 ? all.Sum(FirstCovariate + i) / all.Count : 0;
        return cuped;
    }

    /// <summary>The arm's ratio less what the covariates explain of it: R - theta (c - c of all arms), with the variance of what is left.</summary>
    public ArmEstimate Adjust(UnitMoments arm)
    {
        var plain = ArmEstimate.Of(arm);
        if (arm.Count < 2 || !(arm.Sum(1) > 0)) return plain;
        var mean = arm.Sum(1) / arm.Count;
        var value = plain.Value;
        var variance = ArmEstimate.Linearised(arm, plain.Value) / (mean * mean);
        for (var i = 0; i < K; i++)
        {
            if (_theta[i] == 0) continue;
            value -= _theta[i] * (arm.Sum(FirstCovariate + i) / arm.Count - _mean[i]);
            variance -= 2 * _theta[i] * (arm.Covariance(0, FirstCovariate + i) - plain.Value * arm.Covariance(1, FirstCovariate + i)) / mean;
            for (var j = 0; j < K; j++) variance += _theta[i] * _theta[j] * arm.Covariance(FirstCovariate + i, FirstCovariate + j);
        }
        return new ArmEstimate(arm.Count, value, Math.Max(0, variance) / arm.Count);
    }

    /// <summary>Solves a symmetric, positive semi-definite system by Cholesky's method; a covariate that the ones before it determine gets 0.</summary>
    private static double[] Solve(double[,] a, double[] b)
    {
        var l = new double[K, K];
        var kept = new bool[K];
        var y = new double[K];
        for (var i = 0; i < K; i++)
        {
            var left = a[i, i];
            for (var k = 0; k < i; k++) left -= l[i, k] * l[i, k];
            kept[i] = left > Redundant * a[i, i] && a[i, i] > 0;
            if (!kept[i])
            {
                for (var k = 0; k < i; k++) l[i, k] = 0;
                continue;
            }
            l[i, i] = Math.Sqrt(left);
            y[i] = b[i];
            for (var k = 0; k < i; k++) y[i] -= l[i, k] * y[k];
            y[i] /= l[i, i];
            for (var j = i + 1; j < K; j++)
            {
                l[j, i] = a[j, i];
                for (var k = 0; k < i; k++) l[j, i] -= l[j, k] * l[i, k];
                l[j, i] /= l[i, i];
            }
        }
        var x = new double[K];
        for (var i = K - 1; i >= 0; i--)
        {
            if (!kept[i]) continue;
            x[i] = y[i];
            for (var j = i + 1; j < K; j++) x[i] -= l[j, i] * x[j];
            x[i] /= l[i, i];
        }
        return x;
    }
}
