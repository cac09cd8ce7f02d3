using System.Collections.Concurrent;
using Streaming.Core.Examples;
using Streaming.Core.Ports;
using Streaming.Core.Settings;
using Streaming.Core.Wire;
using Streaming.Learning.Metrics;

namespace Streaming.Learning.Isolation;

/// <summary>Figures of one overlay.</summary>
/// <param name="Name">The isolated arm, or combination of arms.</param>
/// <param name="Examples">Learned.</param>
/// <param name="Entries">Coordinates kept.</param>
/// <param name="Refused">Gradients that found it full.</param>
/// <param name="Bytes">Of its own table.</param>
/// <param name="FrozenBytes">Copied of the weights it was made over; overlays made together share them.</param>
/// <param name="Own">Prequential figures of the overlay on its arm's examples.</param>
/// <param name="Shared">Of the shared weights on the same examples, which they do not learn.</param>
public sealed record OverlayFigures(
    string Name, long Examples, int Entries, long Refused, long Bytes, long FrozenBytes, PrequentialFigures Own, PrequentialFigures Shared);

/// <summary>The same, as far as it is cheap enough for every second.</summary>
/// <param name="Name">experiment:arm.</param>
/// <param name="Examples">Learned.</param>
/// <param name="Entries">Weights of its own.</param>
/// <param name="Refused">Gradients that found it full.</param>
/// <param name="Bytes">Of its table and of what is kept of the weights it was made over.</param>
/// <param name="AucWindow">Of its last predictions.</param>
/// <param name="AucWindowShared">Of the shared weights on the same examples.</param>
public sealed record OverlayStatus(string Name, long Examples, int Entries, long Refused, long Bytes, double AucWindow, double AucWindowShared);

/// <summary>How much of what an arm is ranked by was learned from other arms' traffic.</summary>
/// <param name="Arm">As examples name it.</param>
/// <param name="Overlay">What it is ranked by; null for the shared weights.</param>
/// <param name="Examples">Of this arm, learned there.</param>
/// <param name="Foreign">Share, in [0, 1], of the examples learned there that came from other arms.</param>
/// <param name="ForeignMass">The same by gradient mass: the sum of |weight (p - y)|.</param>
public sealed record ArmContamination(string Arm, string? Overlay, long Examples, double Foreign, double ForeignMass);

/// <summary>
/// The ranker's weights as several arms see them: isolated arms learn in overlays of their own (<see cref="FtrlOverlay"/>), everybody else in
/// the shared weights. Keeps count of whose traffic each has learned from: isolated or not, that is what contamination is measured by.
/// One writer; read from several threads while it is quiet.
/// </summary>
/// <remarks>
/// Item statistics and embeddings stay shared: they are what is known of items, inputs that every arm has alike, and a user's half of the
/// factorisation is in the user already, who has one arm.
/// </remarks>
public sealed class ArmOverlays : ICheckpointed
{
    private const byte FormatVersion = 1;

    /// <summary>Predictions with exact figures per overlay: there may be many.</summary>
    private const int ExactMax = 100_000;

    private const int ArmsRememberedMax = 4096;

    private readonly FtrlModel _model;
    private readonly LearningSettings _metrics;
    private readonly int _entriesMax;
    private readonly SortedDictionary<string, Overlay> _overlays = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, Overlay?> _byArm = new(StringComparer.Ordinal);
    private int _byArmCount;
    private ArmTally _shared = new();
    private IReadOnlyCollection<string>? _declared;
    private Func<string, string?> _overlayOf = arm => arm;

    /// <summary>What belongs to one overlay.</summary>
    private sealed record Overlay(string Name, FtrlOverlay Weights, ArmTally Tally, PrequentialMetrics Own, PrequentialMetrics Shared);

    /// <param name="model">The shared weights.</param>
    /// <param name="settings">Bounds.</param>
    public ArmOverlays(FtrlModel model, StreamingSettings settings)
    {
        (_model, _entriesMax) = (model, settings.Experiments.OverlayEntriesMax);
        _metrics = settings.Learning with
        {
            PrequentialExactMax = Math.Min(settings.Learning.PrequentialExactMax, ExactMax),
            PrequentialUserSampleMax = Math.Min(settings.Learning.PrequentialUserSampleMax, ExactMax),
        };
    }

