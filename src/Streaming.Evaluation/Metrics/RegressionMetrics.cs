namespace Streaming.Evaluation.Metrics;

/// <summary>Errors of predicted numbers (ratings); arrays are aligned. NaN for no rows.</summary>
public static class RegressionMetrics
{
    /// <summary>Root mean squared error.</summary>
    public static double Rmse(ReadOnlySpan<double> predicted, ReadOnlySpan<double> actual)
    {
        BinaryMetrics.Same(predicted.Length, actual.Length);
        double sum = 0;
        for (var i = 0; i < actual.Length; i++) sum += (predicted[i] - actual[i]) * (predicted[i] - actual[i]);
        return Math.Sqrt(sum / actual.Length);
    }

    /// <summary>Mean absolute error.</summary>
    public static double Mae(ReadOnlySpan<double> predicted, ReadOnlySpan<double> actual)
    {
        BinaryMetrics.Same(predicted.Length, actual.Length);
        double sum = 0;
        for (var i = 0; i < actual.Length; i++) sum += Math.Abs(predicted[i] - actual[i]);
        return sum / actual.Length;
    }
}
