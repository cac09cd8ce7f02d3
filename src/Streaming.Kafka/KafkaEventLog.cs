using Streaming.Core.Log;
using Streaming.Core.Settings;

namespace Streaming.Kafka;

/// <summary>
/// The event log on Kafka. Topics and groups are named Kafka:Prefix + name. Appends go through one idempotent producer
/// (acks=all), reads see committed transactions only, positions of groups are Kafka's own committed offsets. Transactions have a
/// producer of their own.
/// </summary>
/// <remarks>
/// Native clients: one producer, one each for metadata and watermarks, one per group that commits, and one that fetches for all readers (one more
/// for each further reader of a partition that is read already). Each has a few threads and a connection per broker.
/// </remarks>
public sealed class KafkaEventLog : ISharedLog
{
    private readonly KafkaClients _clients;
    private readonly KafkaTopics _topics;
    private readonly KafkaGroups _groups;
    private readonly KafkaAppender _appender;
    private readonly KafkaTransactions _transactions;
    private readonly TimeProvider _time;
    private readonly Lock _lock = new();
    private readonly List<KafkaFetcher> _fetchers = [];
    private readonly HashSet<KafkaLogReader> _readers = [];
    private bool _disposed;

    /// <param name="kafka">Where the brokers are, and the bounds.</param>
    /// <param name="log">Partitions and retention of topics that are created, and the largest record.</param>
    /// <param name="time">Clock of time-outs and retries; the log's records carry their own time.</param>
    /// <param name="writer">This process's name among others that share the log, different from every other's; "" where it is the only one that writes.</param>
    /// <param name="problem">Told of what the library overcomes by itself (lost connections and the like); called from its threads.</param>
    /// <exception cref="EventLogException">librdkafka is not there, or no bootstrap address is set. Whether brokers answer shows at the first call.</exception>
    public KafkaEventLog(KafkaSettings kafka, LogSettings log, TimeProvider time, Action<string>? problem = null, string writer = "")
    {
        KafkaLibrary.EnsureLoaded();
        if (string.IsNullOrWhiteSpace(kafka.Bootstrap))
            throw new EventLogException("no Kafka address is set: give Kafka:Bootstrap, --kafka HOST:PORT or KAFKA_BOOTSTRAP");
        _time = time;
        _clients = new KafkaClients(kafka, log, what => problem?.Invoke(what));
        _topics = new KafkaTopics(_clients, time);
        _groups = new KafkaGroups(_clients, _topics, time);
        _appender = new KafkaAppender(_clients, time);
        _transactions = new KafkaTransactions(_clients, _topics, _groups, time, writer);
    }

    /// <inheritdoc/>
    public int PartitionCount(string topic) => _topics.Get(topic).Partitions.Length;

    /// <inheritdoc/>
    public async ValueTask<LogPosition[]> AppendAsync(string topic, ReadOnlyMemory<LogEntry> entries, CancellationToken cancel = default)
    {
        cancel.ThrowIfCancellationRequested();
        KafkaTopics.Check(topic);
        if (entries.IsEmpty) return [];
        CheckSizes(entries.Span);
        if (!_topics.TryGet(topic, out var found)) found = await Task.Run(() => _topics.Get(topic), cancel);
        CheckPartitions(entries.Span, found);
        return await _appender.AppendAsync(found, entries, cancel);
    }

