using System.Diagnostics;
using System.Globalization;
using Streaming.Models.Ranking;
using TorchSharp;

namespace Streaming.Evaluation.Ctr;

/// <summary>How a ranker is trained on rows.</summary>
internal sealed record CtrOptions
{
    public RankerOptions Ranker { get; init; } = new();

    /// <summary>As <see cref="CtrRowWriter"/>'s.</summary>
    public int RareBelow { get; init; } = 2;

    public int BatchSize { get; init; } = 256;

    /// <summary>Passes over the rows at most.</summary>
    public int EpochsMax { get; init; } = 10;

    /// <summary>Looks at the validation part within an epoch: CTR models are often at their best before the first one ends.</summary>
    public int ChecksPerEpoch { get; init; } = 2;

    /// <summary>Looks without a lower normalised entropy after which it stops.</summary>
    public int Patience { get; init; } = 4;

    /// <summary>
    /// Share of the values that are written as unknown ones while it learns, drawn anew at each pass: what stands for the unknown is then learned from values of all kinds, as
    /// those that only the test has will be, and no weight can rest on one value alone.
    /// </summary>
    public double HiddenShare { get; init; }

    /// <summary>
    /// Whether, once the best number of passes is known, a new ranker of the same seed learns that many on the validation part too, as libffm does: what came last tells
    /// most of what comes next.
    /// </summary>
    public bool Refits { get; init; } = true;
}

/// <summary>
/// Trains a ranker on the rows of a split with each of several options, for as long as the validation part's normalised entropy falls, and predicts with the options by which it fell
/// lowest.
/// </summary>
internal sealed class CtrTraining
{
    private const int ScoreBatchSize = 2048;

    private readonly KnownRanker _known;
    private readonly RankerShape _shape;
    private readonly IReadOnlyList<CtrOptions> _candidates;
    private readonly CtrSplit _split;
    private readonly long _seed;
    private readonly torch.Device? _device;
    private readonly FieldBatch _batch;
    private CtrOptions _options;
    private CtrRowWriter _writer;
    private FieldRanker _ranker;

    /// <param name="ranker">Which.</param>
    /// <param name="shape">Of the rows.</param>
    /// <param name="split">Parts.</param>
    /// <param name="candidates">How; at least one.</param>
    /// <param name="seed">Of the first values and of the order of rows.</param>
    /// <param name="device">Where it learns; null for the CPU.</param>
    public CtrTraining(KnownRanker ranker, RankerShape shape, CtrSplit split, IReadOnlyList<CtrOptions> candidates, long seed, torch.Device? device = null)
    {
        (_known, _shape, _candidates, _split, _seed, _device) = (ranker, shape, candidates, split, seed, device);
        (_batch, _options) = (new FieldBatch(shape), candidates[0]);
        (_writer, _ranker) = NewOn(split.Fit, split.ValidationFromMs - 1);
    }

    /// <summary>A ranker that has learned nothing but the labels' rates, and what writes rows for it.</summary>
    private (CtrRowWriter Writer, FieldRanker Ranker) NewOn(IReadOnlyList<CtrRow> rows, long knownMs)
    {
        var own = _options.Ranker with { Seed = (ulong)_seed };
        var network = _known.Recipe.Network(_shape, own);
        // One more of each, as a rate of 0 or 1 has no log-odds.
        double[] rates = [.. Enumerable.Range(0, _shape.Tasks).Select(task => (rows.Count(r => r.Label(task, knownMs)) + 1.0) / (rows.Count + 2))];
        return (new CtrRowWriter(_shape, network.ReadsSequence, rows, _options.RareBelow, _options.HiddenShare, own.Seed),
            new FieldRanker(_known.Name, _shape, own with { StartLogOdds = network.LogOddsOf(rates) }, _known.Recipe, _device));
    }

