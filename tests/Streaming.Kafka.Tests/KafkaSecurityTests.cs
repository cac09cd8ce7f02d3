using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using Streaming.Core.Log;
using Streaming.Core.Settings;

namespace Streaming.Kafka.Tests;

/// <summary>SASL and TLS: what reaches librdkafka, and what a user is told who is refused.</summary>
public sealed class KafkaSecurityTests
{
    private static readonly Func<string, string?> NoVariables = _ => null;

    [Fact]
    public void Without_security_nothing_is_set() => KafkaSecurity.Properties(new KafkaSettings(), NoVariables).ShouldBeEmpty();

    [Fact]
    public void Every_setting_reaches_the_library_and_passwords_come_from_files_or_variables()
    {
        var password = Path.GetTempFileName();
        File.WriteAllText(password, "from the file\n");
        try
        {
            var settings = new KafkaSettings
            {
                SecurityProtocol = "sasl_ssl", SaslMechanism = "SCRAM-SHA-256", SaslUsername = "svc", SaslPasswordFile = password, SslCaFile = "ca.pem",
                SslCertificateFile = "client.pem", SslKeyFile = "client.key",
            };
            Dictionary<string, string> Of(KafkaSettings kafka, Func<string, string?> variable) => new(KafkaSecurity.Properties(kafka, variable));
            Of(settings, NoVariables).ShouldBe(new Dictionary<string, string>
            {
                ["security.protocol"] = "sasl_ssl", ["sasl.mechanism"] = "SCRAM-SHA-256", ["sasl.username"] = "svc", ["sasl.password"] = "from the file",
                ["ssl.ca.location"] = "ca.pem", ["ssl.certificate.location"] = "client.pem", ["ssl.key.location"] = "client.key",
            }, ignoreOrder: true);
            var variables = Of(settings with { SaslPasswordFile = "" }, name => $"value of {name}");
            variables["sasl.password"].ShouldBe("value of KAFKA_SASL_PASSWORD");
            variables["ssl.key.password"].ShouldBe("value of KAFKA_SSL_KEY_PASSWORD");
            Should.Throw<EventLogException>(() => Of(settings with { SaslPasswordFile = "" }, NoVariables)).Message.ShouldContain("Kafka:SaslPasswordFile");
            Of(settings with { SecurityProtocol = "ssl", SaslUsername = "", SaslPasswordFile = "" }, NoVariables).Keys.ShouldNotContain("sasl.password");
        }
        finally
        {
            File.Delete(password);
        }
    }

    [Theory]
    [InlineData("sasl", "PLAIN", "svc", "", "", "Kafka:SecurityProtocol: is 'sasl'")]
    [InlineData("sasl_ssl", "GSSAPI", "svc", "", "", "Kafka:SaslMechanism: is 'GSSAPI'")]
    [InlineData("sasl_ssl", "PLAIN", "", "", "", "Kafka:SaslUsername: must not be empty")]
    [InlineData("ssl", "PLAIN", "svc", "", "", "Kafka:SecurityProtocol: is 'ssl', which sends no user")]
    [InlineData("plaintext", "PLAIN", "", "/no/such/ca.pem", "", "Kafka:SecurityProtocol: is 'plaintext', which is not encrypted")]
    [InlineData("ssl", "PLAIN", "", "/no/such/ca.pem", "", "Kafka:SslCaFile: there is no file '/no/such/ca.pem'")]
    [InlineData("ssl", "PLAIN", "", "", "/no/such/cert.pem", "Kafka:SslCertificateFile: a client certificate needs both")]
    public void Settings_that_do_not_go_together_are_named(string protocol, string mechanism, string user, string ca, string certificate, string said)
    {
        var kafka = new KafkaSettings { SecurityProtocol = protocol, SaslMechanism = mechanism, SaslUsername = user, SslCaFile = ca, SslCertificateFile = certificate };
        (new StreamingSettings() with { Kafka = kafka }).Validate().ShouldContain(problem => problem.StartsWith(said));
    }

    [Fact]
    public void A_value_that_the_library_refuses_is_not_shown_where_it_is_secret()
    {
        KafkaSecurity.IsSecret("sasl.password").ShouldBeTrue();
        KafkaSecurity.IsSecret("ssl.key.password").ShouldBeTrue();
        KafkaSecurity.IsSecret("sasl.username").ShouldBeFalse();
    }

