using Streaming.Core.Experiments;
using Streaming.Core.Settings;
using Streaming.Core.Threads;
using Streaming.Experiments.Bandits;
using Streaming.Experiments.Ledger;
using Streaming.Experiments.Reporting;

namespace Streaming.Node.Statistics;

/// <summary>
/// The figures of experiments, kept on a thread of their own that stands back for everything else: it reads <c>events</c> behind the node, and at an
/// interval looks at the guard-rails of what runs and stops the arms that harm one. A ledger that fails is opened again from its checkpoint; the
/// node goes on meanwhile.
/// </summary>
public sealed class ExperimentStatistics : IDisposable
{
    private const int IdleMs = 50;
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(5);

    private readonly NodeParts _parts;
    private readonly Func<ExperimentsVersion> _version;
    private readonly GuardRailMonitor _monitor;
    private readonly BanditMover? _bandit;
    private readonly CancellationTokenSource _stop = new();
    private Thread? _thread;
    private volatile LedgerReader? _reader;
    private (ExperimentsVersion Version, IReadOnlyList<TrackedExperiment> List)? _tracked;

    private ExperimentStatistics(NodeParts parts, Func<ExperimentsVersion> version, IExperimentActions actions, BanditMover? bandit) =>
        (_parts, _version, _monitor, _bandit) = (parts, version, new GuardRailMonitor(actions), bandit);

    /// <param name="parts">The node's.</param>
    /// <param name="version">The experiments in force.</param>
    /// <param name="actions">What a harmed guard-rail does.</param>
    /// <param name="bandit">Moves weights; null where none are to move.</param>
    internal static ExperimentStatistics? Start(NodeParts parts, Func<ExperimentsVersion> version, IExperimentActions actions, BanditMover? bandit = null)
    {
        if (!parts.Settings.Experiments.Statistics.Enabled) return null;
        var statistics = new ExperimentStatistics(parts, version, actions, bandit);
        statistics._thread = BackgroundThread.Start("experiments", BackgroundThread.Idle, statistics.Run);
        return statistics;
    }

    /// <summary>Where the figures of a node lie, by its folder of checkpoints.</summary>
    public static string FolderOf(string checkpointDir) => Path.GetFullPath(Path.Combine(checkpointDir, "..", "experiments"));

    /// <summary>Events in the figures.</summary>
    public long Applied => _reader?.Applied ?? 0;

    /// <summary>An experiment as it stands; null for one that there are no figures of.</summary>
    public ExperimentReport? Report(string experiment) => _reader?.Report(experiment, PlanOf(experiment));

    /// <summary>What a bandit weighs an experiment's arms by; empty for one that there are no figures of.</summary>
    public IReadOnlyDictionary<string, ArmSums> SumsOf(string experiment) => _reader?.SumsOf(experiment) ?? new Dictionary<string, ArmSums>();

    /// <summary>Saves a checkpoint and ends the thread.</summary>
    public void Dispose()
    {
        _stop.Cancel();
        _thread?.Join();
        _stop.Dispose();
    }

    private ReportPlan PlanOf(string experiment) => ReportPlan.Of(_version().Definitions.Find(experiment));

    private void Run()
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                using var reader = LedgerReader.Open(new LedgerReaderParts
                {
                    Log = _parts.Log, Folder = FolderOf(_parts.CheckpointDir), Limits = LedgerLimits.Of(_parts.Settings), Experiments = Tracked,
                    CheckpointIntervalMs = _parts.Settings.Experiments.Statistics.CheckpointIntervalMs, Time = _parts.Time,
                    Notice = text => _parts.Notice(new NodeNotice(NoticeLevel.Warning, text)),
                });
                _reader = reader;
                Follow(reader);
            }
            catch (Exception problem) when (problem is not OutOfMemoryException)
            {
                _parts.Notice(new NodeNotice(NoticeLevel.Error, $"the figures of experiments stopped: {problem.Message} They start again from their checkpoint.", problem));
                _stop.Token.WaitHandle.WaitOne(Pause);
            }
            finally
            {
                _reader = null;
            }
        }
    }

    private void Follow(LedgerReader reader)
    {
        var looked = _parts.Time.GetTimestamp();
        while (!_stop.IsCancellationRequested)
        {
            var more = reader.Pump();
            if (_parts.Time.GetElapsedTime(looked).TotalMilliseconds >= _parts.Settings.Experiments.Statistics.LookIntervalMs)
            {
                Look(reader);
                Weigh(reader);
                looked = _parts.Time.GetTimestamp();
            }
            reader.CheckpointIfDue();
            if (more) BackgroundThread.StandBack();
            else _stop.Token.WaitHandle.WaitOne(IdleMs);
        }
        while (reader.Pump())
        {
            // What is there; the next start reads the rest.
        }
        reader.Checkpoint();
    }

    private void Weigh(LedgerReader reader)
    {
        try
        {
            _bandit?.MoveAsync(reader, _stop.Token).GetAwaiter().GetResult();
        }
        catch (OperationCanceledException)
        {
            // The node stops; the next one is as due as this was.
        }
        catch (Exception problem) when (problem is not OutOfMemoryException)
        {
            _parts.Notice(new NodeNotice(NoticeLevel.Error, $"a bandit could not move its weights: {problem.Message} The next look tries again.", problem));
        }
    }

    private void Look(LedgerReader reader)
    {
        var definitions = _version().Definitions;
        foreach (var experiment in definitions.Experiments.Where(e => e.State == ExperimentState.Running && e.Analysis?.GuardRails.Count > 0))
        {
            if (reader.Report(experiment.Name, ReportPlan.Of(experiment)) is not { } report) continue;
            try
            {
                foreach (var arm in _monitor.LookAsync(report, _stop.Token).GetAwaiter().GetResult())
                    _parts.Notice(new NodeNotice(NoticeLevel.Warning, $"experiment '{experiment.Name}': arm '{arm}' was stopped by a guard-rail"));
            }
            catch (OperationCanceledException)
            {
                // The node stops; who runs it next looks again.
                return;
            }
            catch (Exception problem) when (problem is not OutOfMemoryException)
            {
                _parts.Notice(new NodeNotice(NoticeLevel.Error, $"experiment '{experiment.Name}': a guard-rail could not stop an arm: {problem.Message} The next look tries again.", problem));
            }
        }
    }

    private IReadOnlyList<TrackedExperiment> Tracked()
    {
        var now = _version();
        if (_tracked is { } known && ReferenceEquals(known.Version, now)) return known.List;
        var list = TrackedExperiments.Of(now, _parts.Settings.Experiments);
        _tracked = (now, list);
        return list;
    }
}
