using System.Globalization;
using Confluent.Kafka;
using Streaming.Core.Settings;

namespace Streaming.Kafka;

/// <summary>The librdkafka properties of every client of one log, in one place.</summary>
internal sealed class KafkaClients(KafkaSettings kafka, LogSettings log, Action<string> problem)
{
    // A record batch's own header and the varints, offsets and lengths around one record.
    private const int RecordOverheadBytes = 1024;

    public KafkaSettings Kafka => kafka;
    public LogSettings Log => log;

    /// <summary>Largest request that carries one record of <see cref="LogSettings.RecordBytesMax"/>.</summary>
    public int MessageBytesMax => log.RecordBytesMax + RecordOverheadBytes;

    /// <summary>Tells the log's owner of something that the library overcame or keeps trying to overcome.</summary>
    public void Report(string what) => problem(what);

    /// <summary>Idempotent producer whose keys and values are both taken out of an <see cref="AppendSlot"/>.</summary>
    public IProducer<AppendSlot, AppendSlot> Producer(Action<Error> onError)
    {
        var config = new ProducerConfig(Common())
        {
            EnableIdempotence = true,
            Acks = Acks.All,
            LingerMs = kafka.LingerMs,
            MessageTimeoutMs = kafka.TimeoutMs,
            RequestTimeoutMs = kafka.TimeoutMs,
            MessageMaxBytes = MessageBytesMax,
            // The appender's own gate is the bound; the library's only has to be wider, because a record leaves its count later.
            QueueBufferingMaxMessages = kafka.QueueRecordsMax * 2,
            QueueBufferingMaxKbytes = kafka.QueueMbMax * 1024 + 2 * (MessageBytesMax / 1024 + 1),
            DeliveryReportFields = "key",
        };
        return new ProducerBuilder<AppendSlot, AppendSlot>(config)
            .SetKeySerializer(AppendSlot.Key).SetValueSerializer(AppendSlot.Value)
            .SetErrorHandler((_, error) => onError(error)).SetLogHandler((_, line) => Relay(line)).Build();
    }

    /// <summary>
    /// A consumer that never subscribes: it asks for metadata and watermarks, and commits and reads a group's offsets. It is
    /// not polled, so it has no error handler; what goes wrong comes back from the calls themselves.
    /// </summary>
    public IConsumer<Ignore, Ignore> Consumer(string group)
    {
        var config = new ConsumerConfig(Common())
        {
            GroupId = group,
            EnableAutoCommit = false,
            AllowAutoCreateTopics = false,
            IsolationLevel = IsolationLevel.ReadCommitted,
            // A commit waits this long for the group's coordinator.
            SessionTimeoutMs = kafka.TimeoutMs,
            HeartbeatIntervalMs = Math.Max(1, kafka.TimeoutMs / 10),
            MaxPollIntervalMs = Math.Max(300_000, kafka.TimeoutMs),
        };
        return new ConsumerBuilder<Ignore, Ignore>(config).SetLogHandler((_, line) => Relay(line)).Build();
    }

    /// <summary>Properties of the client that fetches for all readers.</summary>
    public Dictionary<string, string> Fetcher()
    {
        var fetchMax = Math.Max(50 << 20, MessageBytesMax);
        return new Dictionary<string, string>(Common())
        {
            ["isolation.level"] = "read_committed",
            ["auto.offset.reset"] = "earliest",
            ["enable.auto.commit"] = "false",
            ["enable.partition.eof"] = "true",
            ["allow.auto.create.topics"] = "false",
            ["message.max.bytes"] = Text(MessageBytesMax),
            ["fetch.max.bytes"] = Text(fetchMax),
            ["receive.message.max.bytes"] = Text(fetchMax + MessageBytesMax),
            ["fetch.wait.max.ms"] = Text(kafka.FetchWaitMs),
            ["fetch.error.backoff.ms"] = "100",
            ["queued.max.messages.kbytes"] = Text(kafka.FetchQueueMbMax * 1024),
        };
    }

    private Dictionary<string, string> Common() => new()
    {
        ["bootstrap.servers"] = kafka.Bootstrap,
        ["client.id"] = "streaming",
        ["socket.timeout.ms"] = Text(Math.Max(kafka.TimeoutMs, 1000)),
        ["reconnect.backoff.ms"] = "50",
        ["reconnect.backoff.max.ms"] = "2000",
        ["log.connection.close"] = "false",
    };

    // Connection trouble reaches the error handler too; only what the library calls critical is worth a second line.
    private void Relay(LogMessage line)
    {
        if (line.Level <= SyslogLevel.Critical) Report($"Kafka: {line.Message}");
    }

    private static string Text(int value) => value.ToString(CultureInfo.InvariantCulture);
}
