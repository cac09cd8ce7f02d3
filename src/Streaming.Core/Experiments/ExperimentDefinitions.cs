using System.Text.Json.Serialization;

namespace Streaming.Core.Experiments;

/// <summary>
/// What is tested on whom, in the terms of Tang et al. 2010 ("Overlapping Experiment Infrastructure"): a domain is a share of the
/// users; a layer is a set of settings that its experiments may change, and splits the users of its domain by a hash of its own; an
/// experiment takes buckets of its layer and divides them among its arms. A user is in one domain, in at most one experiment of each of
/// its layers, and in one arm of each. This is what people write; <see cref="ExperimentsVersion"/> is what the log holds.
/// </summary>
public sealed record ExperimentDefinitions
{
    public const int DomainsMax = 16;
    public const int HoldoutsMax = 4;
    public const int LayersMax = 64;

    /// <summary>Layers that one user may be split by: those of one domain.</summary>
    public const int LayersPerDomainMax = 8;

    public const int ExperimentsMax = 500;
    public const int ArmsMax = 20;

    /// <summary>Salt of the domains' hash; changing it reshuffles users between domains.</summary>
    public string Salt { get; init; } = "domains";

    /// <summary>Users who may ask for any arm by name at a look-up (<c>?arm=experiment:arm</c>, <c>?arm=learned</c>); what they do counts in no result.</summary>
    public IReadOnlyList<string> Testers { get; init; } = [];

    /// <summary>Shares of users set apart; everybody else is in the domain "" (no name).</summary>
    public IReadOnlyList<DomainDefinition> Domains { get; init; } = [];

    public IReadOnlyList<HoldoutDefinition> Holdouts { get; init; } = [];
    public IReadOnlyList<LayerDefinition> Layers { get; init; } = [];
    public IReadOnlyList<ExperimentDefinition> Experiments { get; init; } = [];

    /// <summary>
    /// Versions of deep models, "din@1200" (<see cref="ModelPin"/>), that stand in for the model's newest wherever an arm names it; null for none.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<string>? Rollbacks { get; init; }

    /// <summary>Weights that stand in for the settings' own, for everybody, by path to value (<see cref="Settings.RuntimeWeights"/>); null for none.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public Dictionary<string, string>? Weights { get; init; }

    /// <summary>The same with a weight changed, or, where the value is null, as the settings have it again.</summary>
    public ExperimentDefinitions Weighted(string path, string? value)
    {
        var weights = new Dictionary<string, string>(Weights ?? [], StringComparer.Ordinal);
        if (value is null) weights.Remove(path);
        else weights[path] = value;
        return this with { Weights = weights.Count > 0 ? weights : null };
    }

    /// <summary>The same with a model rolled back to a version, or, where that is null, served as it is learned again.</summary>
    public ExperimentDefinitions RolledBack(string model, long? version)
    {
        List<string> others = [.. (Rollbacks ?? []).Where(r => !ModelPin.TryParse(r, out var pin) || pin.Model != model)];
        if (version is { } to) others.Add(new ModelPin(model, to).ToString());
        return this with { Rollbacks = others.Count > 0 ? others : null };
    }

    /// <summary>Null where there is none of that name.</summary>
    public ExperimentDefinition? Find(string experiment) => Experiments.FirstOrDefault(e => e.Name == experiment);

    /// <summary>The same with one experiment replaced, in its place, or added.</summary>
    public ExperimentDefinitions With(ExperimentDefinition experiment) => this with
    {
        Experiments = Find(experiment.Name) is null
            ? [.. Experiments, experiment]
            : [.. Experiments.Select(e => e.Name == experiment.Name ? experiment : e)],
    };
}

/// <summary>A share of the users, in whose layers nobody else is.</summary>
public sealed record DomainDefinition
{
    public required string Name { get; init; }

    /// <summary>Of all users, in (0, 1].</summary>
    public double Share { get; init; }
}

/// <summary>Users who are kept out of experiments across layers: what a quarter's launches are worth together shows against them.</summary>
public sealed record HoldoutDefinition
{
    public required string Name { get; init; }

    /// <summary>Of all users, in (0, 1). Raising it keeps those who are held.</summary>
    public double Share { get; init; }

    /// <summary>The layers it holds them out of; empty for all.</summary>
    public IReadOnlyList<string> Layers { get; init; } = [];
}

/// <summary>Experiments that exclude one another, over a hash of their own.</summary>
public sealed record LayerDefinition
{
    public const int BucketsDefault = 1_000;

    public required string Name { get; init; }

    /// <summary>A domain's name; empty for everybody who is in no named domain.</summary>
    public string Domain { get; init; } = "";

    /// <summary>Salt of its hash; empty stands for <c>layer:NAME</c>. Changing it reshuffles users.</summary>
    public string Salt { get; init; } = "";

    /// <summary>1,000 or 10,000; fixed while experiments of the layer run.</summary>
    public int Buckets { get; init; } = BucketsDefault;

    /// <summary>The salt in force.</summary>
    public string SaltOrDefault => Salt.Length > 0 ? Salt : $"layer:{Name}";
}

/// <summary>How far an experiment is. Names are persisted.</summary>
public enum ExperimentState
{
    /// <summary>Written down: holds no buckets; only forced users see its arms.</summary>
    Draft,
    /// <summary>Holds buckets; shows between <see cref="ExperimentDefinition.Starts"/> and <see cref="ExperimentDefinition.Ends"/>.</summary>
    Running,
    /// <summary>Ended: its users have the default again. Testers may still look at its arms.</summary>
    Stopped,
    /// <summary>Ended for cause: nobody sees its arms, testers included.</summary>
    Killed,
}

