using Streaming.Core.Settings;
using Streaming.Learning.Deep;
using Streaming.Learning.Metrics;
using Streaming.Node.Deep;
using Streaming.Tensors;
using TorchSharp;

namespace Streaming.Node;

/// <summary>Deep models in a node: learned beside the rounds by the role trainer, here or in another process, or within them in a replay.</summary>
public sealed partial class StreamingNode
{
    private DeepWorkers? _workers;
    private ReplicaReader? _replicas;

    /// <summary>Prequential figures of the deep models that this node has learned, over all they have predicted; after a run.</summary>
    public IReadOnlyList<PrequentialFigures> DeepFigures() => _workers?.Figures() ?? _models.DeepFigures();

    private void StartDeep()
    {
        if (_models.Deep is not { Learners.Count: 0 } deep) return;
        // Also where nothing is learned: versions rank by it.
        TorchRuntime.TryLoad(out _);
        _replicas = new ReplicaReader(deep, _parts.Notice);
        if (_parts.Settings.Node.Has(NodeRoles.Trainer))
            _workers = DeepWorkers.Start(new TrainerParts(_parts.Settings, Log, Path.Combine(_parts.CheckpointDir, "..", "workers"), _parts.Time, _parts.Notice));
    }

    private IReadOnlyList<DeepModelStatus> DeepStatus()
    {
        var workers = _workers?.Status ?? [.. (_models.Deep?.Learners ?? []).Select(StatusOf)];
        // In a replay no tick looks, and between its rounds nobody writes.
        var heads = _models.Deep is { Learners.Count: > 0 } inRounds ? inRounds.Heads() : _meters.LastHeads;
        return [.. (_models.Deep?.Replicas ?? []).Select(r =>
            DeepModelStatus.Of(r, workers.FirstOrDefault(w => w.Name == r.Name), heads.FirstOrDefault(h => h.Model == r.Name)))];
    }

    private static WorkerStatus StatusOf(RoundLearner rounds)
    {
        var learner = rounds.Learner;
        return new WorkerStatus(
            learner.Name, learner.Steps, learner.Promoted, learner.Examples, learner.Window(), learner.Promotions, learner.Rollbacks, 0, 0, 0, rounds.Ledger.Last);
    }

    private ModelSet NewModels()
    {
        var inRounds = _parts.LearnsDeepInRounds && _parts.Settings.Deep.Models.Count > 0;
        if (inRounds && !TorchRuntime.TryLoad(out var reason))
        {
            _parts.Notice(new NodeNotice(NoticeLevel.Warning, $"deep models do not learn: {reason}"));
            inRounds = false;
        }
        return new ModelSet(_parts.Settings, Log, inRounds);
    }

    /// <summary>One thread computes: sums of several would not be in a fixed order.</summary>
    private Task PrepareDeepAsync() => _models.Deep is not { Learners.Count: > 0 } ? Task.CompletedTask : _driver.RunAsync(() =>
    {
        torch.set_num_threads(1);
        return 0;
    });

    private Task FinishDeepAsync() => _driver.RunAsync(() =>
    {
        _models.FinishDeep();
        return 0;
    });

    private Task StopWorkersAsync() => _workers is null ? Task.CompletedTask : Task.Run(_workers.Stop);

    private async Task DisposeDeepAsync()
    {
        if (_workers is not null) await Task.Run(_workers.Dispose);
        if (_replicas is not null) await Task.Run(_replicas.Dispose);
    }
}