    public string Name => "overlays";

    /// <summary>A checkpoint of a build without overlays has none.</summary>
    public bool IsOptional => true;

    /// <summary>Overlays that there are now, in order of their names.</summary>
    public IEnumerable<string> Names => _overlays.Keys;

    /// <summary>Says which overlays there are to be. New ones start from the shared weights as they are now; the others go, with what they learned.</summary>
    /// <param name="names">Of isolated arms or combinations.</param>
    /// <param name="overlayOf">The overlay of an arm as examples name it, or null; without it an arm has the overlay of its name.</param>
    public void Declare(IReadOnlyCollection<string> names, Func<string, string?>? overlayOf = null)
    {
        (_declared, _overlayOf) = (names, overlayOf ?? (arm => arm));
        Forget();
        foreach (var gone in _overlays.Keys.Except(names).ToList()) Remove(gone);
        foreach (var name in names.Where(n => !_overlays.ContainsKey(n)))
            _overlays[name] = New(name, new FtrlOverlay(_model, _model.Freeze(), _entriesMax), new ArmTally());
    }

    /// <summary>The overlay that an arm learns in and is ranked by; null for the shared weights.</summary>
    public FtrlOverlay? Of(string arm) => Find(arm)?.Weights;

    /// <summary>The weights of an overlay by its name; null where there is none, or none any more.</summary>
    public FtrlOverlay? Named(string name) => _overlays.GetValueOrDefault(name)?.Weights;

    /// <summary>Predicts an example with its arm's weights, scores that, and learns it there and nowhere else.</summary>
    public float PredictAndLearn(Example example)
    {
        var weight = Math.Abs(example.Weight);
        if (Find(example.Arm) is not { } overlay)
        {
            var shared = _model.PredictAndLearn(example.Features, example.Values, example.Label, weight);
            _shared.Add(example.Arm, weight * Math.Abs(shared - example.Label));
            return shared;
        }
        if (!example.IsCorrection)
        {
            var user = Core.Ids.StableHash.Of(example.User);
            var (positive, count) = (example.Label > 0.5f, 1f / example.SampleRate);
            overlay.Shared.Add(user, _model.Predict(example.Features, example.Values), positive, count);
            overlay.Own.Add(user, overlay.Weights.Predict(example.Features, example.Values), positive, count);
        }
        var p = overlay.Weights.PredictAndLearn(example.Features, example.Values, example.Label, weight);
        overlay.Tally.Add(example.Arm, weight * Math.Abs(p - example.Label));
        return p;
    }

    /// <summary>
    /// Folds an overlay into the shared weights, and ends it: wherever its arm has learned, its coordinates take the place of the shared ones,
    /// so that everybody is ranked by what won. Adding both up would be a model that nobody has tested. False where there is no such overlay.
    /// </summary>
    public bool Promote(string name)
    {
        if (!_overlays.TryGetValue(name, out var overlay)) return false;
        _model.Put(overlay.Weights.Entries);
        Remove(name);
        _declared = [.. (_declared ?? []).Where(n => n != name)];
        return true;
    }

    /// <summary>By overlay. Sorts what is stored: not for hot paths.</summary>
    public IReadOnlyList<OverlayFigures> Figures() =>
    [
        .. _overlays.Values.Select(o => new OverlayFigures(
            o.Name, o.Weights.Version, o.Weights.Count, o.Weights.Refused, o.Weights.Bytes, o.Weights.Frozen.Bytes, o.Own.Figures(), o.Shared.Figures())),
    ];

    /// <summary>By overlay, from windows alone.</summary>
    public IReadOnlyList<OverlayStatus> Status() =>
    [
        .. _overlays.Values.Select(o => new OverlayStatus(
            o.Name, o.Weights.Version, o.Weights.Count, o.Weights.Refused, o.Weights.Bytes + o.Weights.Frozen.Bytes, o.Own.Window().Auc, o.Shared.Window().Auc)),
    ];

