using Streaming.Core.Wire;
using Streaming.Models.Layers;
using Streaming.Models.Optimizers;

namespace Streaming.Models.Training;

/// <summary>Where a training is after a whole epoch: parameters now and at their best, the optimiser, the losses. One file, checksummed.</summary>
internal sealed class TrainingState(IReadOnlyList<DenseParameter> parameters, IDenseOptimizer optimizer)
{
    private const byte FormatVersion = 1;

    /// <summary>More epochs than anybody trains: what a file may claim.</summary>
    private const int EpochsMax = 1 << 20;

    private readonly List<double> _losses = [];
    private float[][]? _best;
    private double _bestMetric = double.NaN;

    public int Epochs => _losses.Count;

    /// <summary>From 1; without a metric the last one, so that no patience runs out.</summary>
    public int BestEpoch { get; private set; }

    public void EndEpoch(double loss, double metric)
    {
        _losses.Add(loss);
        if (!double.IsNaN(_bestMetric) && !(metric > _bestMetric)) return;
        (BestEpoch, _bestMetric) = (Epochs, metric);
        if (!double.IsNaN(metric)) _best = Values();
    }

    /// <summary>Puts the best epoch's values in place.</summary>
    public TrainingResult Finish()
    {
        for (var i = 0; _best is not null && i < parameters.Count; i++) parameters[i].CopyFrom(_best[i]);
        return new TrainingResult(Epochs, BestEpoch, _bestMetric, _losses);
    }

    /// <summary>Whole or not at all: written beside, flushed, then renamed.</summary>
    public void Save(string file)
    {
        var beside = file + ".tmp";
        using (var stream = new FileStream(beside, FileMode.Create, FileAccess.Write))
        {
            var writer = new CheckpointWriter(stream, FormatVersion);
            writer.Int32(Epochs);
            foreach (var loss in _losses) writer.Double(loss);
            writer.Int32(BestEpoch);
            writer.Double(_bestMetric);
            writer.Int32(parameters.Count);
            foreach (var values in (float[][])[.. Values(), .. _best ?? []])
            {
                writer.Int32(values.Length);
                writer.Values<float>(values);
            }
            optimizer.Save(writer);
            writer.Finish();
            stream.Flush(flushToDisk: true);
        }
        File.Move(beside, file, overwrite: true);
    }

    /// <exception cref="InvalidDataException">Damaged, of another shape, or from a newer build; nothing was changed.</exception>
    public void Load(string file)
    {
        using var stream = File.OpenRead(file);
        var reader = new CheckpointReader(stream, FormatVersion, "training");
        var losses = new double[reader.Count<double>(EpochsMax)];
        for (var i = 0; i < losses.Length; i++) losses[i] = reader.Double();
        var (bestEpoch, bestMetric) = (reader.Int32(), reader.Double());
        reader.Expect(parameters.Count, "parameters");
        var now = Read(reader);
        var best = double.IsNaN(bestMetric) ? null : Read(reader);
        var takeOver = optimizer.Read(reader);
        reader.Finish();
        takeOver();
        for (var i = 0; i < now.Length; i++) parameters[i].CopyFrom(now[i]);
        _losses.Clear();
        _losses.AddRange(losses);
        (BestEpoch, _bestMetric, _best) = (bestEpoch, bestMetric, best);
    }

    private float[][] Values() => [.. parameters.Select(p => p.Values.ToArray())];

    private float[][] Read(CheckpointReader reader)
    {
        var read = new float[parameters.Count][];
        for (var i = 0; i < read.Length; i++)
        {
            reader.Expect(parameters[i].Length, $"{parameters[i].Name} of length");
            read[i] = new float[parameters[i].Length];
            reader.Values(read[i].AsSpan());
        }
        return read;
    }
}
