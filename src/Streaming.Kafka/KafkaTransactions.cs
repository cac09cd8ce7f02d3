using Confluent.Kafka;
using Streaming.Core.Log;

namespace Streaming.Kafka;

/// <summary>
/// Kafka transactions of one writer, named by <c>transactional.id</c>: outputs and group positions in one commit. A producer that fails for
/// good is replaced; the new one's start aborts what the old one left open, or waits for its commit to end. Whether a commit that got no
/// answer counted is then told by the group's positions, which were part of it.
/// </summary>
internal sealed class KafkaTransactions(KafkaClients clients, KafkaTopics topics, KafkaGroups groups, TimeProvider time) : IDisposable
{
    private const string Writer = "node";
    private static readonly TimeSpan RetryInterval = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan QueueInterval = TimeSpan.FromMilliseconds(5);

    private readonly SemaphoreSlim _turn = new(1, 1);
    private IProducer<byte[], byte[]>? _producer;
    private IConsumer<Ignore, Ignore>? _member;
    private string _memberGroup = "";

    private bool _started;
    private bool _fenced;
    private Stage _stage;

    private enum Stage
    {
        Idle,
        Open,

        /// <summary>The commit has been asked for, and no answer has come.</summary>
        Committing,

        /// <summary>As <see cref="Committing"/>, and the producer that could ask again is gone.</summary>
        Lost,
    }

    private TimeSpan Timeout => TimeSpan.FromMilliseconds(clients.Kafka.TimeoutMs);

    private string Id => clients.Kafka.Prefix + Writer;

    public Task BeginAsync(CancellationToken cancel) => InTurnAsync("cannot begin transactions", _ => Producer(), cancel);

    public Task TransactAsync(LogTransaction transaction, CancellationToken cancel) =>
        InTurnAsync("cannot commit a transaction", stop => Transact(transaction, stop), cancel);

    public void Dispose()
    {
        _turn.Wait();
        Drop();
        _member?.Dispose();
        _turn.Dispose();
    }

