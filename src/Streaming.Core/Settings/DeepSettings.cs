using Streaming.Core.Feeds;

namespace Streaming.Core.Settings;

/// <summary>
/// Deep models: learned by workers in mini-batches from the <c>examples</c> topic, published on <c>models</c> once a canary has passed
/// them, served by replicas.
/// </summary>
public sealed record DeepSettings
{
    /// <summary>Every model that <see cref="Models"/> may name.</summary>
    public static readonly IReadOnlyList<string> Known =
    [
        "din", "two_tower", "drn", "prm", "lr", "fm", "ffm", "fwfm", "ipnn", "opnn", "wide_deep", "deepfm", "nfm", "afm", "autoint", "dcn_v2", "mean_pooling",
        "din_softmax", "dien", "shared_bottom", "esmm", "mmoe", "ple", "gmf", "ncf_mlp", "neumf", .. FeedChannels.Retrieval.Skip(1),
    ];

    /// <summary>What <see cref="UsersSettings.ExampleHistoryMax"/> becomes where it is 0 and deep models are on.</summary>
    public const int ExampleHistoryDefault = 20;

    /// <summary>Models to learn and serve; empty switches deep models off.</summary>
    public IReadOnlyList<string> Models { get; init; } = [];

    /// <summary>Items of a list that the model "prm" orders anew at most, its base ranker's best.</summary>
    public int PrmItemsMax { get; init; } = 50;

    /// <summary>After the attribution window, how long the model "prm" waits for a list's last examples, ms of event time.</summary>
    public int PrmCloseSlackMs { get; init; } = 5_000;

    /// <summary>Of the model "drn".</summary>
    public DrnSettings Drn { get; init; } = new();

    /// <summary>
    /// Real features of the live path that rankers read beside ids and side information (<see cref="FeatureNames.Real"/>), as captured when the item was
    /// shown; empty for those of <c>Learning:Features</c>, "none" for none. They shape the model: another list starts it anew.
    /// </summary>
    public IReadOnlyList<string> DenseFeatures { get; init; } = [];

    /// <summary>Where they are computed: "auto" (CUDA where there is a device), "cpu" or "cuda".</summary>
    public string Device { get; init; } = "auto";

    /// <summary>Examples of a mini-batch at most.</summary>
    public int BatchSizeMax { get; init; } = 256;

    /// <summary>How long a mini-batch that is not full waits for more, ms.</summary>
    public int BatchWaitMs { get; init; } = 200;

    /// <summary>Time between two versions at least, ms: rows that changed since the last one make a version.</summary>
    public int PublishIntervalMs { get; init; } = 1_000;

    /// <summary>Time between two versions with the dense weights at least, ms; in between, versions are of rows alone.</summary>
    public int DenseIntervalMs { get; init; } = 1_000;

    /// <summary>Time between full snapshots, from which new replicas start, ms.</summary>
    public int SnapshotIntervalMs { get; init; } = 300_000;

    /// <summary>Time between checkpoints of a worker, ms; also between the states that it goes back to.</summary>
    public int CheckpointIntervalMs { get; init; } = 30_000;

    /// <summary>Examples on which a version is scored against the one that serves before replicas take it; 0 publishes unseen.</summary>
    public int CanaryExamples { get; init; } = 256;

    /// <summary>How much larger log-loss may grow over the versions, as a share of the serving one's, beyond what is noise.</summary>
    public double CanaryLossTolerance { get; init; } = 0.05;

    /// <summary>How much further its calibration may be from 1, in natural logarithms.</summary>
    public double CanaryCalibrationTolerance { get; init; } = 0.5;

    /// <summary>How much smaller the AUC of a model may be whose scores are no probabilities.</summary>
    public double CanaryAucTolerance { get; init; } = 0.1;

    /// <summary>Copies that a node serves a model from; lists of different shards are then built at once.</summary>
    public int Replicas { get; init; } = 1;

    /// <summary>Time that a round spends on taking over new versions, ms, at least one version.</summary>
    public int ApplyMsMax { get; init; } = 5;

    /// <summary>Versions read ahead of the rounds by one replica, MB.</summary>
    public int ReplicaQueueMbMax { get; init; } = 256;

