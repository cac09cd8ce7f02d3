using Streaming.Core.Examples;
using Streaming.Core.Ids;
using Streaming.Core.Log;
using Streaming.Core.Ports;
using Streaming.Core.Settings;
using Streaming.Core.Wire;
using Streaming.Learning.Isolation;
using Streaming.Learning.Metrics;
using Streaming.Learning.Statistics;

namespace Streaming.Learning;

/// <summary>
/// Consumes the <c>examples</c> topic in order. Each example is predicted, scored and only then learned, by the ranker, the
/// matrix factorisation, the item statistics and whatever else was registered. One thread calls it; nobody reads the models
/// meanwhile.
/// </summary>
/// <remarks>
/// Records repeated after a crash are dropped (<see cref="RepeatFilter"/>). The models and learners are checkpoint parts of their own; this
/// part holds the marks of what was had and the figures.
/// </remarks>
public sealed class Trainer : ICheckpointed
{
    private const byte FormatVersion = 1;

    private readonly FtrlModel _ranker;
    private readonly ArmOverlays _overlays;
    private readonly MatrixFactorisation _factors;
    private readonly ItemStatistics _statistics;
    private readonly IStreamLearner[] _others;
    private readonly Action<string, long>? _onUnknownItem;

    private RepeatFilter _repeats = new();
    private PrequentialMetrics _rankerMetrics;
    private PrequentialMetrics _itemMeanMetrics;
    private PrequentialMetrics _userItemMeanMetrics;
    private BaselineMeans _means;

    /// <param name="settings">Bounds of the figures.</param>
    /// <param name="ranker">Predicts and learns.</param>
    /// <param name="overlays">On the ranker: where isolated arms predict and learn.</param>
    /// <param name="factors">Learns the items' side.</param>
    /// <param name="statistics">Learns.</param>
    /// <param name="others">Further learners, told of everything after the models, in this order.</param>
    /// <param name="onUnknownItem">Told the id and time of an item that the catalogue did not know when the record was made; may be told twice.</param>
    public Trainer(
        LearningSettings settings, FtrlModel ranker, ArmOverlays overlays, MatrixFactorisation factors, ItemStatistics statistics,
        IReadOnlyList<IStreamLearner>? others = null, Action<string, long>? onUnknownItem = null)
    {
        (_ranker, _overlays, _factors, _statistics) = (ranker, overlays, factors, statistics);
        (_others, _onUnknownItem) = ([.. others ?? []], onUnknownItem);
        _rankerMetrics = new PrequentialMetrics(ranker.Name, settings);
        _itemMeanMetrics = new PrequentialMetrics("item mean", settings);
        _userItemMeanMetrics = new PrequentialMetrics("user mean + item mean", settings);
        _means = new BaselineMeans(settings.BaselineKeysMax);
    }

    public string Name => "trainer";

    /// <summary>Told of every scored example: the probabilities of the ranker, the item mean, and user mean + item mean.</summary>
    public Action<Example, float, float, float>? Scored { get; set; }

    /// <summary>Examples learned.</summary>
    public long Examples { get; private set; }

    /// <summary>Interactions learned.</summary>
    public long Interactions { get; private set; }

    /// <summary>Records dropped as repeats.</summary>
    public long Repeats { get; private set; }

    /// <summary>Corrections learned: they are examples, but not scored, because their impression was already.</summary>
    public long Corrections { get; private set; }

    /// <summary>"ftrl:N mf:N".</summary>
    public string Versions => $"ftrl:{_ranker.Version} mf:{_factors.Version}";

    /// <summary>Examples in the ranker, and in the matrix factorisation: different counts do not go together.</summary>
    public (long Ranker, long Factors) Counts => (_ranker.Version, _factors.Version);

    /// <summary>Event time of the newest label learned by this process, Unix ms; 0 for none yet.</summary>
    public long NewestMs { get; private set; }

    /// <summary>Figures of the ranker, each example by the weights of its arm; then of the baselines, on the same stream.</summary>
    public IReadOnlyList<PrequentialFigures> Figures() =>
        [_rankerMetrics.Figures(), _itemMeanMetrics.Figures(), _userItemMeanMetrics.Figures()];

