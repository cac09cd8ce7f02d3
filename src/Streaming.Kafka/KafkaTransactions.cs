using Confluent.Kafka;
using Streaming.Core.Log;

namespace Streaming.Kafka;

/// <summary>
/// Kafka transactions of one writer, named by <c>transactional.id</c>: outputs and group positions in one commit. A producer that fails for
/// good is replaced; the new one's start aborts what the old one left open, or waits for its commit to end. Whether a commit that got no
/// answer counted is then told by the group's positions, which were part of it. Where processes share the partitions, each writes under a name of its
/// own, and it is the group that says who may move which position.
/// </summary>
/// <param name="clients">Of the log.</param>
/// <param name="topics">Of the log.</param>
/// <param name="groups">Of the log.</param>
/// <param name="time">Of the pauses between tries.</param>
/// <param name="name">Of this writer among others; "" for the only one.</param>
internal sealed class KafkaTransactions(KafkaClients clients, KafkaTopics topics, KafkaGroups groups, TimeProvider time, string name) : IDisposable
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

    /// <summary>The <c>transactional.id</c>.</summary>
    public string Id { get; } = clients.Kafka.Prefix + Writer + (name.Length > 0 ? "-" + name : "");

    /// <summary>The place in the group whose positions are moved; null while there is none.</summary>
    public KafkaShare? Share { get; set; }

    public Task BeginAsync(CancellationToken cancel) => InTurnAsync("cannot begin transactions", _ => Producer(), cancel);

    public Task TransactAsync(LogTransaction transaction, CancellationToken cancel) =>
        InTurnAsync("cannot commit a transaction", stop => Transact(transaction, stop), cancel);

    /// <summary>Ends another writer by taking its name: what it has open is aborted, or waited for where its commit is under way.</summary>
    public Task FenceAsync(string writer, CancellationToken cancel) => Task.Run(() =>
    {
        var started = time.GetTimestamp();
        while (true)
        {
            try
            {
                using var taker = NewProducer(writer);
                taker.InitTransactions(Timeout);
                return;
            }
            catch (KafkaException problem)
            {
                if (time.GetElapsedTime(started) > Timeout || !MayPass(problem)) throw clients.Exception($"cannot end the writer '{writer}'", problem.Error, problem);
            }
            if (cancel.WaitHandle.WaitOne(RetryInterval)) cancel.ThrowIfCancellationRequested();
        }
    }, cancel);

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
            catch (PartitionsLostException)
            {
                Abort();
                throw;
            }
            catch (KafkaException problem)
            {
                if (!IsFenced(problem.Error)) Recover(problem);
                else if (name.Length == 0)
                {
                    _fenced = true;
                    Drop();
                    throw Fenced(problem);
                }
                else
                {
                    // Whoever took a partition that this process seemed to have died with has ended what was open. What is still its own, the group knows.
                    _stage = _stage is Stage.Committing or Stage.Lost ? Stage.Lost : Stage.Idle;
                    Drop();
                }
                var spent = time.GetElapsedTime(started) > Timeout;
                if (spent || !(MayPass(problem) || IsFenced(problem.Error))) throw clients.Exception($"{what} as '{Id}'", problem.Error, problem);
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
        for (var i = 0; i < transaction.Appends.Count; i++)
        {
            var (topic, entries) = transaction.Appends[i];
            if (entries.Count == 0) continue;
            if (transaction.IsOrdered && i == transaction.Appends.Count - 1) producer.Flush(cancel);
            var found = topics.Get(topic);
            foreach (var entry in entries) Produce(producer, topic, found, entry, cancel);
        }
        var positions = transaction.Positions
            .SelectMany(topic => topic.Next.Select(next => new TopicPartitionOffset(topics.Get(topic.Topic, next.Partition), next.Offset))).ToList();
        if (positions.Count == 0) return;
        var proof = Share is { } share && share.Group == transaction.Group
            ? share.Proof(positions.Where(p => p.Topic == share.Topic).Select(p => p.Partition.Value))
            : Member(transaction.Group).ConsumerGroupMetadata;
        producer.SendOffsetsToTransaction(positions, proof, Timeout);
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
        Abort();
    }

    private void Abort()
    {
        _stage = Stage.Idle;
        try
        {
            _producer?.AbortTransaction(Timeout);
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
            _producer = NewProducer(Id);
            _started = false;
        }
        if (_started) return _producer;
        _producer.InitTransactions(Timeout);
        _started = true;
        return _producer;
    }

    private IProducer<byte[], byte[]> NewProducer(string id)
    {
        var config = new ProducerConfig(clients.Producer())
        {
            TransactionalId = id,
            TransactionTimeoutMs = Math.Max(clients.Kafka.TransactionTimeoutMs, clients.Kafka.TimeoutMs),
        };
        return new ProducerBuilder<byte[], byte[]>(config)
            .SetErrorHandler((_, error) => clients.Report($"Kafka transactions: {error.Reason}"))
            .SetLogHandler((_, line) => clients.Relay(line)).Build();
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
