using Streaming.Core.Experiments;
using Streaming.Core.Ids;
using Streaming.Core.Settings;

namespace Streaming.Experiments.Splitting;

/// <summary>
/// Assignment under one version of the experiments, between two moments at which one starts or ends. Immutable but for the names of
/// combinations, which are made when first met; any thread may ask. <see cref="ArmOf"/> allocates nothing once a combination is named.
/// <para>
/// A user's bucket in a layer is StableHash.Combine(StableHash.Of(salt), StableHash.Of(user)) mod buckets; in the default layer the salt
/// is <c>Experiments:Salt</c> and buckets below 10,000 x HoldoutShare are the popular-only hold-out, those from the top down belong to
/// the arms of <c>Experiments:ArmShares</c> in the order of their names, and the rest is "learned". The hold-out takes part in nothing
/// else. In a hold-out of experiments (salt <c>holdout:NAME</c>) are the buckets below 10,000 x share.
/// </para>
/// </summary>
public sealed class SplitSnapshot
{
    private readonly DefaultLayer _default;
    private readonly (ulong Salt, int Buckets, string Name)[] _holdouts;
    private readonly ulong _domainSalt;
    private readonly byte[]? _domainOf;
    private readonly Domain[] _domains;
    private readonly Dictionary<string, List<(string Layer, string Experiment, string Arm)>> _forced = new(StringComparer.Ordinal);

    private sealed record Layer(string Name, ulong Salt, byte[] Buckets, Owner[] Owners, int Stride, uint Bit);

    /// <summary>An arm that has buckets; entry 0 of a layer stands for nobody.</summary>
    private sealed record Owner(string Experiment, string Arm, ulong[][] Traits, string[] Surfaces);

    /// <param name="Layers">In ordinal order of their names.</param>
    /// <param name="Held">By hold-out, the layers that it keeps users out of.</param>
    /// <param name="Names">By combination: base, hold-outs and layers as digits of one number.</param>
    private sealed record Domain(Layer[] Layers, uint[] Held, string?[] Names);

    /// <param name="settings">The default layer.</param>
    /// <param name="version">In force.</param>
    /// <param name="nowMs">Which experiments show: those active now.</param>
    public SplitSnapshot(ExperimentsSettings settings, ExperimentsVersion version, long nowMs)
    {
        Version = version;
        _default = new DefaultLayer(settings);
        var definitions = version.Definitions;
        var layers = definitions.Layers.OrderBy(l => l.Name, StringComparer.Ordinal).ToList();
        var holdouts = definitions.Holdouts.OrderBy(h => h.Name, StringComparer.Ordinal).ToList();
        _holdouts = [.. holdouts.Select(h => (StableHash.Of($"holdout:{h.Name}"), (int)Math.Round(h.Share * DefaultLayer.Buckets), h.Name))];
        _domainSalt = StableHash.Of(definitions.Salt);
        _domainOf = version.Domains?.Buckets;
        _domains = [.. (version.Domains?.Owners ?? []).Prepend("").Select(name => DomainOf(name, layers, holdouts, nowMs))];
        FromMs = Times(definitions).Where(t => t <= nowMs).DefaultIfEmpty(long.MinValue).Max();
        SinceMs = Math.Max(FromMs, version.ChangedMs);
        UntilMs = Times(definitions).Where(t => t > nowMs).DefaultIfEmpty(long.MaxValue).Min();
        foreach (var experiment in definitions.Experiments.Where(e => e.State is ExperimentState.Draft or ExperimentState.Running))
            foreach (var (user, arm) in experiment.Forced) Force(user, (experiment.Layer, experiment.Name, arm));
    }

    public ExperimentsVersion Version { get; }

    /// <summary>When it came to this, Unix ms: by a change, or by an experiment's start or end.</summary>
    public long SinceMs { get; }

    /// <summary>When an experiment started or ended last, Unix ms; <see cref="long.MinValue"/> for never.</summary>
    public long FromMs { get; }

    /// <summary>When an experiment starts or ends next, Unix ms; <see cref="long.MaxValue"/> for never. Then another snapshot is due.</summary>
    public long UntilMs { get; }

    /// <summary>Whether somebody's arm depends on attributes of their profile: only then does anybody have to know them.</summary>
    public bool NeedsTraits { get; private set; }

    /// <summary>Names of combinations made so far.</summary>
    public int Named => _domains.Sum(d => d.Names.Count(n => n is not null));

