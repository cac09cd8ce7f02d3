namespace Streaming.Core.Settings;

/// <summary>Connection to Kafka; used when <see cref="LogSettings.Kind"/> is "kafka".</summary>
public sealed record KafkaSettings
{
    /// <summary>host:port, comma-separated; also --kafka and KAFKA_BOOTSTRAP.</summary>
    public string Bootstrap { get; init; } = "";

    /// <summary>Put before every topic and group name.</summary>
    public string Prefix { get; init; } = "";

    /// <summary>Replication factor of topics that the node creates.</summary>
    public int ReplicationFactor { get; init; } = 1;

    /// <summary>Longest wait for a broker to answer, ms.</summary>
    public int TimeoutMs { get; init; } = 30_000;

    /// <summary>How long the producer gathers records into one request, ms. Adds to the latency of a lone append.</summary>
    public int LingerMs { get; init; } = 2;

    /// <summary>Records appended but not yet acknowledged, over all topics; further appends wait.</summary>
    public int QueueRecordsMax { get; init; } = 100_000;

    /// <summary>The same bound by size, MB of keys and values.</summary>
    public int QueueMbMax { get; init; } = 64;

    /// <summary>Fetched but unread, MB per open reader.</summary>
    public int FetchQueueMbMax { get; init; } = 16;

    /// <summary>How long a broker may hold a fetch that finds nothing new, ms. It answers at once when a record arrives.</summary>
    public int FetchWaitMs { get; init; } = 100;

    /// <summary>"plaintext", "ssl", "sasl_plaintext" or "sasl_ssl".</summary>
    public string SecurityProtocol { get; init; } = "plaintext";

    /// <summary>"PLAIN", "SCRAM-SHA-256" or "SCRAM-SHA-512"; with a protocol that starts with sasl_.</summary>
    public string SaslMechanism { get; init; } = "SCRAM-SHA-512";

    public string SaslUsername { get; init; } = "";

    /// <summary>File with the password; empty: the variable KAFKA_SASL_PASSWORD. The password itself is no setting: it would show on a command line.</summary>
    public string SaslPasswordFile { get; init; } = "";

    /// <summary>PEM of the authorities that may have signed the brokers' certificates; empty: the system's.</summary>
    public string SslCaFile { get; init; } = "";

    /// <summary>PEM of this client's certificate, where the brokers ask for one.</summary>
    public string SslCertificateFile { get; init; } = "";

    /// <summary>PEM of its private key.</summary>
    public string SslKeyFile { get; init; } = "";

    /// <summary>File with the password of the private key; empty: the variable KAFKA_SSL_KEY_PASSWORD, or none.</summary>
    public string SslKeyPasswordFile { get; init; } = "";

    /// <summary>Whether connections are encrypted.</summary>
    public bool UsesSsl => SecurityProtocol is "ssl" or "sasl_ssl";

    /// <summary>Whether this client names itself with a user and password.</summary>
    public bool UsesSasl => SecurityProtocol is "sasl_plaintext" or "sasl_ssl";

    /// <summary>
    /// Whether a round's outputs, the states of the users it changed and its input positions are committed in one transaction. Without, a crash
    /// repeats outputs of the last moments (consumers can tell them by their source), and users' states are in the data folder only.
    /// </summary>
    public bool Transactions { get; init; } = true;

    /// <summary>How long the broker keeps a transaction open whose writer is silent, ms; at most its transaction.max.timeout.ms.</summary>
    public int TransactionTimeoutMs { get; init; } = 60_000;

    /// <summary>
    /// "single": this node works on every partition, and ends any other that did. "group": nodes of one Prefix share the partitions as a consumer group,
    /// and what one of them leaves or loses another goes on with.
    /// </summary>
    public string Ownership { get; init; } = "single";

    /// <summary>How long a node may be silent before the group gives its partitions to others, ms; within the brokers' group.min and group.max.session.timeout.ms.</summary>
    public int SessionTimeoutMs { get; init; } = 10_000;

