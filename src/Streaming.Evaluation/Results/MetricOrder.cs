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
        "intra-list-diversity", "ild", "accuracy", "ctr", "window-auc", "after-click-auc",
    ];

    private static readonly HashSet<string> Lower =
        ["logloss", "log-loss", "normalised-entropy", "normalized-entropy", "ne", "ece", "rmse", "mae", "mse", "gini", "regret", "window-logloss"];

    /// <summary>Which metrics a narrow table shows, the most telling first, and of each the cut-off 10 before the others.</summary>
    private static readonly string[] Telling = ["hr", "ndcg", "mrr", "recall", "auc", "gauc", "logloss", "ne", "calibration", "ece", "map", "coverage", "diversity"];
    private static readonly string[] CutOffs = ["", "10", "20", "5"];

    /// <summary>The most telling of the metrics, in the order given; all of them when they are few enough.</summary>
    /// <param name="metrics">Names.</param>
    /// <param name="atMost">How many to keep.</param>
    public static IReadOnlyList<string> Headline(IReadOnlyList<string> metrics, int atMost)
    {
        int Place(string[] order, string name) => Array.IndexOf(order, name) is var at and >= 0 ? at : order.Length;
        var kept = metrics.OrderBy(m => Place(CutOffs, m.Split('@') is [_, var cut] ? cut : "")).ThenBy(m => Place(Telling, Name(m))).Take(atMost).ToHashSet();
        return [.. metrics.Where(kept.Contains)];
    }

    private static string Name(string metric) => metric.Split('@')[0].ToLowerInvariant().Replace('_', '-');

    /// <summary>Which way a metric points; its cut-off does not matter, and '_' is as good as '-'.</summary>
    public static Better Of(string metric)
    {
        var name = Name(metric);
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