    /// <summary>Figures over the window of each model and baseline: cheap enough to publish every second.</summary>
    public IEnumerable<WindowFigures> Windows() => [_rankerMetrics.Window(), _itemMeanMetrics.Window(), _userItemMeanMetrics.Window()];

    /// <summary>Every part that a checkpoint needs, this one included.</summary>
    public IEnumerable<ICheckpointed> Parts => [this, _ranker, _overlays, _factors, _statistics, .. _others];

    /// <summary>Learns one record of the topic.</summary>
    public void On(ExampleRecord record)
    {
        if (record.Example is { } example) OnExample(example);
        else OnInteraction(record.Interaction!);
    }

    /// <summary>Predicts, scores and learns one example; a repeat is dropped.</summary>
    public void OnExample(Example example)
    {
        if (IsRepeat(example.User, example.Source, example.Ordinal)) return;
        // The label was learned when it came; the goals that follow it are of models that have them.
        if (example.IsFollowUp)
        {
            foreach (var other in _others) other.OnFollowUp(example);
            return;
        }
        if (example.ItemId is { } id) _onUnknownItem?.Invoke(id, example.ShownMs);
        var user = StableHash.Of(example.User);
        var positive = example.Label > 0.5f;
        var p = _overlays.PredictAndLearn(example);
        if (example.IsCorrection) Corrections++;
        else Score(example, user, p, positive);
        _factors.OnExample(example);
        _statistics.OnExample(example);
        foreach (var other in _others) other.OnExample(example);
        Examples++;
        NewestMs = Math.Max(NewestMs, example.LabelMs);
    }

    /// <summary>Learns one interaction; a repeat is dropped.</summary>
    public void OnInteraction(Interaction interaction)
    {
        if (IsRepeat(interaction.User, interaction.Source, interaction.Ordinal)) return;
        if (interaction.ItemId is { } id) _onUnknownItem?.Invoke(id, interaction.TimeMs);
        _ranker.OnInteraction(interaction);
        _factors.OnInteraction(interaction);
        _statistics.OnInteraction(interaction);
        foreach (var other in _others) other.OnInteraction(interaction);
        Interactions++;
    }

    private void Score(Example example, ulong user, float p, bool positive)
    {
        var weight = 1f / example.SampleRate;
        var (itemMean, userItemMean) = _means.Predict(user, example.ItemKey);
        _rankerMetrics.Add(user, p, positive, weight);
        _itemMeanMetrics.Add(user, itemMean, positive, weight);
        _userItemMeanMetrics.Add(user, userItemMean, positive, weight);
        _means.Learn(user, example.ItemKey, positive);
        Scored?.Invoke(example, p, itemMean, userItemMean);
    }

    private bool IsRepeat(string user, LogPosition source, int ordinal)
    {
        if (!_repeats.IsRepeat(user, source, ordinal)) return false;
        Repeats++;
        return true;
    }

    public void Save(Stream into)
    {
        var writer = new CheckpointWriter(into, FormatVersion);
        foreach (var count in (ReadOnlySpan<long>)[Examples, Interactions, Repeats, Corrections]) writer.Int64(count);
        _repeats.Save(writer);
        _rankerMetrics.Save(writer);
        _itemMeanMetrics.Save(writer);
        _userItemMeanMetrics.Save(writer);
        _means.Save(writer);
        writer.Finish();
    }

    public void Load(Stream from)
    {
        var reader = new CheckpointReader(from, FormatVersion, "trainer");
        var (examples, interactions, repeats, corrections) = (reader.Int64(), reader.Int64(), reader.Int64(), reader.Int64());
        var repeatFilter = RepeatFilter.Read(reader);
        var ranker = _rankerMetrics.Read(reader);
        var itemMean = _itemMeanMetrics.Read(reader);
        var userItemMean = _userItemMeanMetrics.Read(reader);
        var means = _means.Read(reader);
        reader.Finish();
        (Examples, Interactions, Repeats, Corrections, _repeats) = (examples, interactions, repeats, corrections, repeatFilter);
        (_rankerMetrics, _itemMeanMetrics, _userItemMeanMetrics, _means) = (ranker, itemMean, userItemMean, means);
    }
}
