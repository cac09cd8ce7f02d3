using Streaming.Core.Log;
using Streaming.Core.Metrics;
using Streaming.Core.Settings;
using Streaming.Core.Threads;
using Streaming.Learning.Deep;
using Streaming.Learning.Metrics;
using Streaming.Tensors;
using TorchSharp;

namespace Streaming.Node.Deep;

/// <summary>A worker's figures at one moment.</summary>
/// <param name="Steps">Mini-batches learned.</param>
/// <param name="Promoted">The newest version that the canary has passed; 0 for none yet.</param>
/// <param name="Window">Prequential figures over the last predictions.</param>
/// <param name="LagOffsets">How far it is behind the log: bytes on the embedded log, records on Kafka.</param>
/// <param name="Reenacted">Steps done again from the journal when it started.</param>
/// <param name="Ledger">The canary's last verdicts, newest last.</param>
public sealed record WorkerStatus(
    string Name, long Steps, long Promoted, long Examples, WindowFigures Window, long Promotions, long Rollbacks, long PublishedBytes, long LagOffsets,
    int Reenacted, IReadOnlyList<LedgerEntry> Ledger);

/// <summary>What workers run on: no more than a process of the role <c>trainer</c> has.</summary>
/// <param name="Settings">Resolved.</param>
/// <param name="Log">Shared with the nodes.</param>
/// <param name="Folder">Of the workers' checkpoints and journals: a folder in it for each model.</param>
/// <param name="Time">Cuts batches.</param>
/// <param name="Notice">Receives what an operator should know; from the workers' threads.</param>
public sealed record TrainerParts(StreamingSettings Settings, IEventLog Log, string Folder, TimeProvider Time, Action<NodeNotice> Notice);

/// <summary>
/// The role <c>trainer</c>: a thread per deep model that learns from <c>examples</c> and publishes on <c>models</c>, in the node or in a process of its own.
/// All stand back for everything else. A worker that fails is opened again from its checkpoint; lists go on with the last version meanwhile.
/// </summary>
public sealed class DeepWorkers : IDisposable
{
    private const int StatusMs = 1_000;
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(5);

    private readonly TrainerParts _parts;
    private readonly CancellationTokenSource _stop = new();
    private readonly List<Thread> _threads = [];
    private readonly WorkerStatus?[] _status;
    private readonly PrequentialFigures?[] _figures;
    private bool _isStopped;

    private DeepWorkers(TrainerParts parts)
    {
        _parts = parts;
        _status = new WorkerStatus?[parts.Settings.Deep.Models.Count];
        _figures = new PrequentialFigures?[_status.Length];
    }

    /// <summary>Starts the threads; without libtorch a notice says so, what needs tensors does not learn, and its arms' lists are the learned arm's.</summary>
    public static DeepWorkers? Start(TrainerParts parts)
    {
        var models = parts.Settings.Deep.Models;
        var hasTensors = TorchRuntime.TryLoad(out var reason);
        var idle = models.Where(m => !hasTensors && DeepZoo.NeedsTensors(m)).ToList();
        if (idle.Count > 0) parts.Notice(new NodeNotice(NoticeLevel.Warning, $"deep models do not learn ({string.Join(", ", idle)}): {reason}"));
        if (idle.Count == models.Count) return null;
        var workers = new DeepWorkers(parts);
        for (var i = 0; i < models.Count; i++)
        {
            var at = i;
            if (idle.Contains(models[i])) continue;
            workers._threads.Add(BackgroundThread.Start($"trainer-{models[i]}", BackgroundThread.Idle, () => workers.Learn(at)));
        }
        return workers;
    }

    /// <summary>Those that have come up, in the order of the settings.</summary>
    public IReadOnlyList<WorkerStatus> Status => [.. _status.OfType<WorkerStatus>()];

    /// <summary>Figures over all that each has ever predicted; once they have stopped.</summary>
    public IReadOnlyList<PrequentialFigures> Figures() => [.. _figures.OfType<PrequentialFigures>()];

    /// <summary>Saves a checkpoint of every worker and ends the threads.</summary>
    public void Stop()
    {
        if (_isStopped) return;
        _isStopped = true;
        _stop.Cancel();
        foreach (var thread in _threads) thread.Join();
    }

    public void Dispose()
    {
        Stop();
        _stop.Dispose();
    }

    private void Learn(int at)
    {
        var name = _parts.Settings.Deep.Models[at];
        if (DeepZoo.NeedsTensors(name)) torch.set_num_threads(1);
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                using var worker = DeepWorker.Open(PartsOf(name));
                Run(worker, at);
            }
            catch (Exception problem) when (problem is not OutOfMemoryException)
            {
                _parts.Notice(new NodeNotice(NoticeLevel.Error, $"the worker of '{name}' stopped: {problem.Message} It starts again from its checkpoint.", problem));
                _stop.Token.WaitHandle.WaitOne(Pause);
            }
        }
    }

    private void Run(DeepWorker worker, int at)
    {
        Show(worker, at);
        var shown = Environment.TickCount64;
        while (!_stop.IsCancellationRequested)
        {
            if (!worker.Pump())
            {
                try
                {
                    worker.WaitForMore(_stop.Token);
                }
                catch (OperationCanceledException)
                {
                    break;
                }
            }
            if (Environment.TickCount64 - shown < StatusMs) continue;
            shown = Environment.TickCount64;
            Show(worker, at);
        }
        worker.Checkpoint();
        Show(worker, at);
        _figures[at] = worker.Learner.Figures();
    }

    private void Show(DeepWorker worker, int at)
    {
        var learner = worker.Learner;
        var window = learner.Window();
        _status[at] = new WorkerStatus(
            worker.Name, learner.Steps, learner.Promoted, learner.Examples, window, learner.Promotions, learner.Rollbacks, worker.PublishedBytes,
            worker.LagOffsets(), worker.Reenacted, [.. worker.Ledger.Last]);
        NodeMeters.Window(window);
    }

    private DeepWorkerParts PartsOf(string name)
    {
        var settings = _parts.Settings;
        var device = DeepZoo.NeedsTensors(name) ? DeepZoo.DeviceOf(settings.Deep) : null;
        return new DeepWorkerParts
        {
            Name = name, Scores = DeepZoo.ScoresOf(name), Create = catalog => DeepZoo.Create(name, settings, catalog, device), Settings = settings,
            Log = _parts.Log, Folder = Path.Combine(_parts.Folder, name), Time = _parts.Time,
            Notice = text => _parts.Notice(new NodeNotice(NoticeLevel.Warning, text)),
        };
    }
}
