using System.Globalization;
using System.Text.Json;
using Streaming.Core.Experiments;

namespace Streaming.Experiments.Splitting;

/// <summary>Makes the next version of the experiments from the one in force and what is wanted. Pure: the same input gives the same version.</summary>
public static class ExperimentPlanner
{
    public const int DomainBuckets = BucketTable.BucketsMax;

    /// <param name="current">In force.</param>
    /// <param name="wanted">Sound (<see cref="ExperimentRules"/>).</param>
    /// <param name="who">Author of the change.</param>
    /// <param name="why">In their words; may be empty.</param>
    /// <param name="nowMs">When, Unix ms.</param>
    public static ExperimentsVersion Next(ExperimentsVersion current, ExperimentDefinitions wanted, string who, string why, long nowMs)
    {
        var layers = new Dictionary<string, BucketTable>();
        foreach (var layer in wanted.Layers)
        {
            var owners = OwnersOf(wanted, layer);
            // A layer's salt decides who is in which bucket: with another one nobody's place is kept anyway.
            if (owners.Count > 0) layers[layer.Name] = BucketAllocator.Allocate(current.Layers.GetValueOrDefault(layer.Name), layer.Buckets, owners);
        }
        var domains = wanted.Domains.Select(d => (d.Name, Whole(d.Share, DomainBuckets))).ToList();
        return new ExperimentsVersion
        {
            Version = current.Version + 1, ChangedMs = nowMs, ChangedBy = who, Why = why, Changes = Describe(current.Definitions, wanted),
            Definitions = wanted, Layers = layers, Domains = domains.Count == 0 ? null : BucketAllocator.Allocate(current.Domains, DomainBuckets, domains),
        };
    }

    /// <summary>What changed, one sentence each; empty where nothing did.</summary>
    public static IReadOnlyList<string> Describe(ExperimentDefinitions before, ExperimentDefinitions after)
    {
        var changes = new List<string>();
        if (before.Salt != after.Salt) changes.Add("the domains' salt was changed: users are reshuffled between domains");
        if (!before.Testers.SequenceEqual(after.Testers)) changes.Add($"testers: {(after.Testers.Count == 0 ? "none" : string.Join(", ", after.Testers))}");
        var (was, now) = (before.Rollbacks ?? [], after.Rollbacks ?? []);
        changes.AddRange(was.Except(now).Where(r => now.All(n => ModelOf(n) != ModelOf(r))).Select(r => $"model {ModelOf(r)}: the newest version again"));
        changes.AddRange(now.Except(was).Select(r => $"model {ModelOf(r)}: rolled back to {r}"));
        Weights(changes, before.Weights ?? [], after.Weights ?? []);
        Compare(changes, "domain", before.Domains, after.Domains, d => d.Name, (_, _) => []);
        Compare(changes, "holdout", before.Holdouts, after.Holdouts, h => h.Name, (_, _) => []);
        Compare(changes, "layer", before.Layers, after.Layers, l => l.Name, (_, _) => []);
        Compare(changes, "experiment", before.Experiments, after.Experiments, e => e.Name, Experiment);
        return changes;
    }

    /// <summary>
    /// Owners of a layer's buckets: arms of experiments that run, started yet or not. A stopped arm's part stays nobody's. Shares are
    /// rounded down, so that experiments which fill a layer to the last bucket never want more than there are.
    /// </summary>
    private static List<(string Owner, int Count)> OwnersOf(ExperimentDefinitions definitions, LayerDefinition layer)
    {
        var owners = new List<(string, int)>();
        foreach (var experiment in definitions.Experiments)
        {
            if (experiment.Layer != layer.Name || experiment.State != ExperimentState.Running) continue;
            var counts = Apportionment.Webster([.. experiment.Arms.Select(a => a.Weight)], Whole(experiment.Share, layer.Buckets));
            for (var i = 0; i < counts.Length; i++)
                if (!experiment.Arms[i].Stopped && counts[i] > 0) owners.Add((ExperimentsVersion.Owner(experiment.Name, experiment.Arms[i].Name), counts[i]));
        }
        return owners;
    }

    /// <summary>Rounded down; the small term undoes what binary fractions lose: 0.29 of 1,000 is 290.</summary>
    private static int Whole(double share, int buckets) => (int)Math.Floor(share * buckets + 1e-6);

    private static void Compare<T>(
        List<string> changes, string kind, IReadOnlyList<T> before, IReadOnlyList<T> after, Func<T, string> name, Func<T, T, IEnumerable<string>> details)
    {
        var old = before.ToDictionary(name);
        foreach (var item in after)
        {
            if (!old.Remove(name(item), out var was)) changes.Add($"{kind} {name(item)}: added");
            else if (Text(was) != Text(item)) changes.Add($"{kind} {name(item)}: {(string.Join(", ", details(was, item)) is { Length: > 0 } how ? how : "changed")}");
        }
        foreach (var gone in old.Keys) changes.Add($"{kind} {gone}: removed");
    }

    private static void Weights(List<string> changes, Dictionary<string, string> before, Dictionary<string, string> after)
    {
        const string settings = "as in the settings";
        foreach (var path in before.Keys.Union(after.Keys).Order(StringComparer.Ordinal))
            if (before.GetValueOrDefault(path, settings) is var was && after.GetValueOrDefault(path, settings) is var now && was != now) changes.Add($"weight {path}: {was} -> {now}");
    }

    private static IEnumerable<string> Experiment(ExperimentDefinition was, ExperimentDefinition now)
    {
        if (was.State != now.State) yield return $"{State(was.State)} -> {State(now.State)}";
        if (was.Share != now.Share) yield return string.Create(CultureInfo.InvariantCulture, $"share {was.Share} -> {now.Share}");
        foreach (var arm in now.Arms)
        {
            if (was.Find(arm.Name) is not { } old) yield return $"arm {arm.Name} added";
            else
            {
                if (old.Weight != arm.Weight) yield return string.Create(CultureInfo.InvariantCulture, $"weight of {arm.Name} {old.Weight} -> {arm.Weight}");
                if (old.Stopped != arm.Stopped) yield return $"arm {arm.Name} {(arm.Stopped ? "stopped" : "back")}";
                if (Text(old with { Weight = arm.Weight, Stopped = arm.Stopped }) != Text(arm)) yield return $"arm {arm.Name} changed";
            }
        }
        foreach (var arm in was.Arms)
            if (now.Find(arm.Name) is null) yield return $"arm {arm.Name} removed";
        if (was.Promoted != now.Promoted) yield return now.Promoted is null ? "promotion taken back" : $"promoted {now.Promoted}";
        var same = now with { State = was.State, Share = was.Share, Arms = was.Arms, Promoted = was.Promoted, Bandit = Counters(was.Bandit, now.Bandit) };
        if (Text(same) != Text(was)) yield return "description, times, target or forced users changed";
    }

    /// <summary>The bandit's own book-keeping is no change of what was asked for.</summary>
    private static BanditDefinition? Counters(BanditDefinition? was, BanditDefinition? now) =>
        was is null || now is null ? now : now with { Updates = was.Updates, UpdatedMs = was.UpdatedMs };

    private static string ModelOf(string rollback) => ModelPin.TryParse(rollback, out var pin) ? pin.Model : rollback;

    private static string State(ExperimentState state) => state.ToString().ToLowerInvariant();

    private static string Text<T>(T item) => JsonSerializer.Serialize(item, ExperimentsJson.Options);
}
