using Streaming.Learning.Metrics;
using Streaming.Node;

namespace Streaming.Host.Cli;

/// <summary>A node's figures under the names that every verb uses.</summary>
internal static class Report
{
    public static IEnumerable<(string Name, object? Value)> Of(NodeStatus status, IReadOnlyList<PrequentialFigures> figures)
    {
        var ranker = figures[0];
        yield return ("events", status.Users.Applied);
        yield return ("examples", status.Examples);
        yield return ("auc", ranker.Auc);
        yield return ("gauc", ranker.Gauc);
        yield return ("logloss", ranker.LogLoss);
        yield return ("calibration", ranker.Calibration);
        foreach (var baseline in figures.Skip(1)) yield return ("auc_" + Key(baseline.Name), baseline.Auc);
        yield return ("lists", status.Users.Lists);
        yield return ("rounds", status.Rounds);
        yield return ("click_to_list_ms_p50", status.ClickToListMsP50);
        yield return ("click_to_list_ms_p99", status.ClickToListMsP99);
        yield return ("dead_letters", status.Users.DeadLetters + status.IngestRejected + status.ItemDeadLetters);
        yield return ("repeats", status.Users.Repeats);
        yield return ("peak_rss_mb", Machine.PeakRssMb());
        yield return ("models", status.Models);
        foreach (var model in status.Deep)
        {
            yield return ($"{model.Name}_auc_window", model.Auc);
            yield return ($"{model.Name}_examples", model.Examples);
            yield return ($"{model.Name}_promotions", model.Promotions);
            yield return ($"{model.Name}_rollbacks", model.Rollbacks);
        }
    }

    private static string Key(string model) => model.Replace(" + ", "_", StringComparison.Ordinal).Replace(' ', '_');
}
