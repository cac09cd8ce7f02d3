using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Streaming.Core.Experiments;
using Streaming.Core.Log;
using Streaming.Core.Settings;
using Streaming.Experiments.Splitting;

namespace Streaming.Node.Splitting;

/// <summary>How a change of the experiments ended.</summary>
public enum ExperimentChangeResult
{
    /// <summary>In force on this node, and on every other as soon as it reads the log.</summary>
    Applied,
    /// <summary>What was wanted is what there is.</summary>
    Unchanged,
    /// <summary>Not sound; <see cref="ExperimentChange.Problems"/> says what.</summary>
    Invalid,
    /// <summary>Somebody else changed them since the version that the change is based on.</summary>
    Conflict,
    /// <summary>Durable, but this node has not come to it in time.</summary>
    NotYet,
}

/// <param name="Version">In force now.</param>
/// <param name="Problems">Why not; empty unless <see cref="ExperimentChangeResult.Invalid"/>.</param>
public sealed record ExperimentChange(ExperimentChangeResult Result, ExperimentsVersion Version, IReadOnlyList<string> Problems);

/// <summary>One line of the audit.</summary>
/// <param name="Offset">Where it lies in <c>experiments</c>.</param>
/// <param name="InForce">False for a version that another writer's came before; it never applied.</param>
public sealed record ExperimentAuditEntry(long Offset, long Version, long ChangedMs, string ChangedBy, string Why, IReadOnlyList<string> Changes, bool InForce);

/// <summary>
/// The experiments of a node. Changes are appended to the <c>experiments</c> topic, and every node takes them from there, its own
/// included, between rounds; the topic's order decides between writers. The whole topic is read at the start, so nothing of it is in a
/// checkpoint. <see cref="Read"/> is the driver's; any thread may do the rest.
/// </summary>
public sealed class ExperimentControl : IDisposable
{
    private const int Attempts = 5;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly IEventLog _log;
    private readonly StreamingSettings _settings;
    private readonly IReadOnlyCollection<string> _policies;
    private readonly TimeProvider _time;
    private readonly AsyncSignal _signal;
    private readonly Action<NodeNotice> _notice;
    private readonly ILogReader _reader;
    private readonly LogBatch _batch = new();

    // Where the changes lie, for the audit: 8 bytes each, beside the definitions that the log holds of each.
    private readonly List<long> _changes = [];
    private readonly HashSet<long> _passedOver = [];
    private readonly SemaphoreSlim _changing = new(1);
    private volatile ExperimentsVersion _current = ExperimentsVersion.None;
    private long _currentOffset = -1;
    private long _readTo;
    private TaskCompletionSource _moved = NewSource();

    internal ExperimentControl(
        IEventLog log, StreamingSettings settings, IReadOnlyCollection<string> policies, TimeProvider time, AsyncSignal signal, Action<NodeNotice> notice)
    {
        (_log, _settings, _policies, _time, _signal, _notice) = (log, settings, policies, time, signal, notice);
        _reader = log.OpenReader(Topics.Experiments, 0, 0);
        _readTo = _reader.Offset;
    }

    /// <summary>In force.</summary>
    public ExperimentsVersion Current => _current;

    /// <summary>Checks, appends, and waits until the change is in force here.</summary>
    /// <param name="who">For the audit.</param>
    /// <param name="why">For the audit; may be empty.</param>
    /// <param name="basedOn">The version that the caller saw, or null: then the change is made anew on whatever is in force.</param>
    /// <param name="change">From what is defined to what shall be. A <see cref="FormatException"/> says that it cannot be.</param>
    /// <exception cref="EventLogException">The log does not take it; it may or may not come into force.</exception>
    public async Task<ExperimentChange> ChangeAsync(
        string who, string why, long? basedOn, Func<ExperimentDefinitions, ExperimentDefinitions> change, CancellationToken cancel = default)
    {
        await _changing.WaitAsync(cancel);
        try
        {
            for (var attempt = 1; ; attempt++)
            {
                var current = _current;
                if (basedOn is { } seen && seen != current.Version) return new ExperimentChange(ExperimentChangeResult.Conflict, current, []);
                if (TryMake(current, who, why, change, out var result) is not { } bytes) return result!;
                var position = (await _log.AppendAsync(Topics.Experiments, new[] { EntryOf(current.Version + 1, bytes) }, cancel))[0];
                _signal.Set();
                if (!await WaitReadAsync(position.Offset, cancel)) return new ExperimentChange(ExperimentChangeResult.NotYet, _current, []);
                if (_current.Version > current.Version && Interlocked.Read(ref _currentOffset) == position.Offset)
                    return new ExperimentChange(ExperimentChangeResult.Applied, _current, []);
                if (basedOn is not null || attempt == Attempts) return new ExperimentChange(ExperimentChangeResult.Conflict, _current, []);
            }
        }
        finally
        {
            _changing.Release();
        }
    }