    private async Task InTurnAsync(string what, Action<CancellationToken> work, CancellationToken cancel)
    {
        await _turn.WaitAsync(cancel);
        try
        {
            // The client's calls block for round trips; they must not do so on the caller's thread.
            await Task.Run(() => Persist(what, work, cancel), cancel);
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Tries again what may succeed a moment later, until the time is up.</summary>
    private void Persist(string what, Action<CancellationToken> work, CancellationToken cancel)
    {
        if (_fenced) throw Fenced(null);
        var started = time.GetTimestamp();
        while (true)
        {
            try
            {
                work(cancel);
                return;
            }
            catch (KafkaException problem)
            {
                if (IsFenced(problem.Error))
                {
                    _fenced = true;
                    Drop();
                    throw Fenced(problem);
                }
                Recover(problem);
                var spent = time.GetElapsedTime(started) > Timeout;
                if (spent || !MayPass(problem)) throw KafkaErrors.Exception($"{what} as '{Id}'", problem.Error, clients.Kafka, problem);
                clients.Report($"{what} as '{Id}', trying again: {problem.Error.Reason}");
            }
            if (cancel.WaitHandle.WaitOne(RetryInterval)) cancel.ThrowIfCancellationRequested();
        }
    }

    private void Transact(LogTransaction transaction, CancellationToken cancel)
    {
        var producer = Producer();
        if (_stage == Stage.Lost && IsCommitted(transaction)) _stage = Stage.Idle;
        else if (_stage == Stage.Committing) Commit(producer);
        else
        {
            _stage = Stage.Open;
            producer.BeginTransaction();
            Fill(producer, transaction, cancel);
            Commit(producer);
        }
    }

    private void Fill(IProducer<byte[], byte[]> producer, LogTransaction transaction, CancellationToken cancel)
    {
        foreach (var (topic, entries) in transaction.Appends)
        {
            var found = topics.Get(topic);
            foreach (var entry in entries) Produce(producer, topic, found, entry, cancel);
        }
        var positions = transaction.Positions
            .SelectMany(topic => topic.Next.Select(next => new TopicPartitionOffset(topics.Get(topic.Topic, next.Partition), next.Offset))).ToList();
        if (positions.Count > 0) producer.SendOffsetsToTransaction(positions, Member(transaction.Group).ConsumerGroupMetadata, Timeout);
    }

    private void Commit(IProducer<byte[], byte[]> producer)
    {
        _stage = Stage.Committing;
        producer.CommitTransaction(Timeout);
        _stage = Stage.Idle;
    }

    private static void Produce(IProducer<byte[], byte[]> producer, string topic, KafkaTopic found, in LogEntry entry, CancellationToken cancel)
    {
        var message = new Message<byte[], byte[]>
        {
            Key = entry.Key.ToArray(),
            // Compaction removes a key for good by a record without a value.
            Value = Topics.IsCompacted(topic) && entry.Value.IsEmpty ? null! : entry.Value.ToArray(),
            Timestamp = new Timestamp(entry.TimeMs, TimestampType.CreateTime),
        };
        while (true)
        {
            try
            {
                if (entry.Partition < 0) producer.Produce(found.Name, message);
                else producer.Produce(found.Partitions[entry.Partition], message);
                return;
            }
            catch (ProduceException<byte[], byte[]> full) when (full.Error.Code == ErrorCode.Local_QueueFull)
            {
                if (cancel.WaitHandle.WaitOne(QueueInterval)) cancel.ThrowIfCancellationRequested();
            }
        }
    }

    /// <summary>Leaves the writer able to go on: what was begun is aborted, a commit without an answer is asked for again, a broken producer is given up.</summary>
    private void Recover(KafkaException problem)
    {
        if (_producer is null || _stage is Stage.Idle or Stage.Lost)
        {
            if (problem.Error.IsFatal) Drop();
            return;
        }
        if (_stage == Stage.Committing && problem is not KafkaTxnRequiresAbortException)
        {
            if (problem is KafkaRetriableException || KafkaErrors.IsTransient(problem.Error.Code)) return;
            _stage = Stage.Lost;
            Drop();
            return;
        }
        _stage = Stage.Idle;
        try
        {
            _producer.AbortTransaction(Timeout);
        }
        catch (KafkaException)
        {
            Drop(); // the next producer's start ends it
        }
    }

    /// <summary>The producer, once the brokers know it: a start that got no answer is asked for again, not begun anew.</summary>
    private IProducer<byte[], byte[]> Producer()
    {
        if (_producer is null)
        {
            var config = new ProducerConfig(clients.Producer())
            {
                TransactionalId = Id,
                TransactionTimeoutMs = Math.Max(clients.Kafka.TransactionTimeoutMs, clients.Kafka.TimeoutMs),
            };
            _producer = new ProducerBuilder<byte[], byte[]>(config)
                .SetErrorHandler((_, error) => clients.Report($"Kafka transactions: {error.Reason}"))
                .SetLogHandler((_, line) => clients.Relay(line)).Build();
            _started = false;
        }
        if (_started) return _producer;
        _producer.InitTransactions(Timeout);
        _started = true;
        return _producer;
    }

    private void Drop()
    {
        _producer?.Dispose();
        _producer = null;
    }

    private IConsumer<Ignore, Ignore> Member(string group)
    {
        if (_member is not null && _memberGroup == group) return _member;
        _member?.Dispose();
        _memberGroup = group;
        return _member = clients.Consumer(clients.Kafka.Prefix + group);
    }

    private bool IsCommitted(LogTransaction transaction)
    {
        if (transaction.Positions.Count == 0) return false;
        foreach (var (topic, next) in transaction.Positions)
        {
            var committed = groups.CommittedAsync(transaction.Group, topic, CancellationToken.None).GetAwaiter().GetResult().ToHashSet();
            if (!next.All(committed.Contains)) return false;
        }
        return true;
    }

    private static bool IsFenced(Error error) =>
        error.Code is ErrorCode.ProducerFenced or ErrorCode.InvalidProducerEpoch or ErrorCode.Local_Fenced;

    private static bool MayPass(KafkaException problem) =>
        problem is KafkaTxnRequiresAbortException or KafkaRetriableException || problem.Error.IsFatal || KafkaErrors.IsTransient(problem.Error.Code)
        || problem.Error.Code is ErrorCode.ConcurrentTransactions or ErrorCode.Local_State;

    private LogFencedException Fenced(KafkaException? problem) => new(
        $"another node writes as '{Id}' now, so this one cannot go on; give each node a Kafka:Prefix of its own, or stop the other one", problem);
}
