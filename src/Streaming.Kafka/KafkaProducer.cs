using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Confluent.Kafka;
using Streaming.Core.Ids;
using Streaming.Core.Log;
using Streaming.Kafka.Native;

namespace Streaming.Kafka;

/// <summary>
/// One idempotent librdkafka producer and the thread that serves its delivery reports. Each record carries (call id, index) as
/// its opaque word, so a report finds its place without an object per record.
/// </summary>
internal sealed unsafe class KafkaProducer
{
    private const int PollMs = 100;

    // The library looks for a new topic's leaders by itself once a second; asking saves that wait, and is no help beyond it.
    private const int LookUpMs = 1_000;

    private readonly KafkaClients _clients;
    private readonly InFlightGate _gate;
    private readonly GCHandle _self;
    private readonly nint _client;
    private readonly Thread _reports;
    private readonly ConcurrentDictionary<string, Lazy<nint>> _topics = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<int, AppendCall> _calls = new();
    private int _lastCall;
    private volatile bool _stop;
    private volatile bool _broken;

    // Producing holds it shared, closing alone: no record may enter a client that is being destroyed.
    private readonly ReaderWriterLockSlim _alive = new();

    public KafkaProducer(KafkaClients clients, InFlightGate gate)
    {
        (_clients, _gate) = (clients, gate);
        _self = GCHandle.Alloc(this);
        try
        {
            _client = Librdkafka.NewClient(Librdkafka.TypeProducer, clients.Producer(), new()
            {
                Log = &OnLog, Error = &OnError, Delivered = &OnDelivered, Opaque = GCHandle.ToIntPtr(_self),
            });
        }
        catch
        {
            _self.Free();
            throw;
        }
        _reports = new Thread(ServeReports) { IsBackground = true, Name = "kafka-delivery-reports" };
        _reports.Start();
    }

    /// <summary>True after a fatal error: nothing more can be produced with this client.</summary>
    public bool Broken => _broken;

    /// <summary>Knows the topic already, so that <see cref="LookUp"/> need not be called.</summary>
    public bool Knows(string topic) => _topics.TryGetValue(topic, out var handle) && handle.IsValueCreated;

    /// <summary>Learns where the topic's leaders are. Blocks for a round trip, at most a second.</summary>
    public void LookUp(string topic)
    {
        _alive.EnterReadLock();
        try
        {
            if (!_stop) Topic(topic);
        }
        finally
        {
            _alive.ExitReadLock();
        }
    }

    /// <summary>Starts a call of <paramref name="entries"/>; send them with <see cref="Send"/>.</summary>
    public AppendCall Begin(ReadOnlyMemory<LogEntry> entries)
    {
        var call = new AppendCall(Interlocked.Increment(ref _lastCall), entries);
        _calls[call.Id] = call;
        return call;
    }

    /// <summary>
    /// Sends entries from <paramref name="next"/> on until all are sent, the gate is full, or the client refuses, which then is
    /// returned; <paramref name="next"/> moves on. <paramref name="entered"/>: the first has passed the gate already.
    /// </summary>
    public Error? Send(AppendCall call, KafkaTopic topic, ref int next, ref bool entered)
    {
        _alive.EnterReadLock();
        try
        {
            if (_stop) return new Error(ErrorCode.Local_Destroy, "the log was closed");
            var entries = call.Entries.Span;
            var handle = Topic(topic.Name);
            for (; next < entries.Length; next++)
            {
                ref readonly var entry = ref entries[next];
                if (!entered && !_gate.TryEnter(entry.Key.Length + entry.Value.Length)) return null;
                entered = true;
                var partition = entry.Partition >= 0 ? entry.Partition : Murmur2.PartitionOf(entry.Key.Span, topic.Partitions.Length);
                if (Produce(handle, partition, entry, ((long)call.Id << 32) | (uint)next) is { } error) return error;
                entered = false;
            }
            return null;
        }
        finally
        {
            _alive.ExitReadLock();
        }
    }

    /// <summary>The records from <paramref name="from"/> on will not be sent.</summary>
    public void Abandon(AppendCall call, int from, Error error)
    {
        if (call.Failed(error, call.Entries.Length - from)) _calls.TryRemove(call.Id, out _);
    }

    /// <summary>Waits for records under way, then destroys the client.</summary>
    public void Close(int patienceMs)
    {
        Librdkafka.rd_kafka_flush(_client, patienceMs);
        _alive.EnterWriteLock();
        _stop = true;
        _alive.ExitWriteLock();
        Librdkafka.rd_kafka_flush(_client, patienceMs); // what slipped in between
        _reports.Join();
        foreach (var topic in _topics.Values) Librdkafka.rd_kafka_topic_destroy(topic.Value);
        Librdkafka.rd_kafka_destroy(_client);
        _self.Free();
    }