    /// <summary>How long the group waits for a node to hand a partition over in order, ms; then it is taken.</summary>
    public int HandOverMsMax { get; init; } = 30_000;

    /// <summary>
    /// Whether a node of a group keeps the states of the users that others work on up to date as well, so that it can go on with them at once; else it
    /// reads them when it is given a partition, and needs room for its own only.
    /// </summary>
    public bool Standby { get; init; } = true;

    /// <summary>Whether nodes share the partitions.</summary>
    public bool IsShared => Ownership == "group";

    public void Validate(SettingsProblems problems)
    {
        if (Ownership is not ("single" or "group")) problems.Add("Kafka:Ownership", $"is '{Ownership}'; allowed are 'single' and 'group'");
        if (IsShared && !Transactions) problems.Add("Kafka:Transactions", "is false; with Kafka:Ownership 'group' it must be true: what moves between nodes is what was committed");
        problems.InRange("Kafka:SessionTimeoutMs", SessionTimeoutMs, 1_000, 1_800_000);
        problems.InRange("Kafka:HandOverMsMax", HandOverMsMax, 100, 600_000);
        ValidateSecurity(problems);
        problems.InRange("Kafka:ReplicationFactor", ReplicationFactor, 1, 16);
        problems.InRange("Kafka:TimeoutMs", TimeoutMs, 100, 600_000);
        problems.InRange("Kafka:LingerMs", LingerMs, 0, 1_000);
        problems.InRange("Kafka:QueueRecordsMax", QueueRecordsMax, 1, 5_000_000);
        problems.InRange("Kafka:QueueMbMax", QueueMbMax, 1, 2_000);
        problems.InRange("Kafka:FetchQueueMbMax", FetchQueueMbMax, 1, 2_000);
        problems.InRange("Kafka:FetchWaitMs", FetchWaitMs, 1, 10_000);
        problems.InRange("Kafka:TransactionTimeoutMs", TransactionTimeoutMs, 1_000, 900_000);
    }

    private void ValidateSecurity(SettingsProblems problems)
    {
        if (SecurityProtocol is not ("plaintext" or "ssl" or "sasl_plaintext" or "sasl_ssl"))
            problems.Add("Kafka:SecurityProtocol", $"is '{SecurityProtocol}'; allowed are 'plaintext', 'ssl', 'sasl_plaintext' and 'sasl_ssl'");
        if (SaslMechanism is not ("PLAIN" or "SCRAM-SHA-256" or "SCRAM-SHA-512"))
            problems.Add("Kafka:SaslMechanism", $"is '{SaslMechanism}'; allowed are 'PLAIN', 'SCRAM-SHA-256' and 'SCRAM-SHA-512'");
        if (UsesSasl) problems.NotEmpty("Kafka:SaslUsername", SaslUsername);
        else if (SaslUsername.Length + SaslPasswordFile.Length > 0)
            problems.Add("Kafka:SecurityProtocol", $"is '{SecurityProtocol}', which sends no user; with Kafka:SaslUsername it must be 'sasl_ssl' or 'sasl_plaintext'");
        if (!UsesSsl && SslCaFile.Length + SslCertificateFile.Length + SslKeyFile.Length > 0)
            problems.Add("Kafka:SecurityProtocol", $"is '{SecurityProtocol}', which is not encrypted; with Kafka:Ssl... it must be 'ssl' or 'sasl_ssl'");
        if ((SslCertificateFile.Length == 0) != (SslKeyFile.Length == 0))
            problems.Add("Kafka:SslCertificateFile", "a client certificate needs both Kafka:SslCertificateFile and Kafka:SslKeyFile");
        foreach (var (path, file) in (ReadOnlySpan<(string, string)>)[
                     ("SaslPasswordFile", SaslPasswordFile), ("SslCaFile", SslCaFile), ("SslCertificateFile", SslCertificateFile), ("SslKeyFile", SslKeyFile), ("SslKeyPasswordFile", SslKeyPasswordFile)])
            SecuritySettings.Exists(problems, "Kafka:" + path, file);
    }
}