    /// <summary>Changes that this node has read, newest first, from the log itself.</summary>
    /// <param name="max">At most so many.</param>
    /// <param name="before">Only those before this offset: that of the last entry of the page before.</param>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="EventLogException">The log does not answer.</exception>
    public async Task<IReadOnlyList<ExperimentAuditEntry>> AuditAsync(int max, long before = long.MaxValue, CancellationToken cancel = default)
    {
        long[] page;
        HashSet<long> passedOver;
        lock (_changes)
        {
            page = LogPage.Before(CollectionsMarshal.AsSpan(_changes), before, max, out _);
            passedOver = [.. page.Where(_passedOver.Contains)];
        }
        var entries = new List<ExperimentAuditEntry>(page.Length);
        await LogPage.ReadAsync(_log, Topics.Experiments, page, _time, (batch, i) =>
        {
            var offset = batch.Offset(i);
            if (TryRead(batch, i) is { } change)
                entries.Add(new ExperimentAuditEntry(offset, change.Version, change.ChangedMs, change.ChangedBy, change.Why, change.Changes, !passedOver.Contains(offset)));
        }, cancel);
        entries.Reverse();
        return entries;
    }

    public void Dispose() => _reader.Dispose();

    /// <summary>Takes what the log holds; hands every version in force to <paramref name="apply"/>, in order.</summary>
    internal void Read(Action<ExperimentsVersion> apply)
    {
        while (_reader.Read(_batch, 64) > 0)
        {
            for (var i = 0; i < _batch.Count; i++)
            {
                if (TryRead(_batch, i) is not { } next) continue;
                var inForce = next.Version == _current.Version + 1;
                lock (_changes)
                {
                    _changes.Add(_batch.Offset(i));
                    if (!inForce) _passedOver.Add(_batch.Offset(i));
                }
                if (!inForce)
                {
                    _notice(new NodeNotice(NoticeLevel.Warning, $"version {next.Version} of the experiments by '{next.ChangedBy}' came after another writer's and is passed over"));
                    continue;
                }
                apply(next);
                Interlocked.Exchange(ref _currentOffset, _batch.Offset(i));
                _current = next;
            }
            Interlocked.Exchange(ref _readTo, _batch.NextOffset);
            Interlocked.Exchange(ref _moved, NewSource()).TrySetResult();
        }
    }

    /// <summary>At the start, on the opening thread: everything that is in the log, then the file of the settings where that is nothing.</summary>
    internal async Task OpenAsync(Action<ExperimentsVersion> apply, CancellationToken cancel)
    {
        await ReadToEndAsync(apply, cancel);
        if (_settings.Experiments.File.Length == 0) return;
        var wanted = FromFile(_settings.Experiments.File);
        if (_current.Version > 0)
        {
            if (ExperimentPlanner.Describe(_current.Definitions, wanted) is { Count: > 0 } differences)
                _notice(new NodeNotice(NoticeLevel.Info, $"experiments: version {_current.Version} of the log holds, which differs from {_settings.Experiments.File} ({string.Join("; ", differences)})"));
            return;
        }
        if (TryMake(_current, "file", _settings.Experiments.File, _ => wanted, out var result) is { } bytes)
            await _log.AppendAsync(Topics.Experiments, new[] { EntryOf(1, bytes) }, cancel);
        else if (result!.Problems.Count > 0)
            throw new InvalidDataException($"the experiments of {_settings.Experiments.File} cannot be used:" + string.Concat(result.Problems.Select(p => "\n  " + p)));
        await ReadToEndAsync(apply, cancel);
    }

