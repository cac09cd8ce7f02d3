using Streaming.Core.Events;

namespace Streaming.Core.Settings;

/// <summary>All settings. Bound from appsettings.json, environment and flags; an unknown or bad key stops the start.</summary>
public sealed record StreamingSettings
{
    public NodeSettings Node { get; init; } = new();
    public LogSettings Log { get; init; } = new();
    public KafkaSettings Kafka { get; init; } = new();
    public StorageSettings Storage { get; init; } = new();
    public UsersSettings Users { get; init; } = new();
    public LearningSettings Learning { get; init; } = new();
    public DeepSettings Deep { get; init; } = new();
    public FeedsSettings Feeds { get; init; } = new();
    public ExperimentsSettings Experiments { get; init; } = new();
    public ServingSettings Serving { get; init; } = new();
    public SecuritySettings Security { get; init; } = new();
    public TracingSettings Tracing { get; init; } = new();

    /// <summary>The settings with what follows from others filled in: deep models read sequences, so examples carry them.</summary>
    public StreamingSettings Resolved() => Deep.Models.Count == 0 || Users.ExampleHistoryMax > 0
        ? this
        : this with { Users = Users with { ExampleHistoryMax = DeepSettings.ExampleHistoryDefault } };

    /// <summary>Everything that is wrong, as "Section:Key: what"; empty when the settings are sound.</summary>
    public IReadOnlyList<string> Validate()
    {
        var problems = new SettingsProblems();
        Node.Validate(problems);
        Log.Validate(problems);
        Kafka.Validate(problems);
        Storage.Validate(problems);
        Users.Validate(problems);
        Learning.Validate(problems);
        Deep.Validate(problems);
        if (Deep.Models.Contains("drn") && Users.NegativeSampleRate < 1)
            problems.Add("Users:NegativeSampleRate", "must be 1 with the model 'drn': it learns from lists, which need every slot");
        if (Deep.Models.Contains("prm") && Users.NegativeSampleRate < 1)
            problems.Add("Users:NegativeSampleRate", "must be 1 with the model 'prm': it learns from lists, which need every slot");
        Feeds.Validate(problems);
        foreach (var goal in Feeds.GoalWeights.Keys.Where(g => g != Goals.Positive && !Users.Goals.Contains(g)))
            problems.Add($"Feeds:GoalWeights:{goal}", $"is no goal; there are {string.Join(", ", Users.Goals.Prepend(Goals.Positive))} (Users:Goals)");
        Experiments.Validate(problems);
        foreach (var arm in Experiments.ArmShares.Keys.Where(arm => !Deep.Models.Contains(arm) && !FeedsSettings.Diversities.Contains(arm)))
            problems.Add($"Experiments:ArmShares:{arm}", $"names no model of Deep:Models ({(Deep.Models.Count == 0 ? "none is on" : string.Join(", ", Deep.Models))}) and no value of Feeds:Diversity");
        Serving.Validate(problems);
        Tracing.Validate(problems);
        Security.Validate(problems);
        var captured = Learning.Features.Count > 0 ? Learning.Features : FeatureNames.Default;
        foreach (var name in Deep.DenseFeatures.Where(n => FeatureNames.Real.Contains(n) && !captured.Contains(n)))
            problems.Add("Deep:DenseFeatures", $"names '{name}', which Learning:Features does not: what is not declared there is not captured");
        if (Kafka.IsShared && Log.Kind == "embedded") problems.Add("Kafka:Ownership", "is 'group', and the embedded log can be open in one process only: give --kafka HOST:PORT");
        if (!Kafka.IsShared && Node.Actors == "akka") problems.Add("Node:Actors", "is 'akka', which is for nodes that share the users: give Kafka:Ownership 'group', or leave the shards to threads");
        if (!Kafka.IsShared && NodeRoles.Problem(Node.Roles) is { } problem) problems.Add("Node:Roles", problem);
        if (Node.IsTrainerAlone && Log.Kind == "embedded")
            problems.Add("Node:Roles", "is 'trainer' alone, and the embedded log can be open in one process only, the node's: give both --kafka HOST:PORT, or leave the trainer in the node");
        if (Node.IsTrainerAlone && Deep.Models.Count == 0)
            problems.Add("Node:Roles", $"is 'trainer' alone, and Deep:Models names no model to learn; there are {string.Join(", ", DeepSettings.Known)}");
        return problems.List;
    }
}
