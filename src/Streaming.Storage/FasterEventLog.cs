using System.Buffers;
using Streaming.Core.Ids;
using Streaming.Core.Log;
using Streaming.Core.Ports;
using Streaming.Core.Settings;
using Streaming.Storage.Log;

namespace Streaming.Storage;

/// <summary>
/// The embedded event log: one FasterLog per topic and partition in <c>folder/topic/partition</c>, opened at first use; the groups'
/// positions in <c>folder/topic/groups</c>. Offsets are FASTER's logical addresses: they grow, but not by one.
/// </summary>
public sealed class FasterEventLog : IEventLog, IErasableLog
{
    private readonly string _folder;
    private readonly LogSettings _settings;
    private readonly StorageSettings _storage;
    private readonly TimeProvider _time;
    private readonly LogManifest _manifest;
    private readonly FileStream _inUse;
    private readonly Dictionary<string, Topic> _topics;
    private readonly ITimer _retention;
    private readonly SemaphoreSlim _retaining = new(1);
    private volatile bool _disposed;

    private sealed class Topic(string name, string folder, int partitions, bool sync)
    {
        public string Name { get; } = name;
        public string Folder { get; } = folder;
        public LogPartition?[] Partitions { get; } = new LogPartition?[partitions];
        public Lazy<GroupPositions> Groups { get; } = new(() => new GroupPositions(Path.Combine(folder, "groups"), sync));
    }

