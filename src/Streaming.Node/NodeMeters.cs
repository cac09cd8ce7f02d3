using Streaming.Actors;
using Streaming.Core.Metrics;
using Streaming.Learning.Isolation;
using Streaming.Learning.Metrics;
using Streaming.Node.Deep;

namespace Streaming.Node;

/// <summary>Publishes what a round changed. Counters are the differences of the host's own, which survive restarts.</summary>
internal sealed class NodeMeters
{
    private readonly string[] _partitions;
    private UserHostCounts _last;
    private IsolationStatus _isolation = IsolationStatus.None;
    private IReadOnlyList<HeadStatus> _heads = [];

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

    /// <summary>Shards came or went, and their counts with them: nothing of that happened here.</summary>
    public void Rebase(UserHostCounts now) => _last = now;

    public void Lag(int partition, long offsets) => StreamingMeters.LogLagRecords.Set(_partitions[partition], offsets);

    public void Models(ModelSet models)
    {
        Isolation(models.Overlays);
        foreach (var window in models.Trainer.Windows()) Window(window);
        foreach (var replica in models.Deep?.Replicas ?? []) StreamingMeters.ModelVersion.Set(replica.Name, replica.Version);
        Heads(models.Deep?.Heads() ?? []);
    }

    /// <summary>Publishes a model's figures; what is undefined stays as it was.</summary>
    public static void Window(WindowFigures window)
    {
        Set(StreamingMeters.PrequentialAuc, window.Auc);
        Set(StreamingMeters.PrequentialGauc, window.Gauc);
        Set(StreamingMeters.PrequentialLogLoss, window.LogLoss);
        Set(StreamingMeters.PrequentialNormalisedEntropy, window.NormalisedEntropy);
        Set(StreamingMeters.PrequentialCalibration, window.Calibration);
        foreach (var goal in window.Goals)
        {
            Set(StreamingMeters.PrequentialGoalAuc, goal.Auc, goal.Model);
            Set(StreamingMeters.PrequentialGoalNormalisedEntropy, goal.NormalisedEntropy, goal.Model);
            Set(StreamingMeters.PrequentialGoalCalibration, goal.Calibration, goal.Model);
        }

        void Set(LabelledGauge gauge, double value, string goal = "")
        {
            if (double.IsFinite(value)) gauge.Set(window.Model, goal, value);
        }
    }

    /// <summary>Records of the re-rankers' heads as of the last tick; from any thread.</summary>
    public IReadOnlyList<HeadStatus> LastHeads => Volatile.Read(ref _heads);

    private void Heads(IReadOnlyList<HeadStatus> heads)
    {
        foreach (var head in heads)
        {
            StreamingMeters.HeadServed.Set(head.Model, head.IsServed ? 1 : 0);
            if (head.Lists <= 0) continue;
            StreamingMeters.HeadNdcg.Set(head.Model, "base", head.BaseNdcg);
            StreamingMeters.HeadNdcg.Set(head.Model, "head", head.HeadNdcg);
        }
        Volatile.Write(ref _heads, heads);
    }

    /// <summary>Overlays and contamination as of the last tick; from any thread.</summary>
    public IsolationStatus LastIsolation => Volatile.Read(ref _isolation);

    private void Isolation(ArmOverlays overlays)
    {
        var status = IsolationStatus.Of(overlays);
        foreach (var gone in _isolation.Overlays.Select(o => o.Name).Except(status.Overlays.Select(o => o.Name)))
        {
            StreamingMeters.OverlayAuc.Remove(gone);
            StreamingMeters.OverlayEntries.Remove(gone);
        }
        foreach (var overlay in status.Overlays)
        {
            if (!double.IsNaN(overlay.AucWindow)) StreamingMeters.OverlayAuc.Set(overlay.Name, overlay.AucWindow);
            StreamingMeters.OverlayEntries.Set(overlay.Name, overlay.Entries);
        }
        foreach (var gone in _isolation.Arms.Select(a => a.Arm).Except(status.Arms.Select(a => a.Arm))) StreamingMeters.ArmContamination.Remove(gone);
        foreach (var arm in status.Arms) StreamingMeters.ArmContamination.Set(arm.Arm, arm.ForeignMass);
        Volatile.Write(ref _isolation, status);
    }
}
