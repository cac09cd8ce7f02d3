using Streaming.Core.Log;
using Streaming.Core.Settings;

namespace Streaming.Kafka;

/// <summary>TLS and SASL as librdkafka's properties. Passwords come from files or variables and leave this class only towards the library.</summary>
internal static class KafkaSecurity
{
    public const string SaslPasswordVariable = "KAFKA_SASL_PASSWORD";
    public const string KeyPasswordVariable = "KAFKA_SSL_KEY_PASSWORD";

    /// <param name="kafka">Validated.</param>
    /// <param name="variable">Environment variables by name.</param>
    /// <exception cref="EventLogException">A password is missing, or a file cannot be read; the message says which.</exception>
    public static IEnumerable<KeyValuePair<string, string>> Properties(KafkaSettings kafka, Func<string, string?> variable)
    {
        if (kafka.SecurityProtocol == "plaintext") yield break;
        yield return new("security.protocol", kafka.SecurityProtocol);
        if (kafka.UsesSasl)
        {
            yield return new("sasl.mechanism", kafka.SaslMechanism);
            yield return new("sasl.username", kafka.SaslUsername);
            yield return new("sasl.password", Secret(kafka.SaslPasswordFile, SaslPasswordVariable, variable)
                ?? throw new EventLogException($"Kafka:SaslUsername is set but there is no password; put it into a file and name that in Kafka:SaslPasswordFile, or set {SaslPasswordVariable}"));
        }
        if (!kafka.UsesSsl) yield break;
        if (kafka.SslCaFile.Length > 0) yield return new("ssl.ca.location", kafka.SslCaFile);
        if (kafka.SslCertificateFile.Length == 0) yield break;
        yield return new("ssl.certificate.location", kafka.SslCertificateFile);
        yield return new("ssl.key.location", kafka.SslKeyFile);
        if (Secret(kafka.SslKeyPasswordFile, KeyPasswordVariable, variable) is { } password) yield return new("ssl.key.password", password);
    }

    /// <summary>Whether a property's value must not be shown.</summary>
    public static bool IsSecret(string property) => property.EndsWith("password", StringComparison.Ordinal);

    /// <summary>Whether a line of the library's log says that a broker refused this client, or this client the broker.</summary>
    public static bool IsRefusal(string line) =>
        line.Contains("SASL", StringComparison.Ordinal) || line.Contains("SSL handshake failed", StringComparison.Ordinal)
        || line.Contains("certificate verify failed", StringComparison.Ordinal);

    /// <summary>What to look at when the brokers refuse.</summary>
    public static string Advice(KafkaSettings kafka)
    {
        var sasl = $"Check Kafka:SaslUsername ('{kafka.SaslUsername}'), the password in "
            + $"{(kafka.SaslPasswordFile.Length > 0 ? $"'{kafka.SaslPasswordFile}' (Kafka:SaslPasswordFile)" : SaslPasswordVariable)} and Kafka:SaslMechanism ({kafka.SaslMechanism})";
        var ssl = $"that Kafka:SslCaFile ({(kafka.SslCaFile.Length > 0 ? $"'{kafka.SslCaFile}'" : "the system's authorities")}) holds the authority of the brokers' certificates, and that they name the host in Kafka:Bootstrap";
        return kafka.SecurityProtocol switch
        {
            "sasl_ssl" => $"{sasl}; and {ssl}.",
            "sasl_plaintext" => $"{sasl}; brokers that want TLS need Kafka:SecurityProtocol=sasl_ssl.",
            "ssl" => $"Check {ssl}; brokers that want a user need Kafka:SecurityProtocol=sasl_ssl.",
            _ => "The brokers want a user or TLS: set Kafka:SecurityProtocol.",
        };
    }

    /// <summary>The file's content without the line's end, else the variable's; null where there is neither.</summary>
    private static string? Secret(string file, string name, Func<string, string?> variable)
    {
        if (file.Length == 0) return variable(name) is { Length: > 0 } value ? value : null;
        try
        {
            return File.ReadAllText(file).TrimEnd('\r', '\n');
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            throw new EventLogException($"the password file '{file}' cannot be read: {problem.Message}", problem);
        }
    }
}
