using Confluent.Kafka;
using Streaming.Core.Log;
using Streaming.Kafka.Native;

namespace Streaming.Kafka;

/// <summary>
/// librdkafka's mock cluster: brokers in this process that speak Kafka's protocol on loopback ports, with faults on demand.
/// It keeps 5 MB a partition, has no topic creation through the admin client (unknown topics appear with 4 partitions when a
/// producer asks for them), does not isolate aborted transactions and does not drop the repeats of an idempotent producer.
/// </summary>
public sealed unsafe class MockKafkaCluster : IDisposable
{
    /// <summary>Kafka's request types that faults are pushed for most (kafka.apache.org/protocol#protocol_api_keys).</summary>
    public const short Produce = 0, Fetch = 1, ListOffsets = 2, Metadata = 3, OffsetCommit = 8, OffsetFetch = 9, InitProducerId = 22,
        AddPartitionsToTransaction = 24, AddOffsetsToTransaction = 25, EndTransaction = 26, TransactionOffsetCommit = 28;

    private readonly Lock _gate = new();
    private readonly nint _client;
    private nint _cluster;

    /// <param name="brokers">Number of brokers; their ids are 1 to this.</param>
    /// <exception cref="EventLogException">librdkafka is not there, or the cluster cannot start.</exception>
    public MockKafkaCluster(int brokers = 3)
    {
        KafkaLibrary.EnsureLoaded();
        _client = Librdkafka.NewClient(Librdkafka.TypeProducer, [new("client.id", "mock-cluster")], default);
        _cluster = Librdkafka.rd_kafka_mock_cluster_new(_client, brokers);
        if (_cluster == 0)
        {
            Librdkafka.rd_kafka_destroy(_client);
            throw new EventLogException("librdkafka could not start its mock cluster: are loopback ports allowed here?");
        }
        Bootstrap = Librdkafka.Text(Librdkafka.rd_kafka_mock_cluster_bootstraps(_cluster));
        Brokers = brokers;
    }

    /// <summary>host:port of every broker, comma-separated.</summary>
    public string Bootstrap { get; }

    public int Brokers { get; }

    public void CreateTopic(string topic, int partitions, int replicationFactor = 1) =>
        Check(Librdkafka.rd_kafka_mock_topic_create(Cluster, topic, partitions, replicationFactor), $"create topic {topic}");

    /// <summary>Drops the broker's connections and refuses new ones; leaders stay as they are.</summary>
    public void BrokerDown(int broker) => Check(Librdkafka.rd_kafka_mock_broker_set_down(Cluster, broker), $"take broker {broker} down");

    public void BrokerUp(int broker) => Check(Librdkafka.rd_kafka_mock_broker_set_up(Cluster, broker), $"bring broker {broker} up");

    /// <summary>Delays every answer of the broker, ms.</summary>
    public void SetRoundTrip(int broker, int milliseconds) =>
        Check(Librdkafka.rd_kafka_mock_broker_set_rtt(Cluster, broker, milliseconds), $"delay broker {broker}");

    /// <summary>Moves a partition to another leader; -1 leaves it without one.</summary>
    public void SetLeader(string topic, int partition, int broker) =>
        Check(Librdkafka.rd_kafka_mock_partition_set_leader(Cluster, topic, partition, broker), $"move {topic} [{partition}]");

    /// <summary>Metadata requests answer this for the topic until it is set to <see cref="ErrorCode.NoError"/>.</summary>
    public void SetTopicError(string topic, ErrorCode error) => Librdkafka.rd_kafka_mock_topic_set_error(Cluster, topic, (int)error);

    /// <summary>
    /// The next requests of this type fail with these errors, one each, whichever broker they reach, and change nothing.
    /// <see cref="ErrorCode.Local_Transport"/> cuts the connection instead of answering.
    /// </summary>
    public void PushRequestErrors(short apiKey, params ReadOnlySpan<ErrorCode> errors)
    {
        Span<int> codes = stackalloc int[errors.Length];
        for (var i = 0; i < errors.Length; i++) codes[i] = (int)errors[i];
        fixed (int* first = codes) Librdkafka.rd_kafka_mock_push_request_errors_array(Cluster, apiKey, (nuint)codes.Length, first);
    }

    public void Dispose()
    {
        lock (_gate)
        {
            if (_cluster == 0) return;
            Librdkafka.rd_kafka_mock_cluster_destroy(_cluster);
            Librdkafka.rd_kafka_destroy(_client);
            _cluster = 0;
        }
    }

    private nint Cluster
    {
        get
        {
            var cluster = _cluster;
            ObjectDisposedException.ThrowIf(cluster == 0, this);
            return cluster;
        }
    }

    private static void Check(int error, string what)
    {
        if (error != 0) throw new EventLogException($"the mock cluster could not {what}: {Librdkafka.Describe(error)}");
    }
}
