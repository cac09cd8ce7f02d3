using System.Collections.Concurrent;
using System.Globalization;
using Confluent.Kafka;
using Confluent.Kafka.Admin;
using Streaming.Core.Log;

namespace Streaming.Kafka;

/// <summary>A topic as the brokers have it. <see cref="Partitions"/>[p] names partition p to the producer.</summary>
internal sealed record KafkaTopic(string Name, TopicPartition[] Partitions);

/// <summary>Finds topics, creates those that do not exist, and asks for watermarks. Thread-safe; a topic is looked up once.</summary>
internal sealed class KafkaTopics : IDisposable
{
    private static readonly TimeSpan VisiblePollInterval = TimeSpan.FromMilliseconds(50);

    private readonly KafkaClients _clients;
    private readonly TimeProvider _time;
    private readonly Lazy<IConsumer<Ignore, Ignore>> _consumer;
    private readonly Lazy<IAdminClient> _admin;
    private readonly ConcurrentDictionary<string, KafkaTopic> _known = new(StringComparer.Ordinal);
    private readonly Lock _creating = new();
    private readonly ManualResetEventSlim _disposed = new();

    public KafkaTopics(KafkaClients clients, TimeProvider time)
    {
        _clients = clients;
        _time = time;
        _consumer = new(() => clients.Consumer(clients.Kafka.Prefix + "streaming"));
        _admin = new(() => clients.Admin(brokersMayCreate: false));
    }

    private TimeSpan Timeout => TimeSpan.FromMilliseconds(_clients.Kafka.TimeoutMs);

    public bool TryGet(string topic, out KafkaTopic found) => _known.TryGetValue(topic, out found!);

    /// <summary>The topic, created where it does not exist. Blocks until it is usable, at most about Kafka:TimeoutMs.</summary>
    /// <exception cref="EventLogException">No such topic in <see cref="Topics.All"/>, or Kafka refuses.</exception>
    public KafkaTopic Get(string topic)
    {
        Check(topic);
        if (_known.TryGetValue(topic, out var known)) return known;
        lock (_creating)
        {
            if (_known.TryGetValue(topic, out known)) return known;
            var name = _clients.Kafka.Prefix + topic;
            try
            {
                var count = CountUsable(name, out _);
                if (count == 0) count = CreateAndWait(topic, name);
                if (count != Wanted(topic))
                    _clients.Report($"the Kafka topic '{name}' has {count} partitions, not {Wanted(topic)} (Log:Partitions); {count} are used");
                known = new KafkaTopic(name, [.. Enumerable.Range(0, count).Select(p => new TopicPartition(name, p))]);
                _known[topic] = known;
                return known;
            }
            catch (KafkaException e)
            {
                throw _clients.Exception($"cannot look up the Kafka topic '{name}'", e.Error, e);
            }
        }
    }

    /// <summary>The topic's partition, checked.</summary>
    public TopicPartition Get(string topic, int partition)
    {
        var found = Get(topic);
        if ((uint)partition >= (uint)found.Partitions.Length)
            throw new EventLogException($"topic '{found.Name}' has partitions 0 to {found.Partitions.Length - 1}; {partition} was asked for");
        return found.Partitions[partition];
    }

    /// <summary>Earliest kept offset and last stable offset. Blocks at most Kafka:TimeoutMs.</summary>
    public LogRange Range(TopicPartition partition)
    {
        var started = _time.GetTimestamp();
        while (true)
        {
            try
            {
                var marks = _consumer.Value.QueryWatermarkOffsets(partition, Timeout);
                return new LogRange(marks.Low.Value, marks.High.Value);
            }
            catch (KafkaException e)
            {
                if (!KafkaErrors.IsTransient(e.Error.Code) || _time.GetElapsedTime(started) > Timeout || _disposed.Wait(VisiblePollInterval))
                    throw _clients.Exception($"cannot read the offsets of {partition}", e.Error, e);
            }
        }
    }

    public static void Check(string topic)
    {
        if (!Topics.All.Contains(topic, StringComparer.Ordinal))
            throw new EventLogException($"there is no topic '{topic}'; the log has {string.Join(", ", Topics.All)}");
    }

    public void Dispose()
    {
        _disposed.Set();
        if (_admin.IsValueCreated) _admin.Value.Dispose();
        if (_consumer.IsValueCreated) _consumer.Value.Dispose();
    }