    [KafkaFact]
    public async Task A_wrong_password_says_what_to_look_at_and_never_the_password()
    {
        using var broker = new RefusingBroker();
        var password = Path.GetTempFileName();
        await File.WriteAllTextAsync(password, "a-wrong-secret");
        try
        {
            var problems = new List<string>();
            var settings = TestKafka.Settings(broker.Address) with
            {
                TimeoutMs = 2_000, SecurityProtocol = "sasl_plaintext", SaslMechanism = "PLAIN", SaslUsername = "svc", SaslPasswordFile = password,
            };
            await using var log = TestKafka.Open(settings, text => { lock (problems) problems.Add(text); });
            var refused = Should.Throw<EventLogException>(() => log.PartitionCount(Topics.Events));
            refused.Message.ShouldContain("SASL");
            refused.Message.ShouldContain("Kafka:SaslUsername ('svc')");
            refused.Message.ShouldContain(password);
            refused.ToString().ShouldNotContain("a-wrong-secret");
            lock (problems) string.Join('\n', problems).ShouldNotContain("a-wrong-secret");
            broker.Refused.ShouldBeGreaterThan(0);
        }
        finally
        {
            File.Delete(password);
        }
    }

    [KafkaFact]
    public async Task Brokers_without_TLS_are_told_apart_from_brokers_that_are_not_there()
    {
        using var broker = new RefusingBroker();
        await using var log = TestKafka.Open(TestKafka.Settings(broker.Address) with { TimeoutMs = 2_000, SecurityProtocol = "ssl" });
        var refused = Should.Throw<EventLogException>(() => log.PartitionCount(Topics.Events));
        refused.Message.ShouldContain("SSL handshake failed");
        refused.Message.ShouldContain("Kafka:SslCaFile");
    }

    /// <summary>A broker that speaks as much of Kafka's protocol as it takes to refuse a password (KIP-35, KIP-43, KIP-152).</summary>
    private sealed class RefusingBroker : IDisposable
    {
        private const short ApiVersions = 18, SaslHandshake = 17, SaslAuthenticate = 36;
        private const short AuthenticationFailed = 58;

        private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
        private int _refused;

        public RefusingBroker()
        {
            _listener.Start();
            _ = AcceptAsync();
        }

        public string Address => _listener.LocalEndpoint.ToString()!;

        public int Refused => Volatile.Read(ref _refused);

        public void Dispose() => _listener.Stop();

        private async Task AcceptAsync()
        {
            try
            {
                while (true) _ = ServeAsync(await _listener.AcceptTcpClientAsync());
            }
            catch (Exception end) when (end is SocketException or ObjectDisposedException)
            {
                // The test is over.
            }
        }

        private async Task ServeAsync(TcpClient client)
        {
            using var _ = client;
            var stream = client.GetStream();
            var size = new byte[4];
            try
            {
                while (true)
                {
                    await stream.ReadExactlyAsync(size);
                    var length = BinaryPrimitives.ReadInt32BigEndian(size);
                    if (length is < 8 or > 1 << 20) return; // a TLS hello, for one
                    var request = new byte[length];
                    await stream.ReadExactlyAsync(request);
                    var body = Answer(BinaryPrimitives.ReadInt16BigEndian(request), BinaryPrimitives.ReadInt16BigEndian(request.AsSpan(2)));
                    var answer = new byte[8 + body.Length];
                    BinaryPrimitives.WriteInt32BigEndian(answer, 4 + body.Length);
                    request.AsSpan(4, 4).CopyTo(answer.AsSpan(4));
                    body.CopyTo(answer, 8);
                    await stream.WriteAsync(answer);
                }
            }
            catch (IOException)
            {
                // The client has gone.
            }
        }

        private byte[] Answer(short api, short version)
        {
            switch (api)
            {
                case ApiVersions when version >= 3:
                    // No error; a compact array of three, each with no tags; no throttling; no tags.
                    return [0, 0, 4, .. Range(ApiVersions, 3), 0, .. Range(SaslHandshake, 1), 0, .. Range(SaslAuthenticate, 0), 0, 0, 0, 0, 0, 0];
                case ApiVersions:
                    return [0, 0, 0, 0, 0, 3, .. Range(ApiVersions, 3), .. Range(SaslHandshake, 1), .. Range(SaslAuthenticate, 0), .. version > 0 ? (byte[])[0, 0, 0, 0] : []];
                case SaslHandshake:
                    return [0, 0, 0, 0, 0, 1, 0, 5, .. "PLAIN"u8];
                default:
                    Interlocked.Increment(ref _refused);
                    var reason = "Authentication failed: Invalid username or password"u8;
                    return [0, (byte)AuthenticationFailed, 0, (byte)reason.Length, .. reason, 0, 0, 0, 0];
            }
        }

        /// <summary>An API with the versions from 0 on.</summary>
        private static byte[] Range(short api, short max) => [0, (byte)api, 0, 0, 0, (byte)max];
    }
}
