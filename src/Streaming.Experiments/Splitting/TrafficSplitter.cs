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

    /// <summary>Arms that a refusal names at most.</summary>
    private const int NamedMax = 30;

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
    /// The arm of a look-up that names arms of its own: one of the default layer ("learned"), "experiment:arm", or several with commas, each in
    /// the place of what its layer would give. For testers (<see cref="ExperimentDefinitions.Testers"/>, or everybody by
    /// <see cref="ExperimentsSettings.EverybodyTests"/>), and for users that an experiment's definition forces somewhere, in that experiment.
    /// </summary>
    /// <param name="refusal">Why not, where false.</param>
    public bool TryForce(string user, string surface, ReadOnlySpan<ulong> traits, string wanted, [NotNullWhen(true)] out string? arm, [NotNullWhen(false)] out ArmRefusal? refusal)
    {
        arm = null;
        var now = _now;
        var definitions = now.Version.Definitions;
        var tests = Tests(user, definitions);
        string? baseArm = null;
        // What the definition forces stays, but where the look-up says otherwise.
        var forced = now.ForcedOf(user).ToList();
        foreach (var part in wanted.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            var split = part.IndexOf(':');
            var experiment = split < 0 ? null : definitions.Find(part[..split]);
            // Before whether there is such an arm: what there is, is for those to know who may ask.
            if (!tests && experiment?.Forced.ContainsKey(user) != true)
            {
                refusal = new ArmRefusal(true, $"user '{user}' is neither one of the testers nor forced in {(experiment is null ? "an experiment of this name" : $"experiment '{experiment.Name}'")}");
                return false;
            }
            if (split < 0 && _default.Names.Contains(part))
            {
                baseArm = part;
                continue;
            }
            if (experiment?.Find(part[(split + 1)..]) is not { } of)
            {
                refusal = new ArmRefusal(false, $"'{part}' names no arm; there are {string.Join(", ", ChoicesOf(user, now).Take(NamedMax))}");
                return false;
            }
            if (experiment.State == ExperimentState.Killed)
            {
                refusal = new ArmRefusal(true, $"experiment '{experiment.Name}' is killed: nobody sees its arms");
                return false;
            }
            forced.RemoveAll(f => f.Layer == experiment.Layer);
            forced.Add((experiment.Layer, experiment.Name, of.Name));
        }
        refusal = null;
        arm = now.Explain(user, surface, traits, forced, baseArm).Key;
        return true;
    }

    /// <summary>What <see cref="TryForce"/> takes of this user, the default layer's arms first; empty for who is no tester and forced nowhere.</summary>
    public IReadOnlyList<string> ChoicesOf(string user) => ChoicesOf(user, _now);

    private List<string> ChoicesOf(string user, SplitSnapshot now)
    {
        var definitions = now.Version.Definitions;
        var tests = Tests(user, definitions);
        return
        [
            .. tests ? _default.Names : [],
            .. from experiment in definitions.Experiments
               where experiment.State != ExperimentState.Killed && (tests || experiment.Forced.ContainsKey(user))
               from arm in experiment.Arms
               select ExperimentsVersion.Owner(experiment.Name, arm.Name),
        ];
    }

    private bool Tests(string user, ExperimentDefinitions definitions) => settings.EverybodyTests || definitions.Testers.Contains(user);
}

/// <summary>Why a look-up may not have the arm that it asks for.</summary>
/// <param name="IsKnown">Whether there is such an arm, as far as this user is told.</param>
/// <param name="Reason">For whoever asks.</param>
public sealed record ArmRefusal(bool IsKnown, string Reason);