    /// <summary>The user's canonical arm (<see cref="ArmKey"/>).</summary>
    /// <param name="user">Any string.</param>
    /// <param name="surface">Where the list is shown.</param>
    /// <param name="traits">Keys of their attributes (<see cref="TraitKey"/>); empty where <see cref="NeedsTraits"/> is false.</param>
    public string ArmOf(string user, string surface, ReadOnlySpan<ulong> traits)
    {
        var hash = StableHash.Of(user);
        var baseArm = _default.ArmAt(hash);
        if (baseArm == DefaultLayer.HoldoutArm) return _default.Names[baseArm];
        if (_forced.Count > 0 && _forced.TryGetValue(user, out var forced)) return Explain(user, surface, traits, forced).Key;
        var domain = _domains[_domainOf is null ? 0 : _domainOf[Bucket(_domainSalt, hash, _domainOf.Length)]];
        var combination = HeldOut(hash, domain, out var held) * _default.Names.Length + baseArm;
        foreach (var layer in domain.Layers)
        {
            if ((held & layer.Bit) != 0) continue;
            var owner = layer.Buckets[Bucket(layer.Salt, hash, layer.Buckets.Length)];
            if (owner != 0 && Matches(layer.Owners[owner], surface, traits)) combination += owner * layer.Stride;
        }
        return domain.Names[combination] ?? Name(domain, combination);
    }

    /// <summary>
    /// The same in detail, with the buckets, and with arms put in place of what their layers would give: <paramref name="baseArm"/> in that of
    /// the default layer, where it is one of its own. Allocates.
    /// </summary>
    public Assignment Explain(
        string user, string surface, ReadOnlySpan<ulong> traits, IReadOnlyList<(string Layer, string Experiment, string Arm)>? forced = null, string? baseArm = null)
    {
        var hash = StableHash.Of(user);
        var at = _domainOf is null ? 0 : _domainOf[Bucket(_domainSalt, hash, _domainOf.Length)];
        var baseAt = baseArm is null ? _default.ArmAt(hash) : Array.IndexOf(_default.Names, baseArm);
        HeldOut(hash, _domains[at], out var held);
        var holdouts = _holdouts.Where(h => Bucket(h.Salt, hash, DefaultLayer.Buckets) < h.Buckets).Select(h => h.Name).ToList();
        var layers = new List<LayerAssignment>();
        var isHoldout = baseAt == DefaultLayer.HoldoutArm;
        foreach (var layer in _domains[at].Layers)
        {
            var bucket = Bucket(layer.Salt, hash, layer.Buckets.Length);
            var owner = layer.Owners[layer.Buckets[bucket]];
            var taken = !isHoldout && (held & layer.Bit) == 0 && owner.Arm.Length > 0 && Matches(owner, surface, traits);
            layers.Add(new LayerAssignment(layer.Name, bucket, taken ? owner.Experiment : null, taken ? owner.Arm : null, false));
        }
        foreach (var (layer, experiment, arm) in forced ?? [])
        {
            layers.RemoveAll(l => l.Layer == layer);
            layers.Add(new LayerAssignment(layer, -1, experiment, arm, true));
        }
        var parts = layers.Where(l => l.Experiment is not null).Select(l => (l.Experiment!, l.Arm!)).Concat(isHoldout ? [] : holdouts.Select(h => (h, ArmKey.Held)));
        return new Assignment(
            ArmKey.Format(_default.Names[baseAt], parts), _default.Names[baseAt], at == 0 ? "" : Version.Domains!.Owners[at - 1], holdouts, layers);
    }

    /// <summary>Arms that a definition gives this user whatever their bucket; empty for none.</summary>
    public IReadOnlyList<(string Layer, string Experiment, string Arm)> ForcedOf(string user) => _forced.GetValueOrDefault(user) ?? [];

    internal static int Bucket(ulong salt, ulong user, int buckets)
    {
        var hash = StableHash.Combine(salt, user);
        // By a constant the remainder is two multiplications; by a variable it is a division, the dearest part of an assignment.
        return (int)(buckets switch { 1_000 => hash % 1_000, 10_000 => hash % 10_000, _ => hash % (uint)buckets });
    }