    /// <inheritdoc/>
    /// <remarks>Asks the brokers for the range first, so it blocks for a round trip, at most Kafka:TimeoutMs.</remarks>
    public ILogReader OpenReader(string topic, int partition, long offset)
    {
        var at = _topics.Get(topic, partition);
        var range = _topics.Range(at);
        if (offset > range.End)
            throw new EventLogException($"{at} ends at offset {range.End}; a reader cannot start at {offset}. Was the topic created anew?");
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            var fetcher = _fetchers.Find(one => one.TryReserve(at));
            if (fetcher is null)
            {
                _fetchers.Add(fetcher = new KafkaFetcher(_clients));
                fetcher.TryReserve(at);
            }
            try
            {
                var reader = new KafkaLogReader(fetcher, at, Math.Max(offset, range.Earliest), _time, Closed);
                _readers.Add(reader);
                return reader;
            }
            catch
            {
                fetcher.Release(at);
                throw;
            }
        }
    }

    /// <inheritdoc/>
    public async ValueTask<LogRange> RangeAsync(string topic, int partition, CancellationToken cancel = default)
    {
        KafkaTopics.Check(topic);
        return await Task.Run(() => _topics.Range(_topics.Get(topic, partition)), cancel);
    }

    /// <inheritdoc/>
    public async ValueTask CommitAsync(string group, string topic, IReadOnlyList<LogPosition> next, CancellationToken cancel = default)
    {
        KafkaTopics.Check(topic);
        await _groups.CommitAsync(group, topic, next, cancel);
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<LogPosition>> CommittedAsync(string group, string topic, CancellationToken cancel = default)
    {
        KafkaTopics.Check(topic);
        return await _groups.CommittedAsync(group, topic, cancel);
    }

    /// <inheritdoc/>
    public string Writer => _transactions.Id;

    /// <inheritdoc/>
    public IPartitionShare Join(string group, string topic, Action changed) => _transactions.Share = new KafkaShare(_clients, _topics.Get(topic), group, changed);

    /// <inheritdoc/>
    public async ValueTask FenceAsync(string writer, CancellationToken cancel = default) => await _transactions.FenceAsync(writer, cancel);

    /// <inheritdoc/>
    public async ValueTask BeginAsync(CancellationToken cancel = default) => await _transactions.BeginAsync(cancel);

    /// <inheritdoc/>
    public async ValueTask TransactAsync(LogTransaction transaction, CancellationToken cancel = default)
    {
        foreach (var (topic, entries) in transaction.Appends)
        {
            KafkaTopics.Check(topic);
            foreach (var entry in entries) CheckSize(entry);
        }
        await _transactions.TransactAsync(transaction, cancel);
    }

    /// <summary>Waits for appends under way (at most Kafka:TimeoutMs), closes readers that are still open, and disconnects.</summary>
    public async ValueTask DisposeAsync()
    {
        KafkaLogReader[] readers;
        lock (_lock)
        {
            if (_disposed) return;
            _disposed = true;
            readers = [.. _readers];
        }
        await Task.Run(() =>
        {
            _transactions.Dispose();
            _appender.Dispose();
            foreach (var reader in readers) reader.Dispose();
            foreach (var fetcher in _fetchers) fetcher.Dispose();
            _groups.Dispose();
            _topics.Dispose();
        });
    }

    private void Closed(KafkaLogReader reader)
    {
        lock (_lock)
        {
            _readers.Remove(reader);
            reader.Fetcher.Release(reader.Partition);
        }
    }

    private void CheckSizes(ReadOnlySpan<LogEntry> entries)
    {
        foreach (ref readonly var entry in entries) CheckSize(entry);
    }

    private void CheckSize(in LogEntry entry)
    {
        var bytes = (long)entry.Key.Length + entry.Value.Length;
        if (bytes > _clients.Log.RecordBytesMax)
            throw new EventLogException(
                $"a record has {bytes} bytes; Log:RecordBytesMax allows {_clients.Log.RecordBytesMax}. Send less, or raise the setting.");
    }

    private static void CheckPartitions(ReadOnlySpan<LogEntry> entries, KafkaTopic topic)
    {
        foreach (var entry in entries)
            if (entry.Partition < -1 || entry.Partition >= topic.Partitions.Length)
                throw new EventLogException($"topic '{topic.Name}' has partitions 0 to {topic.Partitions.Length - 1}; a record names {entry.Partition}");
    }
}
