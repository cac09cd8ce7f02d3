using Streaming.Core.Experiments;
using Streaming.Core.Settings;
using Streaming.Feeds;
using Streaming.Feeds.Building;
using Streaming.Learning.Interleaving;

namespace Streaming.Node.Splitting;

/// <summary>
/// What the combination of a user's arms makes of lists: the policy of their base, or the one that an arm names, with the settings of all
/// arms on it, and below those the weights that were changed for everybody. Layers share no setting, so the order does not matter.
/// </summary>
/// <param name="settings">The node's.</param>
/// <param name="policies">By name: what arms may build on.</param>
/// <param name="pins">Makes the policies of versions of models, of those that arms name; null where there are none.</param>
internal sealed class ArmPolicies(StreamingSettings settings, IReadOnlyList<ArmPolicy> policies, Func<IReadOnlyCollection<ModelPin>, IReadOnlyList<ArmPolicy>>? pins = null)
    : IArmPolicies
{
    private IReadOnlyList<ArmPolicy> _pinned = [];
    private Dictionary<string, string> _rollbacks = [];

    /// <summary>Settings that stand in for the node's own, by path; the hold-out's lists, which nothing is weighed for, keep to the latter.</summary>
    private IReadOnlyDictionary<string, string> _weights = new Dictionary<string, string>();
    private HashSet<string> _replaced = [];
    private volatile ExperimentsVersion _version = ExperimentsVersion.None;

    public long Generation => _version.Version;

    /// <summary>Names that <see cref="ArmDefinition.Policy"/> may have.</summary>
    public IReadOnlyList<string> Names { get; } = [.. policies.Select(p => p.Name)];

    /// <summary>Takes a version over; no list may be built meanwhile.</summary>
    public void Apply(ExperimentsVersion version)
    {
        ModelPin[] rollbacks = [.. (version.Definitions.Rollbacks ?? []).Select(r => ModelPin.TryParse(r, out var pin) ? pin : default).Where(p => p.Version > 0).DistinctBy(p => p.Model)];
        _rollbacks = rollbacks.ToDictionary(p => p.Model, p => p.ToString());
        var named = version.Definitions.Experiments.Where(e => e.State != ExperimentState.Killed).SelectMany(e => e.Arms).SelectMany(a => (string?[])[a.Policy, a.Interleave]);
        _pinned = pins?.Invoke([.. rollbacks.Concat(named.Select(n => n is not null && ModelPin.TryParse(n, out var pin) ? pin : default).Where(p => p.Version > 0)).Distinct()]) ?? [];
        _weights = RuntimeWeights.FeedsOf(settings, version.Definitions.Weights);
        _replaced = [.. _rollbacks.Keys, .. _weights.Count == 0 ? [] : policies.Where(p => p.Ranks).Select(p => p.Name)];
        _version = version;
    }

    public bool Replaces(string arm) => _replaced.Count > 0 && _replaced.Contains(arm);

    /// <summary>A model's name stands for the version that it is rolled back to, where there is one and its copy could be made.</summary>
    private ArmPolicy? Find(string? name)
    {
        if (name is not null && _rollbacks.TryGetValue(name, out var version) && _pinned.FirstOrDefault(p => p.Name == version) is { } rolledBack) return rolledBack;
        return policies.FirstOrDefault(p => p.Name == name) ?? _pinned.FirstOrDefault(p => p.Name == name);
    }

    public ArmPolicy? Of(string arm)
    {
        var definitions = _version.Definitions;
        var parts = ArmKey.PartsOf(arm);
        var name = parts[0].Arm;
        var values = new Dictionary<string, string>(StringComparer.Ordinal);
        ArmDefinition? interleaved = null;
        foreach (var (experiment, of) in parts.Skip(1))
        {
            if (of == ArmKey.Held && definitions.Holdouts.Any(h => h.Name == experiment)) continue;
            if (definitions.Find(experiment) is not { State: not ExperimentState.Killed } found || found.Find(of) is not { } definition) return null;
            if (definition.Policy.Length > 0) name = definition.Policy;
            if (definition.Interleave is not null) interleaved = definition;
            foreach (var (key, value) in definition.Settings) values[key] = value;
        }
        // A model that definitions name may since have been taken out of the settings.
        var policy = Find(name) ?? Find(parts[0].Arm);
        return policy is null ? null : With(policy with { Interleaving = Interleaving(policy, interleaved) }, arm, values);
    }

    /// <summary>Null also where the opponent has no ranker of its own here, or is the arm's own ranker: then there is nothing to interleave.</summary>
    private InterleavingPolicy? Interleaving(ArmPolicy policy, ArmDefinition? arm)
    {
        if (arm is null || Find(arm.Interleave)?.Ranker is not { } opponent || opponent == policy.Ranker) return policy.Interleaving;
        return new InterleavingPolicy(opponent, arm.InterleaveBy == InterleavingMethod.TeamDraft ? () => new TeamDraft() : () => new ProbabilisticInterleave());
    }

    private ArmPolicy With(ArmPolicy policy, string arm, Dictionary<string, string> values)
    {
        var weights = policy.Ranks ? _weights : new Dictionary<string, string>();
        if (values.Count == 0 && weights.Count == 0) return policy with { Name = arm };
        var problems = new SettingsProblems();
        var all = new Dictionary<string, string>(weights, StringComparer.Ordinal);
        // What the base itself sets stays, unless the arm sets that too.
        if (policy.Overrides.Contains(nameof(FeedsSettings.Diversity))) all[$"{nameof(StreamingSettings.Feeds)}:{nameof(FeedsSettings.Diversity)}"] = policy.Settings!.Diversity;
        foreach (var (key, value) in values) all[key] = value;
        var feeds = Tunables.Apply(settings, all, arm, problems).Feeds;
        // Definitions are checked when they are made. Settings may have changed under them since: then the default is better than no list.
        if (problems.List.Count > 0) return policy with { Name = arm };
        const string section = nameof(StreamingSettings.Feeds) + ":";
        const string quota = nameof(FeedsSettings.Quotas) + ":";
        var own = values.Keys.Where(k => k.StartsWith(section, StringComparison.Ordinal)).Select(k => k[section.Length..]).ToHashSet(StringComparer.Ordinal);
        var quotas = policy.Quotas?.ToDictionary();
        if (quotas is not null)
        {
            // A policy that has quotas of its own leaves out the channels that it does not name, unless its arm is about them.
            foreach (var channel in weights.Keys.Where(k => k.StartsWith(section + quota, StringComparison.Ordinal)).Select(k => k[(section + quota).Length..]).Where(quotas.ContainsKey))
                quotas[channel] = feeds.Quotas[channel];
            foreach (var key in own.Where(k => k.StartsWith(quota, StringComparison.Ordinal))) quotas[key[quota.Length..]] = feeds.Quotas[key[quota.Length..]];
        }
        return policy with { Name = arm, Settings = feeds, Overrides = own, Quotas = quotas };
    }
}