/// <summary>One experiment.</summary>
public sealed record ExperimentDefinition
{
    public required string Name { get; init; }
    public required string Layer { get; init; }

    /// <summary>What is supposed and why; shown in reports.</summary>
    public string Description { get; init; } = "";

    public ExperimentState State { get; init; } = ExperimentState.Draft;

    /// <summary>Share of its layer's buckets that it takes while running, over all arms: the ramp, in [0, 1].</summary>
    public double Share { get; init; }

    /// <summary>Before this, its users have the default; null for at once.</summary>
    public DateTimeOffset? Starts { get; init; }

    /// <summary>From this on, its users have the default; null for until it is stopped.</summary>
    public DateTimeOffset? Ends { get; init; }

    public TargetDefinition Target { get; init; } = new();

    /// <summary>
    /// Whether the live ranker learns each arm from that arm's own users, in an overlay on the shared weights, while the experiment shows. Each arm then
    /// has the less data, the control too, so that the comparison stays fair.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool Isolated { get; init; }

    /// <summary>The arm whose overlay has been folded into the shared weights, or is to be now; empty for none.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Promoted { get; init; }

    /// <summary>What sets the arms' weights; null for whoever wrote them down.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public BanditDefinition? Bandit { get; init; }

    /// <summary>At least one; the first is what the others are compared with.</summary>
    public IReadOnlyList<ArmDefinition> Arms { get; init; } = [];

    /// <summary>Users who are in a given arm whatever their bucket, also in a draft: QA. User to arm.</summary>
    public Dictionary<string, string> Forced { get; init; } = [];

    /// <summary>What it is judged by; null for the defaults: the click rate, without guard-rails.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public AnalysisDefinition? Analysis { get; init; }

    /// <summary>Whether its arms are shown at this time to those who hold its buckets.</summary>
    public bool IsActive(long nowMs) => State == ExperimentState.Running
        && (Starts is null || Starts.Value.ToUnixTimeMilliseconds() <= nowMs) && (Ends is null || nowMs < Ends.Value.ToUnixTimeMilliseconds());

    public ArmDefinition? Find(string arm) => Arms.FirstOrDefault(a => a.Name == arm);
}

/// <summary>Who takes part of those who hold the buckets; empty for everybody.</summary>
public sealed record TargetDefinition
{
    /// <summary>Attributes of the user's profile (<c>PUT /v1/users/{user}</c>): each named one must have one of the values.</summary>
    public Dictionary<string, IReadOnlyList<string>> Attributes { get; init; } = [];

    /// <summary>The list's surface must be one of these; the default surface is "".</summary>
    public IReadOnlyList<string> Surfaces { get; init; } = [];
}

/// <summary>How a bandit weighs arms. Names are persisted.</summary>
public enum BanditKind
{
    /// <summary>By the probability that an arm is the best one.</summary>
    Thompson,
    /// <summary>All to the arm with the best rate but for epsilon, which is shared evenly.</summary>
    EpsilonGreedy,
}

/// <summary>Weights that change by themselves, at an interval, by the arms' click rates. Users keep their arm as far as the new weights let them.</summary>
public sealed record BanditDefinition
{
    public BanditKind Kind { get; init; }

    /// <summary>Share of the experiment's users that every arm keeps, in [0, 1 / arms): what a change of the best arm, and later estimates, live on.</summary>
    public double Floor { get; init; } = 0.05;

    /// <summary>Of <see cref="BanditKind.EpsilonGreedy"/>: the share that goes to all arms evenly.</summary>
    public double Epsilon { get; init; } = 0.1;

    /// <summary>Time between two updates, minutes.</summary>
    public int EveryMinutes { get; init; } = 60;

    /// <summary>Of the draws.</summary>
    public long Seed { get; init; } = 1;

    /// <summary>Updates so far; kept by the bandit.</summary>
    public long Updates { get; init; }

    /// <summary>When the last one was, Unix ms; kept by the bandit.</summary>
    public long UpdatedMs { get; init; }
}

/// <summary>How two rankings become one list. Names are persisted.</summary>
public enum InterleavingMethod
{
    /// <summary>In turn, a coin deciding who is first in each pair of slots (Radlinski, Kurup and Joachims 2008).</summary>
    TeamDraft,
    /// <summary>A coin in each slot for the ranking, then a draw by a power of the rank (Hofmann, Whiteson and de Rijke 2011).</summary>
    Probabilistic,
}

/// <summary>One way of making lists.</summary>
public sealed record ArmDefinition
{
    public required string Name { get; init; }

    /// <summary>Of the experiment's buckets it gets weight / sum of weights; 0 for none. Bandits change it.</summary>
    public double Weight { get; init; } = 1;

    /// <summary>A stopped arm's buckets go back to the default, not to the other arms: what a guard-rail does.</summary>
    public bool Stopped { get; init; }

    /// <summary>
    /// What makes the list, before <see cref="Settings"/>: "learned" (the live ranker), "holdout" (popular only), or a model of
    /// <c>Deep:Models</c>, or a version of one that ranks, "din@1200" (<see cref="ModelPin"/>); empty for what the user has by default.
    /// </summary>
    public string Policy { get; init; } = "";

    /// <summary>A model of <c>Deep:Models</c>, or a version of one, whose ranking is interleaved with the arm's own, slot by slot, every slot knowing whose it is; null for none.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Interleave { get; init; }

    /// <summary>How the two rankings are interleaved.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public InterleavingMethod InterleaveBy { get; init; }

    /// <summary>Tunable settings (<see cref="Core.Settings.TunableAttribute"/>) by path, "Feeds:MmrLambda" or "Feeds:Quotas:popular", to values.</summary>
    public Dictionary<string, string> Settings { get; init; } = [];
}