    /// <summary>
    /// By how much the newest examples in two models that make one list may differ in event time before the pair counts as mismatched, ms
    /// (Streaming.Node's SkewWatch).
    /// </summary>
    public int SkewMsMax { get; init; } = 60_000;

    /// <summary>Last verdicts of the canary shown in the node's status.</summary>
    public int LedgerShownMax { get; init; } = 20;

    /// <summary>The dense features by name, in the order in which models read them.</summary>
    /// <param name="declared"><c>Learning:Features</c>: only those are captured.</param>
    public IReadOnlyList<string> DenseOf(IReadOnlyList<string> declared)
    {
        if (DenseFeatures is ["none"]) return [];
        var captured = declared.Count > 0 ? declared : FeatureNames.Default;
        return DenseFeatures.Count > 0 ? DenseFeatures : [.. FeatureNames.Real.Where(captured.Contains)];
    }

    public void Validate(SettingsProblems problems)
    {
        for (var i = 0; i < DenseFeatures.Count && DenseFeatures is not ["none"]; i++)
        {
            if (!FeatureNames.Real.Contains(DenseFeatures[i]))
                problems.Add($"Deep:DenseFeatures:{i}", $"is '{DenseFeatures[i]}'; allowed are {string.Join(", ", FeatureNames.Real)}, or 'none' alone");
            else if (DenseFeatures.Take(i).Contains(DenseFeatures[i])) problems.Add($"Deep:DenseFeatures:{i}", $"names '{DenseFeatures[i]}' a second time");
        }
        for (var i = 0; i < Models.Count; i++)
        {
            if (!Known.Contains(Models[i])) problems.Add($"Deep:Models:{i}", $"is '{Models[i]}'; allowed are {string.Join(", ", Known)}");
            else if (Models.Take(i).Contains(Models[i])) problems.Add($"Deep:Models:{i}", $"names '{Models[i]}' a second time");
        }
        if (Device is not ("auto" or "cpu" or "cuda")) problems.Add("Deep:Device", $"is '{Device}'; allowed are 'auto', 'cpu' and 'cuda'");
        problems.InRange("Deep:PrmItemsMax", PrmItemsMax, 2, 500);
        problems.InRange("Deep:PrmCloseSlackMs", PrmCloseSlackMs, 0, 86_400_000);
        problems.InRange("Deep:BatchSizeMax", BatchSizeMax, 1, 65_536);
        problems.InRange("Deep:BatchWaitMs", BatchWaitMs, 0, 60_000);
        problems.InRange("Deep:PublishIntervalMs", PublishIntervalMs, 0, 3_600_000);
        problems.InRange("Deep:DenseIntervalMs", DenseIntervalMs, 0, 86_400_000);
        problems.InRange("Deep:SnapshotIntervalMs", SnapshotIntervalMs, 1_000, 86_400_000);
        problems.InRange("Deep:CheckpointIntervalMs", CheckpointIntervalMs, 100, 86_400_000);
        problems.InRange("Deep:CanaryExamples", CanaryExamples, 0, 1_000_000);
        problems.InRange("Deep:CanaryLossTolerance", CanaryLossTolerance, 0, 100);
        problems.InRange("Deep:CanaryCalibrationTolerance", CanaryCalibrationTolerance, 0, 100);
        problems.InRange("Deep:CanaryAucTolerance", CanaryAucTolerance, 0, 1);
        problems.InRange("Deep:Replicas", Replicas, 1, 64);
        problems.InRange("Deep:ApplyMsMax", ApplyMsMax, 1, 10_000);
        problems.InRange("Deep:ReplicaQueueMbMax", ReplicaQueueMbMax, 1, 65_536);
        problems.InRange("Deep:SkewMsMax", SkewMsMax, 0, 86_400_000);
        problems.InRange("Deep:LedgerShownMax", LedgerShownMax, 0, 1000);
        Drn.Validate(problems, "Deep:Drn");
        if (Drn.Exploration == DrnExploration.EpsilonGreedy) problems.Add("Deep:Drn:Exploration", "is EpsilonGreedy; the node serves DuelingBandit and None");
    }
}
