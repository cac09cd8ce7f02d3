using Streaming.Learning.Metrics;
using Streaming.Node;
using Streaming.Node.Deep;

namespace Streaming.Host.Cli;

/// <summary>A node's figures under the names that every verb uses.</summary>
internal static class Report
{
    /// <param name="status">The node's.</param>
    /// <param name="figures">The live ranker's, then the baselines'.</param>
    /// <param name="deep">Those of the deep models that the node has learned.</param>
    public static IEnumerable<(string Name, object? Value)> Of(
        NodeStatus status, IReadOnlyList<PrequentialFigures> figures, IReadOnlyList<PrequentialFigures> deep)
    {
        var ranker = figures[0];
        yield return ("events", status.Users.Applied);
        yield return ("examples", status.Examples);
        yield return ("auc", ranker.Auc);
        yield return ("gauc", ranker.Gauc);
        yield return ("logloss", ranker.LogLoss);
        yield return ("ne", ranker.NormalisedEntropy);
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
            yield return ($"{model.Name}_serving", model.Serving);
            yield return ($"{model.Name}_auc_window", model.Auc);
            yield return ($"{model.Name}_examples", model.Examples);
            yield return ($"{model.Name}_promotions", model.Promotions);
            yield return ($"{model.Name}_rollbacks", model.Rollbacks);
            if (model.Head is not { } head) continue;
            yield return ($"{model.Name}_base_ndcg", head.BaseNdcg);
            yield return ($"{model.Name}_head_ndcg", head.HeadNdcg);
            yield return ($"{model.Name}_head_lists", head.Lists);
            yield return ($"{model.Name}_head_served", head.IsServed);
        }
        foreach (var figure in OfDeep(deep)) yield return figure;
        if (status.Deep.Count == 0) yield break;
        yield return ("skew_user_index", status.VersionSkew.UserIndex);
        yield return ("skew_recall_ranker", status.VersionSkew.RecallRanker);
        yield return ("skew_ranker_embeddings", status.VersionSkew.RankerEmbeddings);
        yield return ("skew_of_lists", status.VersionSkew.Lists);
    }

    /// <summary>Of a process that learns and nothing else.</summary>
    public static IEnumerable<(string Name, object? Value)> OfWorkers(IReadOnlyList<WorkerStatus> workers, IReadOnlyList<PrequentialFigures> figures)
    {
        foreach (var worker in workers)
        {
            yield return ($"{worker.Name}_steps", worker.Steps);
            yield return ($"{worker.Name}_promoted", worker.Promoted);
            yield return ($"{worker.Name}_examples", worker.Examples);
            yield return ($"{worker.Name}_promotions", worker.Promotions);
            yield return ($"{worker.Name}_rollbacks", worker.Rollbacks);
            yield return ($"{worker.Name}_reenacted", worker.Reenacted);
        }
        foreach (var figure in OfDeep(figures)) yield return figure;
        yield return ("peak_rss_mb", Machine.PeakRssMb());
    }

    /// <summary>Prequential figures by model; NaN where a model's scores are no probabilities.</summary>
    private static IEnumerable<(string Name, object? Value)> OfDeep(IReadOnlyList<PrequentialFigures> models)
    {
        // Further goals of a model of several tasks stand behind it, as MODEL_GOAL.
        foreach (var (name, figures) in models.SelectMany(m => m.Goals.Select(g => ($"{m.Name}_{g.Name}", g)).Prepend((m.Name, m))))
        {
            yield return ($"{name}_auc", figures.Auc);
            yield return ($"{name}_gauc", figures.Gauc);
            yield return ($"{name}_logloss", figures.LogLoss);
            yield return ($"{name}_ne", figures.NormalisedEntropy);
            yield return ($"{name}_calibration", figures.Calibration);
        }
    }

    private static string Key(string model) => model.Replace(" + ", "_", StringComparison.Ordinal).Replace(' ', '_');
}