    /// <summary>Number of partitions; 0 while the topic is not there or a partition has no leader yet.</summary>
    private int CountUsable(string name, out Error error)
    {
        var found = _admin.Value.GetMetadata(name, Timeout).Topics.FirstOrDefault(t => t.Topic == name);
        error = found?.Error ?? ErrorCode.UnknownTopicOrPart;
        if (error.Code is ErrorCode.TopicAuthorizationFailed or ErrorCode.TopicException) throw new KafkaException(error);
        if (found is null || error.IsError || found.Partitions.Any(p => p.Leader < 0)) return 0;
        return found.Partitions.Count;
    }

    private int CreateAndWait(string topic, string name)
    {
        var refusal = Create(topic, name);
        // Some clusters leave creation to the brokers alone (auto.create.topics.enable), as the mock cluster does.
        if (refusal is not null) AskBrokersToCreate(name);
        var started = _time.GetTimestamp();
        while (true)
        {
            var count = CountUsable(name, out var state);
            if (count > 0) return count;
            if (_time.GetElapsedTime(started) <= Timeout && !_disposed.Wait(VisiblePollInterval)) continue;
            var why = refusal is null ? $"it was created but is not usable yet: {state.Reason}" : $"it could not be created: {refusal.Reason}";
            throw new EventLogException(
                $"the Kafka topic '{name}' is not there; {why}. Create it by hand: kafka-topics.sh --bootstrap-server {_clients.Kafka.Bootstrap} " +
                $"--create --topic {name} --partitions {Wanted(topic)} --replication-factor {_clients.Kafka.ReplicationFactor}");
        }
    }

    private int Wanted(string topic) => Topics.PartitionsOf(topic, _clients.Log.Partitions);

    /// <summary>Null when the topic was created or is there already; else why it was not and may still come by itself.</summary>
    private Error? Create(string topic, string name)
    {
        var specification = new TopicSpecification
        {
            Name = name,
            NumPartitions = Wanted(topic),
            ReplicationFactor = (short)_clients.Kafka.ReplicationFactor,
            Configs = TopicConfig(topic),
        };
        try
        {
            var options = new CreateTopicsOptions { RequestTimeout = Timeout, OperationTimeout = Timeout };
            _admin.Value.CreateTopicsAsync([specification], options).GetAwaiter().GetResult();
            return null;
        }
        catch (CreateTopicsException e) when (e.Results.Count > 0)
        {
            var error = e.Results[0].Error;
            return error.Code switch
            {
                ErrorCode.TopicAlreadyExists => null, // another node was faster
                ErrorCode.InvalidReplicationFactor or ErrorCode.PolicyViolation or ErrorCode.InvalidConfig or ErrorCode.InvalidPartitions =>
                    throw _clients.Exception($"cannot create the Kafka topic '{name}'", error, e),
                _ => error,
            };
        }
        catch (KafkaException e)
        {
            return e.Error;
        }
    }

    /// <summary>
    /// The catalogue and the users' states must outlive the retention of clicks, so the last record per key is kept for good, and so are the
    /// experiments and the operators' steps, all of them; every other topic is cut by age and size.
    /// </summary>
    private Dictionary<string, string> TopicConfig(string topic)
    {
        var log = _clients.Log;
        var retentionMs = log.RetentionHours == 0 ? "-1" : ((long)log.RetentionHours * 3_600_000).ToString(CultureInfo.InvariantCulture);
        var config = new Dictionary<string, string>
        {
            ["max.message.bytes"] = _clients.MessageBytesMax.ToString(CultureInfo.InvariantCulture),
        };
        if (Topics.IsCompacted(topic))
        {
            config["cleanup.policy"] = "compact";
            // Whoever reads the catalogue sees its changes for as long as clicks are kept; of a user's states only the last one counts.
            config["min.compaction.lag.ms"] = topic != Topics.Items || log.RetentionHours == 0 ? "0" : retentionMs;
        }
        else if (Topics.IsAudit(topic))
        {
            config["cleanup.policy"] = "delete";
            config["retention.ms"] = config["retention.bytes"] = "-1";
        }
        else
        {
            config["cleanup.policy"] = "delete";
            config["retention.ms"] = retentionMs;
            config["retention.bytes"] = log.RetentionMbPerPartition == 0 ? "-1" : ((long)log.RetentionMbPerPartition << 20).ToString(CultureInfo.InvariantCulture);
        }
        return config;
    }

    private void AskBrokersToCreate(string name)
    {
        using var admin = _clients.Admin(brokersMayCreate: true);
        admin.GetMetadata(name, Timeout);
    }
}
