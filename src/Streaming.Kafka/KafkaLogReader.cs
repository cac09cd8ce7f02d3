using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Confluent.Kafka;
using Streaming.Core.Log;
using Streaming.Kafka.Native;

namespace Streaming.Kafka;

/// <summary>
/// Reads one partition from its queue in a <see cref="KafkaFetcher"/>, straight into the caller's batch: no managed object per
/// record. The library fetches ahead, up to Kafka:FetchQueueMbMax, and wakes a waiting reader through a callback.
/// </summary>
internal sealed class KafkaLogReader : ILogReader
{
    private const int FetchedMax = 512;

    private readonly KafkaFetcher _fetcher;
    private readonly TopicPartition _partition;
    private readonly Action<KafkaLogReader> _onDispose;
    private readonly TimeProvider _time;
    private readonly WakeSignal _wake = new();
    private readonly GCHandle _wakeHandle;

    // Guards the native handles against a Dispose from another thread (the log's); never contended otherwise.
    private readonly Lock _lock = new();
    private readonly nint[] _fetched = new nint[FetchedMax];
    private readonly nint _topic;
    private readonly nint _queue;
    private int _next;
    private int _count;
    private bool _disposed;

    public unsafe KafkaLogReader(KafkaFetcher fetcher, TopicPartition partition, long offset, TimeProvider time, Action<KafkaLogReader> onDispose)
    {
        (_fetcher, _partition, _time, _onDispose, Offset) = (fetcher, partition, time, onDispose, offset);
        _topic = Librdkafka.rd_kafka_topic_new(fetcher.Client, partition.Topic, 0);
        if (_topic == 0) throw new EventLogException($"cannot open {partition}: {Librdkafka.Describe(Librdkafka.rd_kafka_last_error())}");
        _queue = Librdkafka.rd_kafka_queue_new(fetcher.Client);
        _wakeHandle = GCHandle.Alloc(_wake);
        Librdkafka.rd_kafka_queue_cb_event_enable(_queue, &Wake, GCHandle.ToIntPtr(_wakeHandle));
        if (Librdkafka.rd_kafka_consume_start_queue(_topic, partition.Partition.Value, offset, _queue) == 0) return;
        var error = Librdkafka.rd_kafka_last_error();
        FreeHandles();
        throw new EventLogException($"cannot open {partition} at offset {offset}: {Librdkafka.Describe(error)}");
    }

    public KafkaFetcher Fetcher => _fetcher;

    public TopicPartition Partition => _partition;

    public long Offset { get; private set; }

