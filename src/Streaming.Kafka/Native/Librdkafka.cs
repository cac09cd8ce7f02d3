using System.Runtime.InteropServices;
using System.Text;
using Streaming.Core.Log;

namespace Streaming.Kafka.Native;

/// <summary>
/// The part of librdkafka's C interface (rdkafka.h, rdkafka_mock.h) that Confluent.Kafka does not pass on: reading a batch of
/// one partition from its own queue, and the mock cluster. Handles made here are never mixed with Confluent.Kafka's.
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

    /// <summary>Creates a client. <paramref name="log"/> (may be null: silent) gets librdkafka's log; <paramref name="opaque"/> comes back from rd_kafka_opaque.</summary>
    /// <exception cref="EventLogException">A property is wrong, or the client cannot start.</exception>
    public static nint NewClient(
        int type, IEnumerable<KeyValuePair<string, string>> properties, delegate* unmanaged[Cdecl]<nint, int, byte*, byte*, void> log, nint opaque)
    {
        var text = stackalloc byte[ErrorTextLength];
        var conf = rd_kafka_conf_new();
        foreach (var (name, value) in properties)
        {
            if (rd_kafka_conf_set(conf, name, value, text, ErrorTextLength) == 0) continue;
            rd_kafka_conf_destroy(conf);
            throw new EventLogException($"librdkafka refuses the setting {name}={value}: {Text(text)}");
        }
        rd_kafka_conf_set_log_cb(conf, log);
        rd_kafka_conf_set_opaque(conf, opaque);
        var client = rd_kafka_new(type, conf, text, ErrorTextLength);
        if (client != 0) return client; // which owns conf now
        rd_kafka_conf_destroy(conf);
        throw new EventLogException($"librdkafka could not start a client: {Text(text)}");
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
    [LibraryImport(KafkaLibrary.Name)] public static partial void rd_kafka_conf_set_opaque(nint conf, nint opaque);
    [LibraryImport(KafkaLibrary.Name)] public static partial nint rd_kafka_new(int type, nint conf, byte* error, nuint errorLength);
    [LibraryImport(KafkaLibrary.Name)] public static partial void rd_kafka_destroy(nint client);
    [LibraryImport(KafkaLibrary.Name)] public static partial nint rd_kafka_opaque(nint client);
    [LibraryImport(KafkaLibrary.Name)] public static partial byte* rd_kafka_err2str(int error);
    [LibraryImport(KafkaLibrary.Name)] public static partial int rd_kafka_last_error();

    [LibraryImport(KafkaLibrary.Name, StringMarshalling = StringMarshalling.Utf8)]
    public static partial nint rd_kafka_topic_new(nint client, string topic, nint conf);
    [LibraryImport(KafkaLibrary.Name)] public static partial void rd_kafka_topic_destroy(nint topic);
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