    /// <exception cref="EventLogException">
    /// The folder cannot be written, another process has it open, or it was written with another number of partitions.
    /// </exception>
    public FasterEventLog(string folder, LogSettings settings, StorageSettings storage, TimeProvider time)
    {
        _folder = Path.GetFullPath(folder);
        _settings = settings;
        _storage = storage;
        _time = time;
        try
        {
            Directory.CreateDirectory(_folder);
            _inUse = OpenLock(Path.Combine(_folder, "in-use"));
            try
            {
                _manifest = LogManifest.OpenOrCreate(_folder, settings, storage);
            }
            catch
            {
                _inUse.Dispose();
                throw;
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw CannotUse(_folder, e);
        }
        _topics = Topics.All.ToDictionary(name => name, name => new Topic(name, Path.Combine(_folder, name), Topics.PartitionsOf(name, settings.Partitions), storage.LogSync));
        var interval = TimeSpan.FromSeconds(storage.LogRetentionIntervalSeconds);
        _retention = time.CreateTimer(_ => _ = RetainNowAsync(), null, interval, interval);
    }

    /// <summary>The last failure of scheduled retention, or null; appends go on regardless.</summary>
    public Exception? RetentionFailure { get; private set; }

    public int PartitionCount(string topic) => Find(topic).Partitions.Length;

    public async ValueTask<LogPosition[]> AppendAsync(string topic, ReadOnlyMemory<LogEntry> entries, CancellationToken cancel = default)
    {
        cancel.ThrowIfCancellationRequested();
        var found = Find(topic);
        var positions = new LogPosition[entries.Length];
        Route(found, entries.Span, positions);
        var touched = ArrayPool<Touched>.Shared.Rent(found.Partitions.Length);
        try
        {
            touched.AsSpan(0, found.Partitions.Length).Clear();
            for (var i = 0; i < positions.Length; i++)
            {
                var number = positions[i].Partition;
                var partition = Partition(found, number);
                var entry = entries.Span[i];
                if (!partition.TryEnqueue(entry, out var offset)) offset = await partition.EnqueueAsync(entry, cancel).ConfigureAwait(false);
                positions[i] = new LogPosition(number, offset);
                touched[number].Add(offset, entry.TimeMs);
            }
            await CommitAsync(found, touched, cancel).ConfigureAwait(false);
        }
        finally
        {
            ArrayPool<Touched>.Shared.Return(touched);
        }
        return positions;
    }

    public ILogReader OpenReader(string topic, int partition, long offset) => new PartitionReader(Checked(Find(topic), partition), offset, _time);

    public ValueTask<LogRange> RangeAsync(string topic, int partition, CancellationToken cancel = default)
    {
        cancel.ThrowIfCancellationRequested();
        var found = Checked(Find(topic), partition);
        return ValueTask.FromResult(new LogRange(found.Earliest, found.Committed));
    }

    public ValueTask CommitAsync(string group, string topic, IReadOnlyList<LogPosition> next, CancellationToken cancel = default)
    {
        cancel.ThrowIfCancellationRequested();
        var found = Find(topic);
        foreach (var position in next)
            if (position.Partition < 0 || position.Partition >= found.Partitions.Length || position.Offset < 0)
                throw new EventLogException($"'{position}' is not a position of topic '{topic}', which has partitions 0 to {found.Partitions.Length - 1}.");
        try
        {
            found.Groups.Value.Commit(group, next);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw CannotUse(found.Folder, e);
        }
        return ValueTask.CompletedTask;
    }

    public ValueTask<IReadOnlyList<LogPosition>> CommittedAsync(string group, string topic, CancellationToken cancel = default)
    {
        cancel.ThrowIfCancellationRequested();
        var found = Find(topic);
        try
        {
            return ValueTask.FromResult<IReadOnlyList<LogPosition>>(found.Groups.Value.Committed(group));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw CannotUse(found.Folder, e);
        }
    }

    /// <summary>
    /// Removes what <see cref="LogSettings.RetentionHours"/> and <see cref="LogSettings.RetentionMbPerPartition"/> no longer keep,
    /// whole segments only and never what a group has yet to read. Partitions that are not open, and topics that are an audit, stay as they are.
    /// </summary>
    /// <param name="nowMs">Unix ms that record times are compared with.</param>
    public async Task RetainAsync(long nowMs)
    {
        var oldestMs = _settings.RetentionHours == 0 ? long.MinValue : nowMs - _settings.RetentionHours * 3_600_000L;
        var bytesKept = (long)_settings.RetentionMbPerPartition << 20;
        if (bytesKept == 0 && oldestMs == long.MinValue) return;
        await _retaining.WaitAsync().ConfigureAwait(false);
        try
        {
            foreach (var topic in _topics.Values.Where(t => !Topics.IsAudit(t.Name)))
                for (var i = 0; i < topic.Partitions.Length; i++)
                    if (!_disposed && Volatile.Read(ref topic.Partitions[i]) is { } partition)
                        await partition.RetainAsync(bytesKept, oldestMs, topic.Groups.Value.LowestNeeded(i)).ConfigureAwait(false);
        }
        finally
        {
            _retaining.Release();
        }
    }

    public async Task<bool> EraseAsync(string topic, int partition, long until, Func<LogBatch, int, bool> which, bool mayFill, CancellationToken cancel = default)
    {
        var found = Find(topic);
        var log = Checked(found, partition);
        // Retention must not remove what is being looked at.
        await _retaining.WaitAsync(cancel).ConfigureAwait(false);
        try
        {
            return await log.EraseAsync(until, found.Groups.Value.LowestNeeded(partition), which, mayFill, cancel).ConfigureAwait(false);
        }
        finally
        {
            _retaining.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_disposed) return;
        _disposed = true;
        await _retention.DisposeAsync().ConfigureAwait(false);
        await _retaining.WaitAsync().ConfigureAwait(false);
        foreach (var topic in _topics.Values)
            lock (topic)
                foreach (var partition in topic.Partitions) partition?.Dispose();
        await _inUse.DisposeAsync().ConfigureAwait(false);
    }

    internal static EventLogException CannotUse(string folder, Exception e) =>
        new($"The event log cannot use the folder '{folder}': {e.Message} Check that it is a folder this user may write, that the disk has room, and that no other node uses it.", e);

    /// <summary>What one call appended to one partition.</summary>
    private struct Touched
    {
        private long _firstOffset;
        private long _lastOffset;
        private long _newestMs;

        public readonly bool Any => _lastOffset > 0;

        public void Add(long offset, long timeMs)
        {
            if (!Any)
            {
                _firstOffset = offset;
                _newestMs = timeMs;
            }
            _lastOffset = offset;
            _newestMs = Math.Max(_newestMs, timeMs);
        }

        public readonly void Note(LogPartition partition) => partition.Note(_firstOffset, _lastOffset, _newestMs);

        /// <summary>Durable up to here means that the last record is: its address is below.</summary>
        public readonly long Until => _lastOffset + 1;
    }

    /// <summary>Starts the commits of all partitions touched, then waits for each.</summary>
    private static async ValueTask CommitAsync(Topic topic, Touched[] touched, CancellationToken cancel)
    {
        List<Task>? waiting = null;
        for (var i = 0; i < topic.Partitions.Length; i++)
        {
            if (!touched[i].Any) continue;
            var partition = topic.Partitions[i]!;
            touched[i].Note(partition);
            var commit = partition.CommitAsync(touched[i].Until);
            if (!commit.IsCompletedSuccessfully) (waiting ??= []).Add(commit);
        }
        if (waiting is null) return;
        await Task.WhenAll(waiting).WaitAsync(cancel).ConfigureAwait(false);
    }

    /// <summary>Decides every record's partition and refuses the whole batch when one of them cannot be taken.</summary>
    private void Route(Topic topic, ReadOnlySpan<LogEntry> entries, Span<LogPosition> positions)
    {
        for (var i = 0; i < entries.Length; i++)
        {
            ref readonly var entry = ref entries[i];
            var bytes = (long)entry.Key.Length + entry.Value.Length;
            if (bytes > _settings.RecordBytesMax)
                throw new EventLogException($"A record of topic '{topic.Name}' has {bytes} bytes; Log:RecordBytesMax is {_settings.RecordBytesMax}. Split it, or raise the setting in a new folder.");
            var count = topic.Partitions.Length;
            if (entry.Partition >= count) throw NoPartition(topic, entry.Partition);
            positions[i] = new LogPosition(entry.Partition >= 0 ? entry.Partition : Murmur2.PartitionOf(entry.Key.Span, count), -1);
        }
    }

    private Topic Find(string topic)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        return _topics.TryGetValue(topic, out var found) ? found : throw new EventLogException($"There is no topic '{topic}'. Topics are: {string.Join(", ", Topics.All)}.");
    }