    public unsafe int Read(LogBatch batch, int recordsMax, long untilOffset = long.MaxValue)
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            var any = TryPeek(passMarks: true, out var message); // which may move the offset, so before it goes into the batch
            batch.Clear(_partition.Partition.Value, Offset);
            while (any && batch.Count < recordsMax && message->Offset < untilOffset)
            {
                var timeMs = Librdkafka.rd_kafka_message_timestamp(message, out _);
                batch.Add(message->Offset, message->Offset + 1, timeMs,
                    new ReadOnlySpan<byte>(message->Key, (int)message->KeyLength), new ReadOnlySpan<byte>(message->Payload, (int)message->Length));
                Offset = message->Offset + 1;
                Pop();
                any = TryPeek(passMarks: false, out message); // a mark ends the batch: what it brings concerns the next one
            }
            // Between the last record and the next one there are markers of transactions at most: whoever reads up to an offset among them has read all.
            if (any && message->Offset > Offset) Offset = Math.Min(message->Offset, untilOffset);
            return batch.Count;
        }
    }

    public async ValueTask WaitAsync(TimeSpan timeout, CancellationToken cancel = default)
    {
        var started = _time.GetTimestamp();
        while (true)
        {
            lock (_lock)
            {
                ObjectDisposedException.ThrowIf(_disposed, this);
                if (HasRecord()) return; // the queue also wakes for end-of-partition marks, which are not worth waking for
            }
            var left = timeout == Timeout.InfiniteTimeSpan ? timeout : timeout - _time.GetElapsedTime(started);
            if ((left <= TimeSpan.Zero && left != Timeout.InfiniteTimeSpan) || !await _wake.WaitAsync(left, _time, cancel)) return;
        }
    }

    public void Dispose()
    {
        lock (_lock)
        {
            if (_disposed) return;
            _disposed = true;
            while (_next < _count) Pop();
            Librdkafka.rd_kafka_consume_stop(_topic, _partition.Partition.Value);
            FreeHandles();
        }
        _wake.Set();
        _onDispose(this);
    }

    private unsafe bool HasRecord() => TryPeek(passMarks: true, out _);

    /// <summary>
    /// The next record, left where it is: the caller's bound may exclude it. Marks are what else the queue holds: the end of the
    /// partition, errors, and records that go backwards.
    /// </summary>
    private unsafe bool TryPeek(bool passMarks, out Librdkafka.Message* message)
    {
        while (true)
        {
            if (_next == _count && !Fetch())
            {
                message = null;
                return false;
            }
            message = (Librdkafka.Message*)_fetched[_next];
            if (message->Error == 0 && message->Offset >= Offset) return true;
            if (!passMarks) return false;
            var problem = OnMark(message);
            Pop();
            if (problem is not null) throw problem;
        }
    }

    private unsafe bool Fetch()
    {
        _next = 0;
        _wake.Reset(); // before looking: what arrives after the look sets it again
        fixed (nint* into = _fetched) _count = Math.Max(0, (int)Librdkafka.rd_kafka_consume_batch_queue(_queue, 0, (Librdkafka.Message**)into, FetchedMax));
        if (_count == FetchedMax) _wake.Set(); // there may be more, and the queue tells only when it stops being empty
        return _count > 0;
    }

    private unsafe void Pop() => Librdkafka.rd_kafka_message_destroy((Librdkafka.Message*)_fetched[_next++]);

    /// <summary>Returns what must stop the caller; everything the library deals with by itself is only reported.</summary>
    private unsafe EventLogException? OnMark(Librdkafka.Message* message)
    {
        var code = (ErrorCode)message->Error;
        switch (code)
        {
            case ErrorCode.NoError:
                return new EventLogException(
                    $"{_partition} went back from offset {Offset} to {message->Offset}: it was truncated or created anew. " +
                    "Positions of before mean other records now; start with a fresh Kafka:Prefix, or reset the positions.");
            case ErrorCode.Local_PartitionEOF: // its offset lies behind transaction markers, which are no records
                Offset = Math.Max(Offset, message->Offset);
                return null;
            case ErrorCode.Local_BadMsg or ErrorCode.Local_BadCompression or ErrorCode.InvalidMsg:
                // The library would go on behind the damage; silently losing records is not for it to decide.
                return new EventLogException($"{_partition} holds a damaged record at or after offset {Offset}: {Librdkafka.Describe(message)}. " +
                    "Restore the partition from a replica, or commit a later position to go on behind the damage.");
            case ErrorCode.TopicAuthorizationFailed:
                return new EventLogException($"may not read {_partition}: {Librdkafka.Describe(message)}. Grant this client read on the topic.");
            default:
                _fetcher.Report($"Kafka reader of {_partition}: {Librdkafka.Describe(message)} ({code})");
                return null;
        }
    }

    private unsafe void FreeHandles()
    {
        Librdkafka.rd_kafka_queue_cb_event_enable(_queue, null, 0); // under the queue's lock: no callback after this
        Librdkafka.rd_kafka_queue_destroy(_queue);
        Librdkafka.rd_kafka_topic_destroy(_topic);
        _wakeHandle.Free();
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Wake(nint client, nint opaque) => (GCHandle.FromIntPtr(opaque).Target as WakeSignal)?.Set();
}
