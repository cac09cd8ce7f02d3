using Confluent.Kafka;
using Streaming.Core.Log;

namespace Streaming.Kafka;

/// <summary>
/// Appends through one idempotent producer: the library may send a record again, the broker stores it once. When the producer
/// reports a fatal error (its sequence is broken beyond repair) the next append starts a fresh one.
/// </summary>
internal sealed class KafkaAppender(KafkaClients clients, TimeProvider time) : IDisposable
{
    private static readonly TimeSpan LibraryQueueRetryInterval = TimeSpan.FromMilliseconds(5);

    private readonly InFlightGate _gate = new(clients.Kafka.QueueRecordsMax, (long)clients.Kafka.QueueMbMax << 20);
    private readonly Lock _lock = new();
    private readonly CancellationTokenSource _closed = new();
    private KafkaProducer? _producer;
    private Task _closing = Task.CompletedTask;
    private TaskCompletionSource? _idle;
    private int _calls;
    private bool _disposed;

    public async Task<LogPosition[]> AppendAsync(KafkaTopic topic, ReadOnlyMemory<LogEntry> entries, CancellationToken cancel)
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            _calls++;
        }
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancel, _closed.Token);
        try
        {
            return await SendAsync(topic, entries, either.Token);
        }
        catch (KafkaException e)
        {
            throw clients.Exception($"cannot append to '{topic.Name}'", e.Error, e);
        }
        catch (OperationCanceledException e) when (!cancel.IsCancellationRequested)
        {
            throw new EventLogException($"cannot append to '{topic.Name}': the log was closed", e);
        }
        finally
        {
            lock (_lock)
            {
                if (--_calls == 0) _idle?.SetResult();
            }
        }
    }

    /// <summary>Waits until every append under way has been acknowledged or has failed, which Kafka:TimeoutMs bounds.</summary>
    public void Dispose()
    {
        Task idle;
        lock (_lock)
        {
            if (_disposed) return;
            _disposed = true;
            idle = _calls == 0 ? Task.CompletedTask : (_idle = new TaskCompletionSource()).Task;
        }
        idle.Wait(PatienceMs);
        _producer?.Close(PatienceMs);
        _closing.Wait();
        _closed.Cancel(); // frees whoever the patience did not suffice for
    }

    // Every record is reported within message.timeout.ms (= Kafka:TimeoutMs); the rest is slack for a busy machine.
    private int PatienceMs => clients.Kafka.TimeoutMs + 5_000;

    private async Task<LogPosition[]> SendAsync(KafkaTopic topic, ReadOnlyMemory<LogEntry> entries, CancellationToken cancel)
    {
        var producer = Current();
        if (!producer.Knows(topic.Name)) await Task.Run(() => producer.LookUp(topic.Name), cancel);
        var call = producer.Begin(entries);
        var (next, entered) = (0, false);
        try
        {
            while (next < entries.Length)
            {
                if (producer.Send(call, topic, ref next, ref entered) is { } error)
                {
                    if (error.Code != ErrorCode.Local_QueueFull) throw new KafkaException(error);
                    // The gate keeps the library's queue from filling, but for records whose reports it has not released yet.
                    await Task.Delay(LibraryQueueRetryInterval, time, cancel);
                }
                else if (next < entries.Length)
                {
                    await _gate.EnterAsync(Bytes(entries.Span[next]), cancel);
                    entered = true;
                }
            }
        }
        catch (Exception e)
        {
            if (entered) _gate.Exit(Bytes(entries.Span[next]));
            producer.Abandon(call, next, (e as KafkaException)?.Error ?? new Error(ErrorCode.Local_PurgeQueue));
            if (e is not KafkaException) throw;
        }
        return await call.Task.WaitAsync(cancel);
    }

    private static int Bytes(in LogEntry entry) => entry.Key.Length + entry.Value.Length;

    private KafkaProducer Current()
    {
        lock (_lock)
        {
            if (_producer is { Broken: true } broken)
            {
                clients.Report("the Kafka producer failed for good and is replaced by a fresh one");
                _producer = null;
                _closing = Task.WhenAll(_closing, Task.Run(() => broken.Close(PatienceMs)));
            }
            return _producer ??= new KafkaProducer(clients, _gate);
        }
    }
}
