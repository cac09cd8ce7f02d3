using System.Runtime.InteropServices;
using System.Text;
using Streaming.Core.Log;

namespace Streaming.Kafka.Native;

/// <summary>
/// The part of librdkafka's C interface (rdkafka.h, rdkafka_mock.h) that the hot paths use directly, and the mock cluster, which
/// Confluent.Kafka does not pass on. Per record, Confluent.Kafka allocates some 5 kB to produce and a few objects to consume; this
/// allocates nothing. Handles made here are never mixed with Confluent.Kafka's.
/// </summary>
internal static unsafe partial class Librdkafka
{
    public const int TypeProducer = 0, TypeConsumer = 1;

    private const int ErrorTextLength = 512;

    /// <summary>rd_kafka_message_t; part of the stable ABI.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct Message
    {
        public int Error;
        public nint Topic;
        public int Partition;
        public byte* Payload;
        public nuint Length;
        public byte* Key;
        public nuint KeyLength;
        public long Offset;
        public nint Private;
    }

    /// <summary>rd_kafka_vu_t: one tagged argument of rd_kafka_produceva, 72 bytes.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 72)]
    public struct Argument
    {
        public const int TopicHandle = 2, Partition = 3, Value = 4, Key = 5, Opaque = 6, MessageFlags = 7, Timestamp = 8;

        /// <summary>RD_KAFKA_MSG_F_COPY: the library copies key and value before the call returns.</summary>
        public const int CopyFlag = 2;

        [FieldOffset(0)] public int Type;
        [FieldOffset(8)] public nint Pointer;
        [FieldOffset(8)] public int Int;
        [FieldOffset(8)] public long Long;
        [FieldOffset(16)] public nuint Size;
    }

    /// <summary>What a client calls back; null stays silent. Each finds its owner by rd_kafka_opaque, or by the opaque it is given.</summary>
    public struct Callbacks
    {
        public delegate* unmanaged[Cdecl]<nint, int, byte*, byte*, void> Log;
        public delegate* unmanaged[Cdecl]<nint, int, byte*, nint, void> Error;
        public delegate* unmanaged[Cdecl]<nint, Message*, nint, void> Delivered;
        public nint Opaque;
    }

    /// <summary>Creates a client of <see cref="TypeProducer"/> or <see cref="TypeConsumer"/>.</summary>
    /// <exception cref="EventLogException">A property is wrong, or the client cannot start.</exception>
    public static nint NewClient(int type, IEnumerable<KeyValuePair<string, string>> properties, in Callbacks callbacks)
    {
        var text = stackalloc byte[ErrorTextLength];
        var conf = rd_kafka_conf_new();
        foreach (var (name, value) in properties)
        {
            if (rd_kafka_conf_set(conf, name, value, text, ErrorTextLength) == 0) continue;
            rd_kafka_conf_destroy(conf);
            // Its own words may repeat the value, which may be a password.
            throw new EventLogException(
                KafkaSecurity.IsSecret(name) ? $"librdkafka refuses the value of {name}" : $"librdkafka refuses the setting {name}={value}: {Text(text)}");
        }
        rd_kafka_conf_set_log_cb(conf, callbacks.Log);
        if (callbacks.Error != null) rd_kafka_conf_set_error_cb(conf, callbacks.Error);
        if (callbacks.Delivered != null) rd_kafka_conf_set_dr_msg_cb(conf, callbacks.Delivered);
        rd_kafka_conf_set_opaque(conf, callbacks.Opaque);
        var client = rd_kafka_new(type, conf, text, ErrorTextLength);
        if (client != 0) return client; // which owns conf now
        rd_kafka_conf_destroy(conf);
        throw new EventLogException($"librdkafka could not start a client: {Text(text)}");
    }

    /// <summary>The error that ended a client for good, or 0.</summary>
    public static int FatalError(nint client, out string reason)
    {
        var text = stackalloc byte[ErrorTextLength];
        var code = rd_kafka_fatal_error(client, text, ErrorTextLength);
        reason = code == 0 ? "" : Text(text);
        return code;
    }

    public static string Text(byte* utf8) => Marshal.PtrToStringUTF8((nint)utf8) ?? "";

    public static string Describe(int error) => Text(rd_kafka_err2str(error));

    /// <summary>The error string of a message that carries an error.</summary>
    public static string Describe(Message* message) =>
        message->Payload == null ? Describe(message->Error) : Encoding.UTF8.GetString(message->Payload, (int)message->Length);

