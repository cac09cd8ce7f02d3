using System.Globalization;
using Confluent.Kafka;
using Streaming.Core.Log;
using Streaming.Core.Settings;

namespace Streaming.Kafka;

/// <summary>The librdkafka properties of every client of one log, in one place.</summary>
internal sealed class KafkaClients(KafkaSettings kafka, LogSettings log, Action<string> problem)
{
    private readonly KeyValuePair<string, string>[] _security = [.. KafkaSecurity.Properties(kafka, Environment.GetEnvironmentVariable)];
    private string? _refusal;

    // A record batch's own header and the varints, offsets and lengths around one record.
    private const int RecordOverheadBytes = 1024;

    public KafkaSettings Kafka => kafka;
    public LogSettings Log => log;

    /// <summary>Largest request that carries one record of <see cref="LogSettings.RecordBytesMax"/>.</summary>
    public int MessageBytesMax => log.RecordBytesMax + RecordOverheadBytes;

    /// <summary>Tells the log's owner of something that the library overcame or keeps trying to overcome.</summary>
    public void Report(string what)
    {
        NoteRefusal(what);
        problem(what);
    }

    /// <summary>
    /// The last time a broker refused this client's credentials or certificate, in the library's words, or null. The library tries such a
    /// connection again for ever, so what the call itself comes back with is only that no broker was to be had.
    /// </summary>
    public string? Refusal => Volatile.Read(ref _refusal);

    /// <summary>What was tried, the broker's words, what to do.</summary>
    public EventLogException Exception(string what, Error error, Exception? inner = null) => KafkaErrors.Exception(what, error, kafka, Refusal, inner);

    /// <summary>Keeps a line of the library's log where it tells of refused credentials or a failed handshake.</summary>
    public void NoteRefusal(string line)
    {
        if (KafkaSecurity.IsRefusal(line)) Volatile.Write(ref _refusal, line);
    }

    /// <summary>Properties of the idempotent producer.</summary>
    public Dictionary<string, string> Producer() => new(Common())
    {
        ["enable.idempotence"] = "true",
        ["acks"] = "all",
        ["linger.ms"] = Text(kafka.LingerMs),
        ["message.timeout.ms"] = Text(kafka.TimeoutMs),
        ["request.timeout.ms"] = Text(kafka.TimeoutMs),
        ["message.max.bytes"] = Text(MessageBytesMax),
        // The appender's own gate is the bound; the library's only has to be wider, because a record leaves its count later.
        ["queue.buffering.max.messages"] = Text(kafka.QueueRecordsMax * 2),
        ["queue.buffering.max.kbytes"] = Text(kafka.QueueMbMax * 1024 + 2 * (MessageBytesMax / 1024 + 1)),
    };

    /// <summary>
    /// Client for metadata and topic creation. <paramref name="brokersMayCreate"/>: asking for a topic's metadata may itself
    /// create it, with the brokers' own number of partitions. A client of its own, because Confluent.Kafka 1.9's admin client on
    /// another client's handle polls without pause and takes a core.
    /// </summary>
    public IAdminClient Admin(bool brokersMayCreate)
    {
        var config = new AdminClientConfig(Common());
        config.Set("allow.auto.create.topics", brokersMayCreate ? "true" : "false");
        return new AdminClientBuilder(config).SetLogHandler((_, line) => Relay(line)).Build();
    }

    /// <summary>
    /// A consumer that never subscribes: it asks for watermarks, and commits and reads a group's offsets. It is not polled, so it
    /// has no error handler; what goes wrong comes back from the calls themselves.
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

    /// <summary>A member of a group whose partitions move one by one.</summary>
    public ConsumerConfig Member(string group, int pollMsMax) => new(Common())
    {
        GroupId = kafka.Prefix + group,
        EnableAutoCommit = false,
        AllowAutoCreateTopics = false,
        IsolationLevel = IsolationLevel.ReadCommitted,
        AutoOffsetReset = AutoOffsetReset.Latest,
        PartitionAssignmentStrategy = PartitionAssignmentStrategy.CooperativeSticky,
        SessionTimeoutMs = kafka.SessionTimeoutMs,
        HeartbeatIntervalMs = Math.Clamp(kafka.SessionTimeoutMs / 4, 1, 3_000),
        MaxPollIntervalMs = pollMsMax,
    };

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

    private Dictionary<string, string> Common() => new(_security)
    {
        ["bootstrap.servers"] = kafka.Bootstrap,
        ["client.id"] = "streaming",
        ["socket.timeout.ms"] = Text(Math.Max(kafka.TimeoutMs, 1000)),
        ["reconnect.backoff.ms"] = "50",
        ["reconnect.backoff.max.ms"] = "2000",
        ["log.connection.close"] = "false",
    };

    // Connection trouble reaches the error handler too; only what the library calls critical is worth a second line.
    public void Relay(LogMessage line)
    {
        NoteRefusal(line.Message);
        if (line.Level <= SyslogLevel.Critical) Report($"Kafka: {line.Message}");
    }

    private static string Text(int value) => value.ToString(CultureInfo.InvariantCulture);
}