    /// <summary>Trains.</summary>
    /// <param name="progress">Told the share of the most that it may take, 0 to 1; null for nobody.</param>
    /// <param name="note">Told a line after each look at the validation part; null for nobody.</param>
    /// <param name="timeMax">Time after which it stops at the next look; null for none.</param>
    /// <param name="cancel">Stops between mini-batches.</param>
    /// <returns>The lowest normalised entropy of the validation part, summed over the tasks.</returns>
    /// <exception cref="InvalidOperationException">The loss is no longer finite: the step size is too large.</exception>
    public double Fit(Action<double>? progress, Action<string>? note, TimeSpan? timeMax, CancellationToken cancel)
    {
        var clock = Stopwatch.StartNew();
        var (best, bestPasses, bestAt) = (double.PositiveInfinity, 0.0, 0);
        using var kept = new MemoryStream();
        var stages = _candidates.Count + 1.0;
        for (var at = 0; at < _candidates.Count && (at == 0 || !(clock.Elapsed > timeMax)); at++)
        {
            var (now, own) = (at, _candidates[at]);
            _options = own;
            (_writer, _ranker) = NewOn(_split.Fit, _split.ValidationFromMs - 1);
            var (lowest, since, shown) = (double.PositiveInfinity, 0, (Sum: 0.0, Count: 0));
            foreach (var (passes, loss, looks) in Passes(_split.Fit, own.EpochsMax, _split.ValidationFromMs - 1, cancel))
            {
                shown = (shown.Sum + loss, shown.Count + 1);
                progress?.Invoke((now + passes / own.EpochsMax) / stages);
                if (!looks) continue;
                var held = ValidationEntropy();
                note?.Invoke(string.Create(CultureInfo.InvariantCulture,
                    $"options {now + 1}, epoch {passes:0.00}: loss {shown.Sum / shown.Count:0.00000}, validation {held:0.00000}, {clock.Elapsed.TotalSeconds:0} s"));
                (shown, since, lowest) = ((0, 0), held < lowest ? 0 : since + 1, Math.Min(lowest, held));
                if (held < best)
                {
                    (best, bestPasses, bestAt) = (held, passes, now);
                    kept.SetLength(0);
                    if (!own.Refits) _ranker.Save(kept);
                }
                if (since >= own.Patience || clock.Elapsed > timeMax) break;
            }
        }
        _options = _candidates[bestAt];
        if (_options.Refits) Refit(bestPasses, passes => progress?.Invoke((stages - 1 + passes / bestPasses) / stages), cancel);
        else
        {
            (_writer, _ranker) = NewOn(_split.Fit, _split.ValidationFromMs - 1);
            kept.Position = 0;
            _ranker.Load(kept);
        }
        return best;
    }

    /// <summary>Learns anew, the validation part too.</summary>
    private void Refit(double passesMax, Action<double> progress, CancellationToken cancel)
    {
        CtrRow[] all = [.. _split.Fit, .. _split.Validation];
        (_writer, _ranker) = NewOn(all, _split.TestFromMs - 1);
        foreach (var (passes, _, _) in Passes(all, passesMax, _split.TestFromMs - 1, cancel)) progress(passes);
    }

    /// <summary>Learns mini-batch by mini-batch, the rows in a new order at each pass.</summary>
    /// <param name="rows">What is learned.</param>
    /// <param name="passesMax">Passes over them, not always a whole number.</param>
    /// <param name="knownMs">Labels are those known at that moment.</param>
    /// <param name="cancel">Stops between mini-batches.</param>
    private IEnumerable<(double Passes, float Loss, bool Looks)> Passes(IReadOnlyList<CtrRow> rows, double passesMax, long knownMs, CancellationToken cancel)
    {
        var order = rows.ToArray();
        var batches = (order.Length + _options.BatchSize - 1) / _options.BatchSize;
        var stepsMax = (long)Math.Round(passesMax * batches);
        for (var step = 0L; step < stepsMax; step++)
        {
            cancel.ThrowIfCancellationRequested();
            var (epoch, at) = ((ulong)(step / batches), (int)(step % batches));
            if (at == 0) new Draws((ulong)_seed * 1_000 + epoch).Shuffle<CtrRow>(order);
            var loss = Learn(order.AsSpan(at * _options.BatchSize, Math.Min(_options.BatchSize, order.Length - at * _options.BatchSize)), knownMs);
            yield return ((step + 1.0) / batches, loss, (at + 1) * _options.ChecksPerEpoch / batches != at * _options.ChecksPerEpoch / batches);
        }
    }

    /// <summary>Probabilities of rows, by task.</summary>
    public double[][] Predict(IReadOnlyList<CtrRow> rows)
    {
        var tasks = _ranker.Shape.Tasks;
        var all = Enumerable.Range(0, tasks).Select(_ => new double[rows.Count]).ToArray();
        var place = new float[ScoreBatchSize * tasks];
        for (var start = 0; start < rows.Count; start += ScoreBatchSize)
        {
            var count = Math.Min(ScoreBatchSize, rows.Count - start);
            _batch.Clear();
            for (var i = 0; i < count; i++) _writer.Write(_batch, rows[start + i], 0);
            _ranker.Predict(_batch, place.AsSpan(0, count * tasks));
            for (var i = 0; i < count * tasks; i++) all[i % tasks][start + i / tasks] = place[i];
        }
        return all;
    }

    private float Learn(ReadOnlySpan<CtrRow> rows, long knownMs)
    {
        _batch.Clear();
        foreach (var row in rows) _writer.Write(_batch, row, knownMs, hide: true);
        var loss = _ranker.Learn(_batch);
        return float.IsFinite(loss) ? loss : throw new InvalidOperationException($"the loss is {loss}");
    }

    /// <summary>
    /// Log-loss of the validation part over that of its rate of positives, summed over the tasks: a rare label counts as much as one of which there are hundreds of times as many. A
    /// task without positives there says nothing.
    /// </summary>
    private double ValidationEntropy()
    {
        var rows = _split.Validation;
        var sum = 0.0;
        foreach (var (probabilities, task) in Predict(rows).Select((p, task) => (p, task)))
        {
            bool[] labels = [.. rows.Select(r => r.Label(task, _split.TestFromMs - 1))];
            if (labels.Contains(true) && labels.Contains(false)) sum += Metrics.BinaryMetrics.NormalisedEntropy(probabilities, labels);
        }
        return sum;
    }
}