    /// <summary>Reads a file of definitions.</summary>
    /// <exception cref="InvalidDataException">It is not there, or not definitions.</exception>
    public static ExperimentDefinitions FromFile(string file)
    {
        try
        {
            return ExperimentsJson.ReadDefinitions(File.ReadAllBytes(file));
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException or FormatException)
        {
            throw new InvalidDataException($"{file}: {problem.Message}", problem);
        }
    }

    private async Task ReadToEndAsync(Action<ExperimentsVersion> apply, CancellationToken cancel)
    {
        var end = (await _log.RangeAsync(Topics.Experiments, 0, cancel)).End;
        var started = _time.GetTimestamp();
        while (true)
        {
            Read(apply);
            if (_reader.Offset >= end) break;
            if (_time.GetElapsedTime(started) > Patience) throw new EventLogException($"the topic '{Topics.Experiments}' could not be read up to {end} within {Patience.TotalSeconds:0} s");
            await _reader.WaitAsync(TimeSpan.FromMilliseconds(100), cancel);
        }
        if (_current.Version == 0) return;
        foreach (var problem in ExperimentRules.Check(_current.Definitions, _settings, _policies))
            _notice(new NodeNotice(NoticeLevel.Warning, $"experiments, version {_current.Version}: {problem}; with the settings of this node its users have the default"));
    }

    /// <summary>The stored next version, or null and the result that there is none.</summary>
    private byte[]? TryMake(
        ExperimentsVersion current, string who, string why, Func<ExperimentDefinitions, ExperimentDefinitions> change, out ExperimentChange? result)
    {
        ExperimentDefinitions wanted;
        try
        {
            wanted = change(current.Definitions);
        }
        catch (FormatException problem)
        {
            result = new ExperimentChange(ExperimentChangeResult.Invalid, current, [problem.Message]);
            return null;
        }
        var problems = ExperimentRules.Check(wanted, _settings, _policies);
        if (problems.Count > 0 || ExperimentPlanner.Describe(current.Definitions, wanted).Count == 0)
        {
            result = new ExperimentChange(problems.Count > 0 ? ExperimentChangeResult.Invalid : ExperimentChangeResult.Unchanged, current, problems);
            return null;
        }
        var bytes = ExperimentsJson.Write(ExperimentPlanner.Next(current, wanted, who, why, NowMs()));
        result = bytes.Length <= _settings.Log.RecordBytesMax - 1024 ? null : new ExperimentChange(
            ExperimentChangeResult.Invalid, current, [$"the definitions take {bytes.Length} bytes; a record of the log may have {_settings.Log.RecordBytesMax}: remove experiments that have ended"]);
        return result is null ? bytes : null;
    }

    private LogEntry EntryOf(long version, byte[] bytes) => new(Encoding.UTF8.GetBytes(version.ToString(CultureInfo.InvariantCulture)), bytes, NowMs(), 0);

    private async Task<bool> WaitReadAsync(long offset, CancellationToken cancel)
    {
        var started = _time.GetTimestamp();
        while (true)
        {
            // Taken before the look, so that what is read in between is not missed.
            var moved = Volatile.Read(ref _moved).Task;
            if (Interlocked.Read(ref _readTo) > offset) return true;
            var left = Patience - _time.GetElapsedTime(started);
            if (left <= TimeSpan.Zero) return false;
            try
            {
                await moved.WaitAsync(left, _time, cancel);
            }
            catch (TimeoutException)
            {
                return false;
            }
        }
    }

    private ExperimentsVersion? TryRead(LogBatch batch, int i)
    {
        try
        {
            return ExperimentsJson.ReadVersion(batch.Value(i).Span);
        }
        catch (FormatException problem)
        {
            _notice(new NodeNotice(NoticeLevel.Error, $"a record of '{Topics.Experiments}' at {batch.Offset(i)} is passed over: {problem.Message}", problem));
            return null;
        }
    }

    private long NowMs() => _time.GetUtcNow().ToUnixTimeMilliseconds();

    private static TaskCompletionSource NewSource() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
