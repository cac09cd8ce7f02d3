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

    /// <summary>Looks without a better log-loss after which it stops.</summary>
    public int Patience { get; init; } = 4;
}

/// <summary>Trains a ranker on the rows of a split, keeps what it was when the validation part's log-loss was lowest, and predicts.</summary>
internal sealed class CtrTraining
{
    private const int ScoreBatchSize = 2048;

    private readonly CtrOptions _options;
    private readonly CtrRowWriter _writer;
    private readonly FieldRanker _ranker;
    private readonly FieldBatch _batch;
    private readonly CtrSplit _split;
    private readonly ulong _seed;

    /// <param name="ranker">Which.</param>
    /// <param name="shape">Of the rows.</param>
    /// <param name="split">Parts.</param>
    /// <param name="options">How.</param>
    /// <param name="seed">Of the first values and of the order of rows.</param>
    /// <param name="device">Where it learns; null for the CPU.</param>
    public CtrTraining(KnownRanker ranker, RankerShape shape, CtrSplit split, CtrOptions options, long seed, torch.Device? device = null)
    {
        var own = options.Ranker with { Seed = (ulong)seed };
        (_options, _split, _seed) = (options, split, (ulong)seed);
        _writer = new CtrRowWriter(shape, ranker.Recipe.Network(shape, own).ReadsSequence, split.Fit, options.RareBelow);
        _ranker = new FieldRanker(ranker.Name, shape, own, ranker.Recipe, device);
        _batch = new FieldBatch(shape);
    }

    /// <summary>Trains.</summary>
    /// <param name="progress">Told the share of the most that it may take, 0 to 1; null for nobody.</param>
    /// <param name="note">Told a line after each look at the validation part; null for nobody.</param>
    /// <param name="timeMax">Time after which it stops at the next look; null for none.</param>
    /// <param name="cancel">Stops between mini-batches.</param>
    /// <returns>The lowest log-loss of the validation part, nats, summed over the tasks.</returns>
    /// <exception cref="InvalidOperationException">The loss is no longer finite: the step size is too large.</exception>
    public double Fit(Action<double>? progress, Action<string>? note, TimeSpan? timeMax, CancellationToken cancel)
    {
        var (clock, order) = (Stopwatch.StartNew(), _split.Fit.ToArray());
        var batches = (order.Length + _options.BatchSize - 1) / _options.BatchSize;
        var (best, looks, since) = (double.PositiveInfinity, 0, 0);
        using var kept = new MemoryStream();
        for (var epoch = 0; epoch < _options.EpochsMax && since < _options.Patience && !(clock.Elapsed > timeMax); epoch++)
        {
            new Draws(_seed * 1_000 + (ulong)epoch).Shuffle<CtrRow>(order);
            for (var (batch, sum, count) = (0, 0.0, 0); batch < batches && since < _options.Patience; batch++)
            {
                cancel.ThrowIfCancellationRequested();
                sum += Learn(order.AsSpan(batch * _options.BatchSize, Math.Min(_options.BatchSize, order.Length - batch * _options.BatchSize)));
                count++;
                progress?.Invoke((epoch + (batch + 1.0) / batches) / _options.EpochsMax);
                if ((batch + 1) * _options.ChecksPerEpoch / batches == batch * _options.ChecksPerEpoch / batches) continue;
                var loss = ValidationLoss();
                note?.Invoke(string.Create(CultureInfo.InvariantCulture,
                    $"epoch {epoch + (batch + 1.0) / batches:0.00}: loss {sum / count:0.00000}, validation {loss:0.00000}, {clock.Elapsed.TotalSeconds:0} s"));
                (sum, count, looks, since) = (0, 0, looks + 1, loss < best ? 0 : since + 1);
                if (since > 0) continue;
                best = loss;
                kept.SetLength(0);
                _ranker.Save(kept);
            }
        }
        kept.Position = 0;
        _ranker.Load(kept);
        return best;
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

    private float Learn(ReadOnlySpan<CtrRow> rows)
    {
        _batch.Clear();
        foreach (var row in rows) _writer.Write(_batch, row, _split.ValidationFromMs - 1);
        var loss = _ranker.Learn(_batch);
        return float.IsFinite(loss) ? loss : throw new InvalidOperationException($"the loss is {loss}");
    }

    private double ValidationLoss()
    {
        var rows = _split.Validation;
        return Predict(rows).Select((p, task) => Metrics.BinaryMetrics.LogLoss(p, [.. rows.Select(r => r.Label(task, _split.TestFromMs - 1))], 1e-7)).Sum();
    }
}