    private nint Topic(string name) => _topics.GetOrAdd(name, static (name, self) => new(() => self.OpenTopic(name)), this).Value;

    private nint OpenTopic(string name)
    {
        var topic = Librdkafka.rd_kafka_topic_new(_client, name, 0);
        if (topic == 0) throw new EventLogException($"cannot open the Kafka topic '{name}': {Librdkafka.Describe(Librdkafka.rd_kafka_last_error())}");
        // A failure is no matter: producing waits for the leaders itself, and says what is wrong if they do not come.
        if (Librdkafka.rd_kafka_metadata(_client, 0, topic, out var metadata, Math.Min(LookUpMs, _clients.Kafka.TimeoutMs)) == 0)
            Librdkafka.rd_kafka_metadata_destroy(metadata);
        return topic;
    }

    private Error? Produce(nint topic, int partition, in LogEntry entry, long opaque)
    {
        const int count = 7;
        var arguments = stackalloc Librdkafka.Argument[count];
        byte none = 0; // an empty key or value is not an absent one: its pointer must not be null
        fixed (byte* key = entry.Key.Span, value = entry.Value.Span)
        {
            arguments[0] = new() { Type = Librdkafka.Argument.TopicHandle, Pointer = topic };
            arguments[1] = new() { Type = Librdkafka.Argument.Partition, Int = partition };
            arguments[2] = new() { Type = Librdkafka.Argument.MessageFlags, Int = Librdkafka.Argument.CopyFlag };
            arguments[3] = new() { Type = Librdkafka.Argument.Key, Pointer = (nint)(key == null ? &none : key), Size = (nuint)entry.Key.Length };
            arguments[4] = new() { Type = Librdkafka.Argument.Value, Pointer = (nint)(value == null ? &none : value), Size = (nuint)entry.Value.Length };
            arguments[5] = new() { Type = Librdkafka.Argument.Timestamp, Long = entry.TimeMs };
            arguments[6] = new() { Type = Librdkafka.Argument.Opaque, Pointer = (nint)opaque };
            var refusal = Librdkafka.rd_kafka_produceva(_client, arguments, count);
            if (refusal == 0) return null;
            var code = Librdkafka.rd_kafka_error_code(refusal);
            Librdkafka.rd_kafka_error_destroy(refusal);
            return Describe(code);
        }
    }

    private Error Describe(int code)
    {
        var fatal = Librdkafka.FatalError(_client, out var reason);
        if (fatal == 0) return new Error((ErrorCode)code, Librdkafka.Describe(code));
        _broken = true;
        return new Error((ErrorCode)fatal, reason, isFatal: true);
    }

    private void ServeReports()
    {
        while (!_stop) Librdkafka.rd_kafka_poll(_client, PollMs);
    }

    private void Delivered(Librdkafka.Message* message)
    {
        var (id, index) = ((int)(message->Private >> 32), (int)message->Private);
        _gate.Exit((long)message->Length + (long)message->KeyLength);
        if (!_calls.TryGetValue(id, out var call)) return;
        bool last;
        if (message->Error != 0) last = call.Failed(Describe(message->Error), 1);
        else if (message->Offset >= 0) last = call.Delivered(index, new LogPosition(message->Partition, message->Offset));
        else last = call.Failed(new Error(ErrorCode.DuplicateSequenceNumber, "stored, but the broker no longer knows at which offset"), 1);
        if (last) _calls.TryRemove(id, out _);
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void OnDelivered(nint client, Librdkafka.Message* message, nint opaque) =>
        (GCHandle.FromIntPtr(opaque).Target as KafkaProducer)?.Delivered(message);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void OnError(nint client, int code, byte* reason, nint opaque)
    {
        if (GCHandle.FromIntPtr(opaque).Target is not KafkaProducer producer) return;
        var text = Librdkafka.Text(reason);
        if ((ErrorCode)code == ErrorCode.Local_Fatal)
        {
            producer._broken = true;
            if (Librdkafka.FatalError(client, out var fatal) != 0) text = fatal;
        }
        producer._clients.Report($"Kafka producer: {text}");
    }

    // Connection trouble reaches OnError too; only what the library calls critical is worth a second line.
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void OnLog(nint client, int level, byte* facility, byte* text)
    {
        if (client == 0 || level > (int)SyslogLevel.Error) return;
        var opaque = Librdkafka.rd_kafka_opaque(client);
        if (opaque == 0 || GCHandle.FromIntPtr(opaque).Target is not KafkaProducer producer) return;
        if (level > (int)SyslogLevel.Critical) producer._clients.NoteRefusal(Librdkafka.Text(text));
        else producer._clients.Report($"Kafka producer: {Librdkafka.Text(text)}");
    }
}
