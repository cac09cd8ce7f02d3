namespace Streaming.Evaluation.Results;

/// <summary>Which of two values of a metric is the better one.</summary>
public enum Better
{
    /// <summary>Neither: a count, or an estimate of something that is as it is.</summary>
    Undefined,
    Higher,
    Lower,

    /// <summary>The one nearer to 1: predicted over observed.</summary>
    NearOne,
}

/// <summary>What is better, by a metric's name without its cut-off.</summary>
public static class MetricOrder
{
    private static readonly HashSet<string> Higher =
    [
        "auc", "gauc", "uauc", "csauc", "hr", "hit-rate", "recall", "precision", "f1", "map", "mrr", "ndcg", "coverage", "novelty", "diversity",
        "intra-list-diversity", "ild", "accuracy", "ctr", "window-auc",
    ];

    private static readonly HashSet<string> Lower =
        ["logloss", "log-loss", "normalised-entropy", "normalized-entropy", "ne", "ece", "rmse", "mae", "mse", "gini", "regret", "window-logloss"];

    public static Better Of(string metric)
    {
        var name = metric.Split('@')[0].ToLowerInvariant().Replace('_', '-');
        return Higher.Contains(name) ? Better.Higher : Lower.Contains(name) ? Better.Lower : name is "calibration" ? Better.NearOne : Better.Undefined;
    }

    /// <summary>A number that is smaller the better the value is; NaN where nothing is better or the value is not defined.</summary>
    public static double Rank(string metric, double value) => Of(metric) switch
    {
        Better.Higher => -value,
        Better.Lower => value,
        Better.NearOne => Math.Abs(value - 1),
        _ => double.NaN,
    };
}
