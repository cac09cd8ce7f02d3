using Streaming.Core.Ids;
using Streaming.Evaluation.Metrics;
using Streaming.Evaluation.Protocols;

namespace Streaming.Evaluation.Ctr;

/// <summary>Figures of predicted rows.</summary>
internal static class CtrFigures
{
    /// <summary>AUC, GAUC by user where users have several rows, log-loss, normalised entropy and calibration of one task.</summary>
    /// <param name="rows">Tested.</param>
    /// <param name="labels">Aligned with the rows.</param>
    /// <param name="scores">Probabilities, aligned with the rows.</param>
    /// <param name="suffix">After the metrics' names.</param>
    /// <param name="seed">Of the bootstrap, which draws users again.</param>
    public static IReadOnlyList<Figure> Of(IReadOnlyList<CtrRow> rows, bool[] labels, double[] scores, string suffix, long seed)
    {
        var scored = new ScoredExamples(1);
        var users = new Dictionary<ulong, int>();
        var groups = new int[rows.Count];
        for (var i = 0; i < rows.Count; i++)
        {
            scored.Add(rows[i].User, labels[i], [(float)scores[i]]);
            if (!users.TryGetValue(rows[i].User, out groups[i])) users[rows[i].User] = groups[i] = users.Count;
        }
        var bars = Bootstrap.OfCounts(scored.Users, counts => [scored.Auc(0, counts), scored.LogLoss(0, counts)], seed, Bootstrap.CostlyResamples);
        var figures = new List<Figure> { new($"auc{suffix}", bars[0]) };
        if (users.Count < rows.Count)
        {
            var grouped = BinaryMetrics.GroupAuc(groups, scores, labels);
            figures.Add(new($"gauc{suffix}", grouped.Weighted));
            figures.Add(new($"gauc-users{suffix}", grouped.Groups));
        }
        figures.Add(new($"logloss{suffix}", bars[1]));
        figures.Add(new($"ne{suffix}", BinaryMetrics.NormalisedEntropy(scores, labels)));
        figures.Add(new($"calibration{suffix}", BinaryMetrics.CalibrationRatio(scores, labels)));
        return figures;
    }
}
