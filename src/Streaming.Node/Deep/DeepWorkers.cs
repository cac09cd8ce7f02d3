using Streaming.Core.Threads;
using Streaming.Learning.Deep;
using Streaming.Tensors;
using TorchSharp;

namespace Streaming.Node.Deep;

/// <summary>A deep model's figures at one moment.</summary>
/// <param name="Serving">The version that this node's lists are made with; 0 for none yet.</param>
/// <param name="Steps">Mini-batches learned.</param>
/// <param name="Auc">Prequential, over the last predictions; NaN when undefined.</param>
/// <param name="LagOffsets">How far its worker is behind the log: bytes on the embedded log, records on Kafka.</param>
/// <param name="Ledger">The canary's last verdicts, newest last.</param>
public sealed record DeepModelStatus(
    string Name, long Serving, long Steps, long Examples, double Auc, long Promotions, long Rollbacks, long PublishedBytes, long LagOffsets,
    IReadOnlyList<LedgerEntry> Ledger);

/// <summary>
/// The role <c>trainer</c> in this process: a thread per deep model that learns and publishes, and one that reads what was published. All stand
/// back for rounds and look-ups. A worker that fails is opened again from its checkpoint; lists go on with the last version meanwhile.
/// </summary>
internal sealed class DeepWorkers : IDisposable
{
    private const int PollMs = 100;
    private const int StatusMs = 1_000;
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(5);

    private readonly NodeParts _parts;
    private readonly DeepServing _serving;
    private readonly CancellationTokenSource _stop = new();
    private readonly List<Thread> _threads = [];
    private readonly DeepModelStatus?[] _status;

    private DeepWorkers(NodeParts parts, DeepServing serving)
    {
        (_parts, _serving) = (parts, serving);
        _status = new DeepModelStatus?[parts.Settings.Deep.Models.Count];
    }

    /// <summary>Starts the threads; without libtorch a notice says so, what needs tensors does not learn, and its arms' lists are the learned arm's.</summary>
    public static DeepWorkers? Start(NodeParts parts, DeepServing serving)
    {
        var models = parts.Settings.Deep.Models;
        var hasTensors = TorchRuntime.TryLoad(out var reason);
        var idle = models.Where(m => !hasTensors && DeepZoo.NeedsTensors(m)).ToList();
        if (idle.Count > 0) parts.Notice(new NodeNotice(NoticeLevel.Warning, $"deep models do not learn ({string.Join(", ", idle)}): {reason}"));
        if (idle.Count == models.Count) return null;
        var workers = new DeepWorkers(parts, serving);
        for (var i = 0; i < models.Count; i++)
        {
            var at = i;
            if (idle.Contains(models[i])) continue;
            workers._threads.Add(BackgroundThread.Start($"trainer-{models[i]}", BackgroundThread.Idle, () => workers.Learn(at)));
        }
        workers._threads.Add(BackgroundThread.Start("models", BackgroundThread.Prompt, workers.Poll));
        return workers;
    }

    /// <summary>The models whose worker has come up, in the order of the settings.</summary>
    public IReadOnlyList<DeepModelStatus> Status => [.. _status.OfType<DeepModelStatus>().Select(s => s with { Serving = _serving.VersionOf(s.Name) })];

    /// <summary>Saves a checkpoint of every worker and ends the threads.</summary>
    public void Dispose()
    {
        _stop.Cancel();
        foreach (var thread in _threads) thread.Join();
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
        var shown = -(long)StatusMs;
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
            var learner = worker.Learner;
            _status[at] = new DeepModelStatus(
                worker.Name, 0, learner.Steps, learner.Examples, learner.WindowAuc(), learner.Promotions, learner.Rollbacks, worker.PublishedBytes,
                worker.LagOffsets(), [.. worker.Ledger.Last]);
        }
        worker.Checkpoint();
    }

    private void Poll()
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                if (_serving.Poll() == 0) _stop.Token.WaitHandle.WaitOne(PollMs);
            }
            catch (Exception problem) when (problem is not OutOfMemoryException)
            {
                _parts.Notice(new NodeNotice(NoticeLevel.Warning, $"versions of deep models cannot be read: {problem.Message}", problem));
                _stop.Token.WaitHandle.WaitOne(Pause);
            }
        }
    }

    private DeepWorkerParts PartsOf(string name)
    {
        var settings = _parts.Settings;
        var device = !DeepZoo.NeedsTensors(name) || settings.Deep.Device == "cpu" || (settings.Deep.Device == "auto" && !torch.cuda.is_available()) ? null : torch.device("cuda");
        return new DeepWorkerParts
        {
            Name = name, Scores = DeepZoo.ScoresOf(name), Create = catalog => DeepZoo.Create(name, settings, catalog, device), Settings = settings,
            Log = _parts.Log, Folder = Path.Combine(_parts.CheckpointDir, "..", "workers", name), Time = _parts.Time,
            Notice = text => _parts.Notice(new NodeNotice(NoticeLevel.Warning, text)),
        };
    }
}
