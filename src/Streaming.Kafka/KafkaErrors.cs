using Confluent.Kafka;
using Streaming.Core.Log;
using Streaming.Core.Settings;

namespace Streaming.Kafka;

/// <summary>Turns Kafka's errors into <see cref="EventLogException"/>: what was tried, the broker's words, what to do.</summary>
internal static class KafkaErrors
{
    /// <param name="what">What was tried.</param>
    /// <param name="error">The error.</param>
    /// <param name="settings">Named in the advice.</param>
    /// <param name="refusal">A line of the library's log about refused credentials, or null: then no broker was to be had because of that.</param>
    /// <param name="inner">The exception that told it.</param>
    public static EventLogException Exception(string what, Error error, KafkaSettings settings, string? refusal = null, Exception? inner = null) =>
        refusal is not null && IsUnreachable(error.Code)
            ? new($"{what}: {refusal.TrimEnd('.')}. {KafkaSecurity.Advice(settings)}", inner)
            : new($"{what}: {error.Reason} ({error.Code}){Advice(error.Code, settings)}", inner);

    private static bool IsUnreachable(ErrorCode code) => code is
        ErrorCode.Local_Transport or ErrorCode.Local_AllBrokersDown or ErrorCode.Local_TimedOut or ErrorCode.Local_MsgTimedOut
        or ErrorCode.RequestTimedOut or ErrorCode.NetworkException or ErrorCode.BrokerNotAvailable or ErrorCode.Local_Ssl;

    /// <summary>True when the same request may well succeed a moment later.</summary>
    public static bool IsTransient(ErrorCode code) => code is
        ErrorCode.Local_Transport or ErrorCode.Local_TimedOut or ErrorCode.Local_WaitCoord or ErrorCode.Local_AllBrokersDown
        or ErrorCode.RequestTimedOut or ErrorCode.NotCoordinatorForGroup or ErrorCode.GroupCoordinatorNotAvailable
        or ErrorCode.GroupLoadInProgress or ErrorCode.LeaderNotAvailable or ErrorCode.NotLeaderForPartition
        or ErrorCode.NetworkException or ErrorCode.BrokerNotAvailable or ErrorCode.ReplicaNotAvailable
        or ErrorCode.Local_QueueFull;

    private static string Advice(ErrorCode code, KafkaSettings settings) => code switch
    {
        ErrorCode.Local_Transport or ErrorCode.Local_AllBrokersDown or ErrorCode.Local_TimedOut or ErrorCode.Local_MsgTimedOut
            or ErrorCode.Local_Resolve or ErrorCode.RequestTimedOut or ErrorCode.NetworkException or ErrorCode.BrokerNotAvailable =>
            $". Is Kafka running and reachable at '{settings.Bootstrap}' (Kafka:Bootstrap, --kafka, KAFKA_BOOTSTRAP)? " +
            $"Waited at most {settings.TimeoutMs} ms (Kafka:TimeoutMs).",
        ErrorCode.Local_Authentication or ErrorCode.SaslAuthenticationFailed or ErrorCode.UnsupportedSaslMechanism or ErrorCode.Local_Ssl =>
            $". {KafkaSecurity.Advice(settings)}",
        ErrorCode.TopicAuthorizationFailed or ErrorCode.GroupAuthorizationFailed or ErrorCode.ClusterAuthorizationFailed =>
            $". Grant this client read, write, describe and create on topics and read on groups that start with '{settings.Prefix}'.",
        ErrorCode.MsgSizeTooLarge or ErrorCode.RecordListTooLarge or ErrorCode.InvalidMsgSize =>
            ". Raise the topic's max.message.bytes, or lower Log:RecordBytesMax.",
        ErrorCode.InvalidReplicationFactor => ". Lower Kafka:ReplicationFactor to at most the number of brokers.",
        ErrorCode.NotEnoughReplicas or ErrorCode.NotEnoughReplicasAfterAppend =>
            ". Too few replicas are in sync: bring the missing broker back, or lower the topic's min.insync.replicas.",
        ErrorCode.UnknownTopicOrPart or ErrorCode.Local_UnknownTopic or ErrorCode.Local_UnknownPartition =>
            ". Was the topic deleted, or created anew with fewer partitions?",
        ErrorCode.UnknownMemberId or ErrorCode.IllegalGeneration or ErrorCode.RebalanceInProgress =>
            ". Another client has joined the group as a member; give this node a Kafka:Prefix of its own.",
        _ => ".",
    };
}
