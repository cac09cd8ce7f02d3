using System.Diagnostics.CodeAnalysis;
using Streaming.Core.Experiments;
using Streaming.Core.Ids;
using Streaming.Core.Settings;

namespace Streaming.Experiments.Splitting;

/// <summary>
/// Assigns every user to arms by salted hashes: the same user gets the same arms on every node and after every restart, without a
/// look-up. Without experiments there is the default layer of the settings alone (<see cref="SplitSnapshot"/> says how each is split).
/// One thread applies versions and moves time on; any thread asks.
/// </summary>
public sealed class TrafficSplitter(ExperimentsSettings settings)
{
    /// <summary>The arm of everything learned.</summary>
    public const string Learned = "learned";

    /// <summary>The popular-only hold-out: what the feed would be worth without learning.</summary>
    public const string Holdout = "holdout";

    /// <summary>Buckets of the default layer and of hold-outs.</summary>
    public const int Buckets = 10_000;

    private const int BeforeMax = 4;

    private readonly DefaultLayer _default = new(settings);
    private volatile SplitSnapshot[] _before = [];
    private volatile SplitSnapshot _now = new(settings, ExperimentsVersion.None, 0);

    /// <summary>What is in force.</summary>
    public SplitSnapshot Now => _now;

    /// <summary>The user's bucket in the default layer, in [0, <see cref="Buckets"/>).</summary>
    public int BucketOf(string user) => _default.BucketOf(StableHash.Of(user));

    /// <summary>On the default surface, of a user without attributes.</summary>
    public string ArmOf(string user) => _now.ArmOf(user, "", default);

    /// <inheritdoc cref="SplitSnapshot.ArmOf"/>
    public string ArmOf(string user, string surface, ReadOnlySpan<ulong> traits) => _now.ArmOf(user, surface, traits);

    /// <summary>What was in force before, newest first; a few.</summary>
    public IReadOnlyList<SplitSnapshot> Before => _before;

    /// <summary>Takes a version over.</summary>
    public void Apply(ExperimentsVersion version, long nowMs)
    {
        var next = new SplitSnapshot(settings, version, nowMs);
        _before = [_now, .. _before.Take(BeforeMax - 1)];
        _now = next;
    }

    /// <summary>Lets experiments begin and end whose time has come; true when one did. In a replay time starts over, before the clock of the opening.</summary>
    public bool MoveTo(long nowMs)
    {
        if (nowMs >= _now.FromMs && nowMs < _now.UntilMs) return false;
        Apply(_now.Version, nowMs);
        return true;
    }

    /// <summary>
    /// The arm of a look-up that names arms of its own, "experiment:arm" or several with commas: for testers
    /// (<see cref="ExperimentDefinitions.Testers"/>) and for users that the experiment's definition forces somewhere.
    /// </summary>
    /// <param name="problem">Why not, where false.</param>
    public bool TryForce(string user, string surface, ReadOnlySpan<ulong> traits, string wanted, [NotNullWhen(true)] out string? arm, [NotNullWhen(false)] out string? problem)
    {
        arm = null;
        var now = _now;
        var definitions = now.Version.Definitions;
        // What the definition forces stays, but where the look-up says otherwise.
        var forced = now.ForcedOf(user).ToList();
        foreach (var part in wanted.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            var split = part.IndexOf(':');
            if (split < 0 || definitions.Find(part[..split]) is not { } experiment || experiment.Find(part[(split + 1)..]) is not { } of)
            {
                problem = $"'{part}' names no arm; an arm is named experiment:arm";
                return false;
            }
            if (!definitions.Testers.Contains(user) && !experiment.Forced.ContainsKey(user))
            {
                problem = $"user '{user}' is neither one of the testers nor forced in experiment '{experiment.Name}'";
                return false;
            }
            if (experiment.State == ExperimentState.Killed)
            {
                problem = $"experiment '{experiment.Name}' is killed: nobody sees its arms";
                return false;
            }
            forced.RemoveAll(f => f.Layer == experiment.Layer);
            forced.Add((experiment.Layer, experiment.Name, of.Name));
        }
        problem = null;
        arm = now.Explain(user, surface, traits, forced).Key;
        return true;
    }
}
