using Streaming.Core.Threads;
using Streaming.Learning.Deep;
using Streaming.Learning.Metrics;

namespace Streaming.Node.Deep;

/// <summary>A deep model in this process at one moment.</summary>
/// <param name="Serving">The version that its lists are made with; 0 for none yet.</param>
/// <param name="Applied">Versions taken over.</param>
/// <param name="Gaps">Versions passed over because what they build on was not here.</param>
/// <param name="Corrupt">Records of <c>models</c> that could not be used.</param>
/// <param name="IsBroken">Whether it waits for a snapshot.</param>
/// <param name="Steps">Mini-batches learned; this and what follows is 0, or undefined, where another process learns it.</param>
/// <param name="Auc">Prequential, as the four that follow, over the last predictions (<see cref="WindowFigures"/>); NaN when undefined.</param>
/// <param name="LagOffsets">How far its worker is behind the log: bytes on the embedded log, records on Kafka.</param>
/// <param name="Ledger">The canary's last verdicts, newest last.</param>
public sealed record DeepModelStatus(
    string Name, long Serving, long Applied, long Gaps, long Corrupt, bool IsBroken, long Steps, long Examples, double Auc, double Gauc, double LogLoss,
    double NormalisedEntropy, double Calibration, long Promotions, long Rollbacks, long PublishedBytes, long LagOffsets, IReadOnlyList<LedgerEntry> Ledger)
{
    internal static DeepModelStatus Of(ModelReplica replica, WorkerStatus? worker)
    {
        var window = worker?.Window ?? new WindowFigures(replica.Name, 0, double.NaN, double.NaN, double.NaN, double.NaN, double.NaN);
        return new DeepModelStatus(
            replica.Name, replica.Version, replica.Applied, replica.Gaps, replica.Corrupt, replica.IsBroken, worker?.Steps ?? 0, worker?.Examples ?? 0,
            window.Auc, window.Gauc, window.LogLoss, window.NormalisedEntropy, window.Calibration, worker?.Promotions ?? 0, worker?.Rollbacks ?? 0,
            worker?.PublishedBytes ?? 0, worker?.LagOffsets ?? 0, worker?.Ledger ?? []);
    }
}

/// <summary>The thread of a node that reads and checks what workers have published, wherever they run; rounds take it over.</summary>
internal sealed class ReplicaReader : IDisposable
{
    private const int PollMs = 100;
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(5);

    private readonly DeepServing _serving;
    private readonly Action<NodeNotice> _notice;
    private readonly CancellationTokenSource _stop = new();
    private readonly Thread _thread;

    public ReplicaReader(DeepServing serving, Action<NodeNotice> notice)
    {
        (_serving, _notice) = (serving, notice);
        _thread = BackgroundThread.Start("models", BackgroundThread.Prompt, Poll);
    }

    public void Dispose()
    {
        _stop.Cancel();
        _thread.Join();
        _stop.Dispose();
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
                _notice(new NodeNotice(NoticeLevel.Warning, $"versions of deep models cannot be read: {problem.Message}", problem));
                _stop.Token.WaitHandle.WaitOne(Pause);
            }
        }
    }
}