    /// <summary>By arm, of all arms whose examples have been learned by what ranks them now.</summary>
    public IReadOnlyList<ArmContamination> Contamination()
    {
        var all = new List<ArmContamination>();
        foreach (var arm in _shared.Arms.Where(arm => Find(arm) is null)) all.Add(Line(arm, null, _shared));
        foreach (var overlay in _overlays.Values)
            foreach (var arm in overlay.Tally.Arms) all.Add(Line(arm, overlay.Name, overlay.Tally));
        return [.. all.OrderBy(c => c.Arm, StringComparer.Ordinal)];

        static ArmContamination Line(string arm, string? overlay, ArmTally tally)
        {
            var (examples, mass) = tally.Of(arm);
            return new ArmContamination(
                arm, overlay, examples, 1 - (double)examples / tally.Examples, tally.Mass > 0 ? Math.Max(0, 1 - mass / tally.Mass) : 0);
        }
    }

    public void Save(Stream into)
    {
        var writer = new CheckpointWriter(into, FormatVersion);
        _shared.Save(writer);
        var frozen = _overlays.Values.Select(o => o.Weights.Frozen).Distinct().OrderBy(f => f.MadeAt).ToList();
        writer.Int32(frozen.Count);
        foreach (var weights in frozen) weights.Save(writer);
        writer.Int32(_overlays.Count);
        foreach (var overlay in _overlays.Values)
        {
            writer.String(overlay.Name);
            writer.Int32(frozen.IndexOf(overlay.Weights.Frozen));
            overlay.Weights.Save(writer);
            overlay.Tally.Save(writer);
            overlay.Own.Save(writer);
            overlay.Shared.Save(writer);
        }
        writer.Finish();
    }

    /// <summary>What was saved, as far as it is declared; all of it where nothing has been declared yet.</summary>
    public void Load(Stream from)
    {
        var reader = new CheckpointReader(from, FormatVersion, "overlays");
        var shared = ArmTally.Read(reader);
        var frozen = new FrozenWeights[reader.Count(ExperimentsSettings.OverlaysMaxMax)];
        for (var i = 0; i < frozen.Length; i++) frozen[i] = FrozenWeights.Read(_model, reader);
        var overlays = new List<Overlay>();
        for (var left = reader.Count(ExperimentsSettings.OverlaysMaxMax); left > 0; left--)
        {
            var name = reader.String(1 << 16);
            var weights = FtrlOverlay.Read(_model, frozen[reader.Count(frozen.Length - 1)], _entriesMax, reader);
            var made = New(name, weights, ArmTally.Read(reader));
            overlays.Add(made with { Own = made.Own.Read(reader), Shared = made.Shared.Read(reader) });
        }
        reader.Finish();
        foreach (var name in _overlays.Keys.ToList()) Remove(name);
        _shared = shared;
        foreach (var overlay in overlays) _overlays[overlay.Name] = overlay;
        foreach (var weights in overlays.Select(o => o.Weights.Frozen).Distinct()) _model.Attach(weights);
        if (_declared is { } declared) Declare(declared, _overlayOf);
        else Forget();
    }

    private Overlay New(string name, FtrlOverlay weights, ArmTally tally) =>
        new(name, weights, tally, new PrequentialMetrics(name, _metrics), new PrequentialMetrics(name + ": shared", _metrics));

    private Overlay? Find(string arm)
    {
        if (_overlays.Count == 0) return null;
        if (_byArm.TryGetValue(arm, out var known)) return known;
        var found = _overlayOf(arm) is { } name ? _overlays.GetValueOrDefault(name) : null;
        // Arms come from input; what does not fit is looked up each time. Shards may race past the bound by one each.
        if (Volatile.Read(ref _byArmCount) >= ArmsRememberedMax) return found;
        if (_byArm.TryAdd(arm, found)) Interlocked.Increment(ref _byArmCount);
        return found;
    }

    private void Forget()
    {
        _byArm.Clear();
        _byArmCount = 0;
    }

    private void Remove(string name)
    {
        _overlays.Remove(name, out var gone);
        Forget();
        if (!_overlays.Values.Any(o => o.Weights.Frozen == gone!.Weights.Frozen)) _model.Release(gone!.Weights.Frozen);
    }
}