    [LibraryImport(KafkaLibrary.Name)] public static partial nint rd_kafka_conf_new();
    [LibraryImport(KafkaLibrary.Name)] public static partial void rd_kafka_conf_destroy(nint conf);
    [LibraryImport(KafkaLibrary.Name, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int rd_kafka_conf_set(nint conf, string name, string value, byte* error, nuint errorLength);
    [LibraryImport(KafkaLibrary.Name)]
    public static partial void rd_kafka_conf_set_log_cb(nint conf, delegate* unmanaged[Cdecl]<nint, int, byte*, byte*, void> log);
    [LibraryImport(KafkaLibrary.Name)]
    public static partial void rd_kafka_conf_set_error_cb(nint conf, delegate* unmanaged[Cdecl]<nint, int, byte*, nint, void> error);
    [LibraryImport(KafkaLibrary.Name)]
    public static partial void rd_kafka_conf_set_dr_msg_cb(nint conf, delegate* unmanaged[Cdecl]<nint, Message*, nint, void> delivered);
    [LibraryImport(KafkaLibrary.Name)] public static partial void rd_kafka_conf_set_opaque(nint conf, nint opaque);
    [LibraryImport(KafkaLibrary.Name)] public static partial nint rd_kafka_new(int type, nint conf, byte* error, nuint errorLength);
    [LibraryImport(KafkaLibrary.Name)] public static partial void rd_kafka_destroy(nint client);
    [LibraryImport(KafkaLibrary.Name)] public static partial nint rd_kafka_opaque(nint client);
    [LibraryImport(KafkaLibrary.Name)] public static partial byte* rd_kafka_err2str(int error);
    [LibraryImport(KafkaLibrary.Name)] public static partial int rd_kafka_last_error();

    [LibraryImport(KafkaLibrary.Name, StringMarshalling = StringMarshalling.Utf8)]
    public static partial nint rd_kafka_topic_new(nint client, string topic, nint conf);
    [LibraryImport(KafkaLibrary.Name)] public static partial void rd_kafka_topic_destroy(nint topic);
    [LibraryImport(KafkaLibrary.Name)]
    public static partial int rd_kafka_metadata(nint client, int allTopics, nint onlyTopic, out nint metadata, int timeoutMs);
    [LibraryImport(KafkaLibrary.Name)] public static partial void rd_kafka_metadata_destroy(nint metadata);

    [LibraryImport(KafkaLibrary.Name)] public static partial nint rd_kafka_produceva(nint client, Argument* arguments, nuint count);
    [LibraryImport(KafkaLibrary.Name)] public static partial int rd_kafka_error_code(nint error);
    [LibraryImport(KafkaLibrary.Name)] public static partial void rd_kafka_error_destroy(nint error);
    [LibraryImport(KafkaLibrary.Name)] public static partial int rd_kafka_fatal_error(nint client, byte* text, nuint length);
    [LibraryImport(KafkaLibrary.Name)] public static partial int rd_kafka_poll(nint client, int timeoutMs);
    [LibraryImport(KafkaLibrary.Name)] public static partial int rd_kafka_flush(nint client, int timeoutMs);

    [LibraryImport(KafkaLibrary.Name)] public static partial nint rd_kafka_queue_new(nint client);
    [LibraryImport(KafkaLibrary.Name)] public static partial void rd_kafka_queue_destroy(nint queue);
    [LibraryImport(KafkaLibrary.Name)]
    public static partial void rd_kafka_queue_cb_event_enable(nint queue, delegate* unmanaged[Cdecl]<nint, nint, void> wake, nint opaque);
    [LibraryImport(KafkaLibrary.Name)] public static partial int rd_kafka_consume_start_queue(nint topic, int partition, long offset, nint queue);
    [LibraryImport(KafkaLibrary.Name)] public static partial int rd_kafka_consume_stop(nint topic, int partition);
    [LibraryImport(KafkaLibrary.Name)]
    public static partial nint rd_kafka_consume_batch_queue(nint queue, int timeoutMs, Message** messages, nuint count);
    [LibraryImport(KafkaLibrary.Name)] public static partial void rd_kafka_message_destroy(Message* message);
    [LibraryImport(KafkaLibrary.Name)] public static partial long rd_kafka_message_timestamp(Message* message, out int type);

    [LibraryImport(KafkaLibrary.Name)] public static partial nint rd_kafka_mock_cluster_new(nint client, int brokers);
    [LibraryImport(KafkaLibrary.Name)] public static partial void rd_kafka_mock_cluster_destroy(nint cluster);
    [LibraryImport(KafkaLibrary.Name)] public static partial byte* rd_kafka_mock_cluster_bootstraps(nint cluster);
    [LibraryImport(KafkaLibrary.Name, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int rd_kafka_mock_topic_create(nint cluster, string topic, int partitions, int replicationFactor);
    [LibraryImport(KafkaLibrary.Name, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int rd_kafka_mock_partition_set_leader(nint cluster, string topic, int partition, int broker);
    [LibraryImport(KafkaLibrary.Name, StringMarshalling = StringMarshalling.Utf8)]
    public static partial void rd_kafka_mock_topic_set_error(nint cluster, string topic, int error);
    [LibraryImport(KafkaLibrary.Name)] public static partial int rd_kafka_mock_broker_set_down(nint cluster, int broker);
    [LibraryImport(KafkaLibrary.Name)] public static partial int rd_kafka_mock_broker_set_up(nint cluster, int broker);
    [LibraryImport(KafkaLibrary.Name)] public static partial int rd_kafka_mock_broker_set_rtt(nint cluster, int broker, int rttMs);
    [LibraryImport(KafkaLibrary.Name)]
    public static partial void rd_kafka_mock_push_request_errors_array(nint cluster, short apiKey, nuint count, int* errors);
}
