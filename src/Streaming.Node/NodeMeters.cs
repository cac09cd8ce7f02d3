using Streaming.Actors;
using Streaming.Core.Metrics;
using Streaming.Learning.Metrics;

namespace Streaming.Node;

/// <summary>Publishes what a round changed. Counters are the differences of the host's own, which survive restarts.</summary>
internal sealed class NodeMeters
{
    private readonly string[] _partitions;
    private UserHostCounts _last;

    public NodeMeters(int partitions, UserHostCounts restored)
    {
        _partitions = [.. Enumerable.Range(0, partitions).Select(p => p.ToString(System.Globalization.CultureInfo.InvariantCulture))];
        _last = restored;
    }

    public void Round(UserHostCounts now, TimeSpan took)
    {
        StreamingMeters.Rounds.Add(1);
        StreamingMeters.RoundSeconds.Record(took.TotalSeconds);
        StreamingMeters.Repeats.Add(now.Repeats - _last.Repeats);
        StreamingMeters.ListsBuilt.Add(now.Lists - _last.Lists);
        StreamingMeters.Restarts.Add(now.Restarts - _last.Restarts);
        StreamingMeters.Passivated.Add(now.Passivated - _last.Passivated);
        StreamingMeters.Loaded.Add(now.Loaded - _last.Loaded);
        StreamingMeters.ResidentUsers.Set(now.Resident);
        _last = now;
    }

    public void Lag(int partition, long offsets) => StreamingMeters.LogLagRecords.Set(_partitions[partition], offsets);

    public static void Models(ModelSet models)
    {
        foreach (var window in models.Trainer.Windows()) Window(window);
        foreach (var replica in models.Deep?.Replicas ?? []) StreamingMeters.ModelVersion.Set(replica.Name, replica.Version);
    }

    /// <summary>Publishes a model's figures; what is undefined stays as it was.</summary>
    public static void Window(WindowFigures window)
    {
        Set(StreamingMeters.PrequentialAuc, window.Auc);
        Set(StreamingMeters.PrequentialGauc, window.Gauc);
        Set(StreamingMeters.PrequentialLogLoss, window.LogLoss);
        Set(StreamingMeters.PrequentialNormalisedEntropy, window.NormalisedEntropy);
        Set(StreamingMeters.PrequentialCalibration, window.Calibration);

        void Set(LabelledGauge gauge, double value)
        {
            if (double.IsFinite(value)) gauge.Set(window.Model, value);
        }
    }
}
