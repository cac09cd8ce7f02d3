using Streaming.Core.Events;
using Streaming.Core.Feeds;
using Streaming.Core.Settings;

namespace Streaming.Core.Experiments;

/// <summary>What definitions must keep to. Every problem is named by its path, all of them at once.</summary>
public static class ExperimentRules
{
    /// <summary>Different combinations of arms that users of one domain may have; beyond, definitions are refused.</summary>
    public const int CombinationsMax = 1 << 16;

    /// <param name="definitions">As written.</param>
    /// <param name="settings">Validated; arms are tried on them.</param>
    /// <param name="policies">Names that <see cref="ArmDefinition.Policy"/> may have.</param>
    /// <returns>Empty when sound.</returns>
    public static IReadOnlyList<string> Check(ExperimentDefinitions definitions, StreamingSettings settings, IReadOnlyCollection<string> policies)
    {
        var problems = new SettingsProblems();
        Count(problems, "domains", definitions.Domains.Count, ExperimentDefinitions.DomainsMax);
        Count(problems, "holdouts", definitions.Holdouts.Count, ExperimentDefinitions.HoldoutsMax);
        Count(problems, "layers", definitions.Layers.Count, ExperimentDefinitions.LayersMax);
        Count(problems, "experiments", definitions.Experiments.Count, ExperimentDefinitions.ExperimentsMax);
        problems.NotEmpty("salt", definitions.Salt);
        Names(problems, "domains", definitions.Domains.Select(d => d.Name));
        Names(problems, "layers", definitions.Layers.Select(l => l.Name));
        // Both stand in keys as experiments, so they share one space of names with the default layer.
        Names(problems, "experiments", definitions.Experiments.Select(e => e.Name).Concat(definitions.Holdouts.Select(h => h.Name)).Prepend(ArmKey.DefaultExperiment), 1);
        CheckDomains(problems, definitions);
        CheckHoldouts(problems, definitions);
        foreach (var layer in definitions.Layers) CheckLayer(problems, definitions, layer);
        foreach (var experiment in definitions.Experiments) CheckExperiment(problems, definitions, experiment, settings, policies);
        CheckSettingsStayInOneLayer(problems, definitions);
        CheckIsolated(problems, definitions, settings);
        CheckRollbacks(problems, definitions, settings);
        Count(problems, "weights", definitions.Weights?.Count ?? 0, ChangedWeights.Max);
        RuntimeWeights.Apply(settings, definitions.Weights, "weights", problems);
        if (problems.List.Count == 0) CheckCombinations(problems, definitions, settings);
        return problems.List;
    }

    private static void CheckDomains(SettingsProblems problems, ExperimentDefinitions definitions)
    {
        foreach (var domain in definitions.Domains) problems.InRange($"domains:{domain.Name}:share", domain.Share, 0.0001, 1);
        var sum = definitions.Domains.Sum(d => d.Share);
        if (sum > 1 + 1e-9) problems.Add("domains", $"come to {sum:0.####} of the users; together they may be 1 at most");
    }

    private static void CheckHoldouts(SettingsProblems problems, ExperimentDefinitions definitions)
    {
        foreach (var holdout in definitions.Holdouts)
        {
            problems.InRange($"holdouts:{holdout.Name}:share", holdout.Share, 0.0001, 0.99);
            foreach (var layer in holdout.Layers)
                if (definitions.Layers.All(l => l.Name != layer)) problems.Add($"holdouts:{holdout.Name}:layers", $"there is no layer '{layer}'");
        }
    }