    /// <summary>Which hold-outs a user is in, as bits; and which layers of the domain those keep them out of.</summary>
    private int HeldOut(ulong hash, Domain domain, out uint layers)
    {
        var bits = 0;
        layers = 0;
        for (var i = 0; i < _holdouts.Length; i++)
        {
            if (Bucket(_holdouts[i].Salt, hash, DefaultLayer.Buckets) >= _holdouts[i].Buckets) continue;
            bits |= 1 << i;
            layers |= domain.Held[i];
        }
        return bits;
    }

    private static bool Matches(Owner owner, string surface, ReadOnlySpan<ulong> traits)
    {
        if (owner.Surfaces.Length > 0 && Array.IndexOf(owner.Surfaces, surface) < 0) return false;
        foreach (var anyOf in owner.Traits)
            if (!traits.ContainsAny(anyOf)) return false;
        return true;
    }

    private string Name(Domain domain, int combination)
    {
        var left = combination;
        var baseArm = left % _default.Names.Length;
        left /= _default.Names.Length;
        var parts = new List<(string, string)>();
        foreach (var holdout in _holdouts)
        {
            if ((left & 1) != 0) parts.Add((holdout.Name, ArmKey.Held));
            left >>= 1;
        }
        foreach (var layer in domain.Layers)
        {
            var owner = layer.Owners[left % layer.Owners.Length];
            if (owner.Arm.Length > 0) parts.Add((owner.Experiment, owner.Arm));
            left /= layer.Owners.Length;
        }
        return domain.Names[combination] = ArmKey.Format(_default.Names[baseArm], parts);
    }

    private Domain DomainOf(string name, List<LayerDefinition> layers, List<HoldoutDefinition> holdouts, long nowMs)
    {
        var stride = _default.Names.Length << _holdouts.Length;
        var own = new List<Layer>();
        foreach (var layer in layers.Where(l => l.Domain == name))
        {
            if (!Version.Layers.TryGetValue(layer.Name, out var table)) continue;
            var owners = table.Owners.Select(OwnerOf).Prepend(new Owner("", "", [], [])).ToArray();
            var buckets = (byte[])table.Buckets.Clone();
            for (var b = 0; b < buckets.Length; b++)
                if (buckets[b] != 0 && Version.Definitions.Find(owners[buckets[b]].Experiment)?.IsActive(nowMs) != true) buckets[b] = 0;
            own.Add(new Layer(layer.Name, StableHash.Of(layer.SaltOrDefault), buckets, owners, stride, 1u << own.Count));
            stride *= owners.Length;
        }
        var held = holdouts.Select(h => own.Where(l => h.Layers.Count == 0 || h.Layers.Contains(l.Name)).Aggregate(0u, (bits, l) => bits | l.Bit));
        return new Domain([.. own], [.. held], new string?[stride]);
    }

    private Owner OwnerOf(string owner)
    {
        var split = owner.IndexOf(':');
        var (experiment, arm) = (owner[..split], owner[(split + 1)..]);
        var target = Version.Definitions.Find(experiment)?.Target ?? new TargetDefinition();
        NeedsTraits |= target.Attributes.Count > 0;
        return new Owner(experiment, arm, [.. target.Attributes.Select(a => a.Value.Select(v => TraitKey.Of(a.Key, v)).ToArray())], [.. target.Surfaces]);
    }

    private static IEnumerable<long> Times(ExperimentDefinitions definitions) =>
        from experiment in definitions.Experiments
        where experiment.State == ExperimentState.Running
        from time in new[] { experiment.Starts, experiment.Ends }
        where time is not null
        select time.Value.ToUnixTimeMilliseconds();

    private void Force(string user, (string Layer, string Experiment, string Arm) arm)
    {
        if (!_forced.TryGetValue(user, out var arms)) _forced[user] = arms = [];
        arms.Add(arm);
    }
}

/// <summary>What a user is assigned to.</summary>
/// <param name="Key">The canonical arm.</param>
/// <param name="Base">Of the default layer.</param>
/// <param name="Domain">Empty for everybody's.</param>
/// <param name="Holdouts">Those that hold the user.</param>
/// <param name="Layers">Of the user's domain, where something runs or is forced.</param>
public sealed record Assignment(string Key, string Base, string Domain, IReadOnlyList<string> Holdouts, IReadOnlyList<LayerAssignment> Layers);

/// <param name="Bucket">-1 where forced.</param>
/// <param name="Experiment">Null where the user takes part in none.</param>
/// <param name="IsForced">By the definition or by a tester's look-up.</param>
public sealed record LayerAssignment(string Layer, int Bucket, string? Experiment, string? Arm, bool IsForced);
