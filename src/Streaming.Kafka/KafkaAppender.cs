using System.Collections.Concurrent;
using Confluent.Kafka;
using Streaming.Core.Ids;
using Streaming.Core.Log;

namespace Streaming.Kafka;

/// <summary>
/// Appends through one idempotent producer: the library may send a record again, the broker stores it once. When the producer
/// reports a fatal error (its sequence is broken beyond repair) the next append starts a fresh one.
/// </summary>
internal sealed class KafkaAppender(KafkaClients clients, TimeProvider time) : IDisposable
{
    private static readonly TimeSpan LibraryQueueRetryInterval = TimeSpan.FromMilliseconds(5);

    // The library looks for a new topic's leaders by itself once a second; asking saves that wait, and is no help beyond it.
    private static readonly TimeSpan LookUpPatience = TimeSpan.FromSeconds(1);

    private readonly InFlightGate _gate = new(clients.Kafka.QueueRecordsMax, (long)clients.Kafka.QueueMbMax << 20);
    private readonly Lock _lock = new();
    private readonly CancellationTokenSource _closed = new();
    private Session? _session;
    private Task _closing = Task.CompletedTask;
    private bool _disposed;

    private sealed class Session
    {
        private readonly KafkaAppender _owner;
        private readonly Action<DeliveryReport<AppendSlot, AppendSlot>> _delivered;
        private readonly ConcurrentDictionary<string, bool> _looked = new(StringComparer.Ordinal);
        private readonly IAdminClient _admin;

        public Session(KafkaAppender owner, KafkaClients clients)
        {
            _owner = owner;
            _delivered = Delivered;
            Producer = clients.Producer(error =>
            {
                if (error.IsFatal) Broken = true;
                clients.Report($"Kafka producer: {error.Reason}");
            });
            _admin = new DependentAdminClientBuilder(Producer.Handle).Build();
        }

        public IProducer<AppendSlot, AppendSlot> Producer { get; }

        public volatile bool Broken;

        /// <summary>Makes the producer learn where the topic's leaders are, so that its first record need not wait for it.</summary>
        public async ValueTask LookUpAsync(string topic, CancellationToken cancel)
        {
            if (!_looked.TryAdd(topic, true)) return;
            try
            {
                await Task.Run(() => _admin.GetMetadata(topic, LookUpPatience), cancel);
            }
            catch (KafkaException)
            {
                // Producing waits for the leaders itself, and says what is wrong if they do not come.
            }
        }

        public void Close(TimeSpan patience)
        {
            Producer.Flush(patience);
            _admin.Dispose();
            Producer.Dispose();
        }

        public void Produce(TopicPartition partition, AppendSlot slot, long timeMs) => Producer.Produce(partition, new Message<AppendSlot, AppendSlot>
        {
            Key = slot,
            Value = slot,
            Timestamp = new Timestamp(timeMs, TimestampType.CreateTime),
        }, _delivered);

        private void Delivered(DeliveryReport<AppendSlot, AppendSlot> report)
        {
            if (report.Error.IsFatal) Broken = true;
            var slot = report.Message.Key;
            _owner._gate.Exit(slot.Bytes);
            slot.Call.Delivered(slot.Index, report);
        }
    }

    public async Task<LogPosition[]> AppendAsync(KafkaTopic topic, ReadOnlyMemory<LogEntry> entries, CancellationToken cancel)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancel, _closed.Token);
        try
        {
            return await SendAsync(topic, entries, either.Token);
        }
        catch (KafkaException e)
        {
            throw KafkaErrors.Exception($"cannot append to '{topic.Name}'", e.Error, clients.Kafka, e);
        }
        catch (OperationCanceledException e) when (!cancel.IsCancellationRequested)
        {
            throw new EventLogException($"cannot append to '{topic.Name}': the log was closed", e);
        }
    }

    private async Task<LogPosition[]> SendAsync(KafkaTopic topic, ReadOnlyMemory<LogEntry> entries, CancellationToken cancel)
    {
        var session = Current();
        await session.LookUpAsync(topic.Name, cancel);
        var call = new AppendCall(entries);
        for (var i = 0; i < entries.Length; i++)
        {
            var entry = entries.Span[i];
            var partition = topic.Partitions[entry.Partition >= 0 ? entry.Partition : Murmur2.PartitionOf(entry.Key.Span, topic.Partitions.Length)];
            var bytes = entry.Key.Length + entry.Value.Length;
            if (!_gate.TryEnter(bytes)) await _gate.EnterAsync(bytes, cancel);
            while (true)
            {
                try
                {
                    session.Produce(partition, new AppendSlot(call, i, bytes), entry.TimeMs);
                    break;
                }
                catch (ProduceException<AppendSlot, AppendSlot> e) when (e.Error.Code == ErrorCode.Local_QueueFull && !cancel.IsCancellationRequested)
                {
                    // The gate keeps the library's queue from filling, but for records whose reports it has not released yet.
                    await Task.Delay(LibraryQueueRetryInterval, time, CancellationToken.None);
                }
                catch (Exception e) when (e is KafkaException or ObjectDisposedException)
                {
                    _gate.Exit(bytes);
                    if (e is KafkaException { Error.IsFatal: true }) session.Broken = true;
                    call.Abandon((e as KafkaException)?.Error ?? new Error(ErrorCode.Local_Destroy, "the log was closed"), entries.Length - i);
                    return await call.Task.WaitAsync(cancel);
                }
            }
        }
        return await call.Task.WaitAsync(cancel);
    }

    /// <summary>Waits until every append has been acknowledged or has failed, which Kafka:TimeoutMs bounds.</summary>
    public void Dispose()
    {
        Session? session;
        lock (_lock)
        {
            if (_disposed) return;
            _disposed = true;
            session = _session;
            _session = null;
        }
        if (session is not null) Close(session);
        _closing.Wait();
        _closed.Cancel(); // frees whoever appended while the log was being closed
    }

    private Session Current()
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (_session is { Broken: true } broken)
            {
                clients.Report("the Kafka producer failed for good and is replaced by a fresh one");
                _session = null;
                _closing = Task.WhenAll(_closing, Task.Run(() => Close(broken)));
            }
            return _session ??= new Session(this, clients);
        }
    }

    private void Close(Session session)
    {
        // Every record is reported within message.timeout.ms (= Kafka:TimeoutMs); the rest is slack for a busy machine.
        session.Close(TimeSpan.FromMilliseconds(clients.Kafka.TimeoutMs + 5_000.0));
    }
}