    private LogPartition Checked(Topic topic, int partition) =>
        partition >= 0 && partition < topic.Partitions.Length ? Partition(topic, partition) : throw NoPartition(topic, partition);

    private static EventLogException NoPartition(Topic topic, int partition) =>
        new($"Topic '{topic.Name}' has no partition {partition}: it has 0 to {topic.Partitions.Length - 1}.");

    private LogPartition Partition(Topic topic, int number)
    {
        if (Volatile.Read(ref topic.Partitions[number]) is { } open) return open;
        lock (topic)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            return topic.Partitions[number] ??= new LogPartition(Path.Combine(topic.Folder, number.ToString()), number, _manifest, _storage);
        }
    }

    private async Task RetainNowAsync()
    {
        try
        {
            await RetainAsync(_time.GetUtcNow().ToUnixTimeMilliseconds()).ConfigureAwait(false);
            RetentionFailure = null;
        }
        catch (Exception e) when (e is EventLogException or IOException or UnauthorizedAccessException or ObjectDisposedException)
        {
            RetentionFailure = e;
        }
    }

    private FileStream OpenLock(string path)
    {
        try
        {
            return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException e) when (File.Exists(path))
        {
            throw new EventLogException($"The event log in '{_folder}' is in use by another process. Stop that node, or give this one a folder of its own.", e);
        }
    }
}
