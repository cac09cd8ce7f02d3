using Streaming.Core.Events;
using Streaming.Core.Ids;
using Streaming.Core.Items;
using Streaming.Core.Settings;
using Streaming.Evaluation.DataSets;
using Streaming.Evaluation.Metrics;
using Streaming.Evaluation.Replay;
using Streaming.Learning.Metrics;
using Streaming.Node;

namespace Streaming.Evaluation.Protocols;

/// <summary>
/// Prequential evaluation (Dawid 1984; Gama et al. 2013) of the live learners on a recorded stream: every example is predicted and
/// scored before it is learned. It runs the users' state machines and the learners alone (<see cref="OfflinePath"/>), in rounds cut
/// at the same records as a replay's, and its figures equal those of <c>replay</c> with the same settings, seed and round, to the last
/// digit.
/// </summary>
public sealed class Prequential : IProtocol
{
    private static readonly string[] ModelNames = ["ftrl", "item-mean", "user-mean+item-mean"];

    private readonly StreamingSettings _settings;
    private readonly int _round;

    /// <param name="settings">The node's; null for the defaults. The seed is the case's.</param>
    /// <param name="roundRecords">Records per round.</param>
    public Prequential(StreamingSettings? settings = null, int roundRecords = ReplayRunner.RoundRecordsDefault)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(roundRecords, 1);
        _settings = settings ?? new StreamingSettings();
        _round = roundRecords;
    }

    public string Name => "prequential";

    public string Description =>
        $"Every joined example is predicted before it is learned, over the whole stream in its order, learned in rounds of {_round} records; "
        + "nothing is held out, and nothing from the future is known.";

    /// <summary>The live ranker, and the two smoothed means that the node keeps beside it on the same stream.</summary>
    public IReadOnlyList<string> Models => ModelNames;

    public IReadOnlyList<Figure> Run(EvaluationCase what, CancellationToken cancel)
    {
        what.Check(this);
        var at = Array.IndexOf(ModelNames, what.Model);
        var settings = _settings with { Node = _settings.Node with { Seed = what.Seed } };
        var source = new ReplaySource(DataSets.DataSets.Open(what.DataPath), what.Seed);
        var scored = new ScoredExamples(ModelNames.Length);
        var figures = Evaluate([source], settings, _round, what.Progress, cancel, scored)[at];
        // The resampled figures are of examples that all count alike.
        var bars = scored.Count > 0 && settings.Users.NegativeSampleRate >= 1
            ? Bootstrap.OfCounts(scored.Users, counts => [scored.Auc(at, counts), scored.LogLoss(at, counts)], what.Seed, Bootstrap.CostlyResamples)
            : [new Interval(double.NaN, double.NaN, double.NaN), new Interval(double.NaN, double.NaN, double.NaN)];
        return
        [
            new("auc", figures.Auc, bars[0].Low, bars[0].High), new("gauc", figures.Gauc),
            new("logloss", figures.LogLoss, bars[1].Low, bars[1].High), new("ne", figures.NormalisedEntropy),
            new("calibration", figures.Calibration), new("ece", figures.Ece), new("base_rate", figures.BaseRate),
            new("window_auc", figures.WindowAuc), new("window_logloss", figures.WindowLogLoss), new("examples", figures.Count),
            new("positives", figures.Positives),
        ];
    }

    /// <summary>The figures of all <see cref="Models"/>, in their order, over sources one after the other.</summary>
    public static IReadOnlyList<PrequentialFigures> Evaluate(
        IReadOnlyList<ReplaySource> sources, StreamingSettings settings, int roundRecords, Action<double>? progress = null, CancellationToken cancel = default) =>
        Evaluate(sources, settings, roundRecords, progress, cancel, null);

    private static IReadOnlyList<PrequentialFigures> Evaluate(
        IReadOnlyList<ReplaySource> sources, StreamingSettings settings, int roundRecords, Action<double>? progress, CancellationToken cancel, ScoredExamples? into)
    {
        var path = new OfflinePath(settings);
        if (into is not null)
            path.Trainer.Scored = (example, ranker, item, userItem) => into.Add(StableHash.Of(example.User), example.Label > 0.5f, [ranker, item, userItem]);
        var total = sources.All(s => s.EventCount is not null) ? sources.Sum(s => s.EventCount!.Value) : 0;
        var done = 0L;
        foreach (var round in sources.SelectMany(Records).Chunk(roundRecords))
        {
            cancel.ThrowIfCancellationRequested();
            foreach (var record in round)
                if (record.Item is { } change) path.Apply(change);
            foreach (var record in round)
                if (record.Item is null) path.Apply(record.Event, record.TimeMs);
            path.Learn();
            done += round.Length;
            if (total > 0) progress?.Invoke(Math.Min(1, done / (double)total));
        }
        path.Finish();
        progress?.Invoke(1);
        return path.Trainer.Figures();
    }

    /// <summary>One record: a change of the catalogue, an event, or neither where the line is malformed.</summary>
    private readonly record struct Record(ItemChange? Item, UserEvent? Event, long TimeMs);

    private static IEnumerable<Record> Records(ReplaySource source)
    {
        foreach (var change in source.Set.Items()) yield return new Record(change, null, change.TimeMs);
        if (source.Set is not IRawDataSet raw)
        {
            foreach (var e in source.Set.Profiles().Concat(source.Set.Events(source.Seed))) yield return new Record(null, e, e.TimeMs);
            yield break;
        }
        // Raw lines come in the order they stand in, at the largest event time so far.
        var timeMs = EventLimits.TimeMsMin;
        foreach (var line in raw.Lines())
        {
            UserEvent? sound = null;
            if (EventParser.TryParse(line.Span, timeMs, out var e, out _)) (sound, timeMs) = (e, Math.Max(timeMs, e.TimeMs));
            yield return new Record(null, sound, timeMs);
        }
    }
}
