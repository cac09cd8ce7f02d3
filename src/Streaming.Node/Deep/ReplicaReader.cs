using Streaming.Core.Feeds;
using Streaming.Core.Threads;
using Streaming.Learning.Deep;
using Streaming.Learning.Metrics;
using Streaming.Models.Reranking;

namespace Streaming.Node.Deep;

/// <summary>Prequential figures of a model of several tasks for one further goal, over the last predictions (<see cref="WindowFigures"/>).</summary>
/// <param name="Count">Predictions that they are of: records that tell the goal.</param>
public sealed record GoalStatus(string Goal, int Count, double Auc, double Gauc, double LogLoss, double NormalisedEntropy, double Calibration)
{
    internal static GoalStatus Of(WindowFigures goal) =>
        new(goal.Model, goal.Count, goal.Auc, goal.Gauc, goal.LogLoss, goal.NormalisedEntropy, goal.Calibration);
}

/// <summary>How the head of a re-ranker has done beside its base ranker, by the copy that serves (<see cref="HeadRecord"/>).</summary>
/// <param name="Model">The re-ranker.</param>
/// <param name="Lists">Judged before they were learned; decayed, so about the last <see cref="HeadRecord.Window"/> at most.</param>
/// <param name="BaseNdcg">Mean NDCG@10 of the base's order; NaN before the first list.</param>
/// <param name="HeadNdcg">The same of the head's order.</param>
/// <param name="IsServed">Whether lists have the head's order: until it is worse than the base's by more than chance gives.</param>
public sealed record HeadStatus(string Model, double Lists, double BaseNdcg, double HeadNdcg, bool IsServed)
{
    internal static HeadStatus Of(string model, HeadRecord record) => new(model, record.Lists, record.Given, record.Head, !record.IsWorse);
}

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
    /// <summary>Whether it orders candidates (<see cref="FeedChannels.Ranks"/>): only then can it be rolled back.</summary>
    public bool Ranks { get; } = FeedChannels.Ranks(Name);

    /// <summary>Of a model of several tasks: each goal beyond the first, whose figures are the model's own.</summary>
    public IReadOnlyList<GoalStatus> Goals { get; init; } = [];

    /// <summary>Of a re-ranker: its head beside its base ranker, as of the last tick.</summary>
    public HeadStatus? Head { get; init; }

    internal static DeepModelStatus Of(ModelReplica replica, WorkerStatus? worker, HeadStatus? head)
    {
        var window = worker?.Window ?? new WindowFigures(replica.Name, 0, double.NaN, double.NaN, double.NaN, double.NaN, double.NaN);
        return new DeepModelStatus(
            replica.Name, replica.Version, replica.Applied, replica.Gaps, replica.Corrupt, replica.IsBroken, worker?.Steps ?? 0, worker?.Examples ?? 0,
            window.Auc, window.Gauc, window.LogLoss, window.NormalisedEntropy, window.Calibration, worker?.Promotions ?? 0, worker?.Rollbacks ?? 0,
            worker?.PublishedBytes ?? 0, worker?.LagOffsets ?? 0, worker?.Ledger ?? []) { Goals = [.. window.Goals.Select(GoalStatus.Of)], Head = head };
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