    private static void CheckLayer(SettingsProblems problems, ExperimentDefinitions definitions, LayerDefinition layer)
    {
        var path = $"layers:{layer.Name}";
        if (layer.Buckets is not (1_000 or 10_000)) problems.Add($"{path}:buckets", $"is {layer.Buckets}; allowed are 1000 and 10000");
        if (layer.Domain.Length > 0 && definitions.Domains.All(d => d.Name != layer.Domain)) problems.Add($"{path}:domain", $"there is no domain '{layer.Domain}'");
        var inDomain = definitions.Layers.Count(l => l.Domain == layer.Domain);
        if (inDomain > ExperimentDefinitions.LayersPerDomainMax)
            problems.Add($"{path}:domain", $"has {inDomain} layers; {ExperimentDefinitions.LayersPerDomainMax} at most");
        if (definitions.Layers.Any(l => l != layer && l.Domain == layer.Domain && l.SaltOrDefault == layer.SaltOrDefault))
            problems.Add($"{path}:salt", "is another layer's too; their experiments would not be independent of each other");
        var running = definitions.Experiments.Where(e => e.Layer == layer.Name && e.State == ExperimentState.Running).ToList();
        var sum = running.Sum(e => e.Share);
        if (sum > 1 + 1e-9)
            problems.Add(path, $"its running experiments ({string.Join(", ", running.Select(e => $"{e.Name} {e.Share:0.####}"))}) would overlap: they want {sum:0.####} of its buckets");
        if (running.Sum(e => e.Arms.Count) > BucketTable.OwnersMax) problems.Add(path, $"its running experiments have more than {BucketTable.OwnersMax} arms");
    }

    private static void CheckExperiment(
        SettingsProblems problems, ExperimentDefinitions definitions, ExperimentDefinition experiment, StreamingSettings settings, IReadOnlyCollection<string> policies)
    {
        var path = $"experiments:{experiment.Name}";
        if (definitions.Layers.All(l => l.Name != experiment.Layer)) problems.Add($"{path}:layer", $"there is no layer '{experiment.Layer}'");
        problems.InRange($"{path}:share", experiment.Share, 0, 1);
        if (experiment.Starts >= experiment.Ends) problems.Add($"{path}:ends", "is not after starts");
        if (experiment.Arms.Count == 0) problems.Add($"{path}:arms", "has none");
        Count(problems, $"{path}:arms", experiment.Arms.Count, ExperimentDefinitions.ArmsMax);
        Names(problems, $"{path}:arms", experiment.Arms.Select(a => a.Name));
        foreach (var arm in experiment.Arms)
        {
            var armPath = $"{path}:arms:{arm.Name}";
            problems.InRange($"{armPath}:weight", arm.Weight, 0, 1e6);
            if (arm.Policy.Length > 0 && !policies.Contains(arm.Policy) && !IsPin(arm.Policy, settings))
                problems.Add($"{armPath}:policy", $"is '{arm.Policy}'; there are {string.Join(", ", policies)}, and versions of models of Deep:Models that rank ('din@1200')");
            if (arm.Interleave is { } opponent && (opponent == arm.Policy || !(Ranks(opponent, settings) || IsPin(opponent, settings))))
                problems.Add($"{armPath}:interleave", $"is '{opponent}'; it must name another model of Deep:Models that ranks, or a version of one");
            Tunables.Apply(settings, arm.Settings, $"{armPath}:settings", problems);
        }
        if (experiment.State == ExperimentState.Running && experiment.Arms.All(a => a.Weight == 0)) problems.Add($"{path}:arms", "none has a weight, so nobody could be in any");
        if (experiment.Promoted is { } promoted && experiment.Find(promoted) is null) problems.Add($"{path}:promoted", $"there is no arm '{promoted}'");
        if (experiment.Promoted is not null && !experiment.Isolated) problems.Add($"{path}:promoted", "only isolated arms have weights of their own");
        CheckBandit(problems, path, experiment);
        experiment.Analysis?.Validate(problems, $"{path}:analysis");
        foreach (var (user, arm) in experiment.Forced)
        {
            if (user.Length is 0 or > EventLimits.IdCharsMax) problems.Add($"{path}:forced", $"a user's id has 1 to {EventLimits.IdCharsMax} characters");
            if (experiment.Find(arm) is null) problems.Add($"{path}:forced:{user}", $"there is no arm '{arm}'");
        }
    }

    private static void CheckRollbacks(SettingsProblems problems, ExperimentDefinitions definitions, StreamingSettings settings)
    {
        var models = new HashSet<string>(StringComparer.Ordinal);
        foreach (var rollback in definitions.Rollbacks ?? [])
        {
            if (!IsPin(rollback, settings)) problems.Add("rollbacks", $"'{rollback}' is no version of a model of Deep:Models that ranks, as 'din@1200'");
            else if (ModelPin.TryParse(rollback, out var pin) && !models.Add(pin.Model)) problems.Add("rollbacks", $"name two versions of '{pin.Model}'");
        }
    }

    private static bool Ranks(string model, StreamingSettings settings) => FeedChannels.Ranks(model) && settings.Deep.Models.Contains(model);

    private static bool IsPin(string policy, StreamingSettings settings) => ModelPin.TryParse(policy, out var pin) && Ranks(pin.Model, settings);

    /// <summary>
    /// A setting (or the policy) belongs to one layer of a domain: were it changed in two, one user could be given both values, and
    /// neither experiment would show what its arm says.
    /// </summary>
    private static void CheckSettingsStayInOneLayer(SettingsProblems problems, ExperimentDefinitions definitions)
    {
        var used = from experiment in definitions.Experiments
                   where experiment.State is ExperimentState.Draft or ExperimentState.Running
                   let domain = definitions.Layers.FirstOrDefault(l => l.Name == experiment.Layer)?.Domain
                   where domain is not null
                   from arm in experiment.Arms
                   from key in arm.Policy.Length > 0 || arm.Interleave is not null ? arm.Settings.Keys.Append("policy") : arm.Settings.Keys
                   select (domain, key, experiment.Layer);
        foreach (var uses in used.Distinct().GroupBy(u => (u.domain, u.key)).Where(g => g.Count() > 1))
            problems.Add("layers", $"{uses.Key.key} is changed in {string.Join(" and ", uses.Select(u => u.Layer))}; of one domain only one layer may change it");
    }

    /// <summary>A user learns in one overlay: of one domain only one layer may have isolated experiments. And only the live ranker has overlays.</summary>
    private static void CheckIsolated(SettingsProblems problems, ExperimentDefinitions definitions, StreamingSettings settings)
    {
        var isolated = definitions.Experiments.Where(e => e.Isolated && e.State is ExperimentState.Draft or ExperimentState.Running).ToList();
        foreach (var experiment in isolated)
            foreach (var arm in experiment.Arms.Where(a => a.Policy is not ("" or "learned")))
                problems.Add($"experiments:{experiment.Name}:arms:{arm.Name}:policy", $"is '{arm.Policy}'; only the live ranker can learn in isolation");
        foreach (var domain in isolated.GroupBy(e => definitions.Layers.FirstOrDefault(l => l.Name == e.Layer)?.Domain ?? ""))
            if (domain.Select(e => e.Layer).Distinct().Count() > 1)
                problems.Add("layers", $"{string.Join(" and ", domain.Select(e => e.Name))} are isolated; of one domain only one layer may have isolated experiments");
        var overlays = isolated.Where(e => e.State == ExperimentState.Running).Sum(e => e.Arms.Count);
        if (overlays > settings.Experiments.OverlaysMax)
            problems.Add("experiments", $"have {overlays} isolated arms running; Experiments:OverlaysMax allows {settings.Experiments.OverlaysMax}");
    }

    private static void CheckBandit(SettingsProblems problems, string path, ExperimentDefinition experiment)
    {
        if (experiment.Bandit is not { } bandit) return;
        if (experiment.Arms.Count > 0 && !(bandit.Floor >= 0 && bandit.Floor * experiment.Arms.Count < 1))
            problems.Add($"{path}:bandit:floor", $"is {bandit.Floor}; {experiment.Arms.Count} arms allow 0 to under {1.0 / experiment.Arms.Count:0.###}");
        problems.InRange($"{path}:bandit:epsilon", bandit.Epsilon, 0, 1);
        problems.InRange($"{path}:bandit:every_minutes", bandit.EveryMinutes, 1, 60 * 24 * 7);
    }

    private static void CheckCombinations(SettingsProblems problems, ExperimentDefinitions definitions, StreamingSettings settings)
    {
        foreach (var domain in definitions.Domains.Select(d => d.Name).Append(""))
        {
            var combinations = (2.0 + settings.Experiments.ArmShares.Count) * Math.Pow(2, definitions.Holdouts.Count);
            foreach (var layer in definitions.Layers.Where(l => l.Domain == domain))
                combinations *= 1 + definitions.Experiments.Where(e => e.Layer == layer.Name && e.State == ExperimentState.Running).Sum(e => e.Arms.Count);
            if (combinations > CombinationsMax)
                problems.Add("experiments", $"of domain '{domain}' make {combinations:0} combinations of arms; {CombinationsMax} at most: stop some");
        }
    }

    private static void Count(SettingsProblems problems, string path, int count, int max)
    {
        if (count > max) problems.Add(path, $"there are {count}; {max} at most");
    }

    /// <param name="reserved">How many of the first names are not the caller's own.</param>
    private static void Names(SettingsProblems problems, string path, IEnumerable<string> names, int reserved = 0)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var name in names)
        {
            if (!seen.Add(name)) problems.Add($"{path}:{name}", seen.Count <= reserved || name == ArmKey.DefaultExperiment ? "this name is reserved" : "this name is there twice");
            else if (!ArmKey.IsName(name))
                problems.Add($"{path}:{name}", $"a name has 1 to {ArmKey.NameCharsMax} of a-z, 0-9, '_' and '-' (no dot: request ids use it)");
        }
    }
}
