using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Streaming.Core.Settings;
using Streaming.Host.Settings;
using Streaming.Host.Tests.Cli;
using Streaming.Host.Tests.Fixtures;

namespace Streaming.Host.Tests.Security;

/// <summary>TLS of the HTTP side, with certificates made here.</summary>
public sealed class TlsTests
{
    [Fact]
    public async Task A_certificate_in_PEM_is_served_and_read_again_when_it_changes()
    {
        using var folder = new TemporaryFolder();
        using var first = Make("first");
        var (certificate, key) = (folder.Write("cert.pem", first.ExportCertificatePem()), folder.Write("key.pem", first.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem()));
        await using var live = await LiveNode.StartAsync(LiveNode.SmallSettings with { Security = new SecuritySettings { TlsCertificate = certificate, TlsKey = key } });
        live.Address.Scheme.ShouldBe("https");
        (await live.GetAsync("/healthz")).Status.ShouldBe(200);
        live.PeerCertificate!.GetCertHashString().ShouldBe(first.GetCertHashString());

        using var second = Make("second");
        await File.WriteAllTextAsync(key, second.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem());
        await File.WriteAllTextAsync(certificate, second.ExportCertificatePem());
        await live.UntilAsync(() => Task.FromResult(Shown(live.Address)), hash => hash == second.GetCertHashString());

        await File.WriteAllTextAsync(certificate, "no certificate at all");
        await live.UntilAsync(() => Task.FromResult((Shown(live.Address), live.Notices.Any(n => n.Message.Contains("the one before stays")))), a => a.Item2);
        Shown(live.Address).ShouldBe(second.GetCertHashString());
    }

    [Fact]
    public async Task A_PFX_is_opened_with_its_password_and_a_wrong_one_stops_the_start()
    {
        using var folder = new TemporaryFolder();
        using var made = Make("pfx");
        var path = Path.Combine(folder.Path, "cert.pfx");
        await File.WriteAllBytesAsync(path, made.Export(X509ContentType.Pfx, "right"));
        var security = new SecuritySettings { TlsCertificate = path, TlsPasswordFile = folder.Write("password", "right\n") };
        await using (var live = await LiveNode.StartAsync(LiveNode.SmallSettings with { Security = security }))
            (await live.GetAsync("/healthz")).Status.ShouldBe(200);
        folder.Write("password", "wrong-secret");
        var problem = (await Should.ThrowAsync<SettingsException>(() => LiveNode.StartAsync(LiveNode.SmallSettings with { Security = security }))).Message;
        problem.ShouldContain("Security:TlsCertificate");
        problem.ShouldNotContain("wrong-secret");
    }

    [Fact]
    public async Task Keys_over_TLS_open_to_every_interface()
    {
        using var folder = new TemporaryFolder();
        using var made = Make("open");
        const string key = "0123456789-0123456789-0123456789";
        var security = new SecuritySettings
        {
            TlsCertificate = folder.Write("both.pem", made.ExportCertificatePem() + "\n" + made.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem()),
            KeysFile = folder.Write("keys", $"web read {key}"),
        };
        var settings = LiveNode.SmallSettings;
        await using var live = await LiveNode.StartAsync(settings with { Security = security, Serving = settings.Serving with { Listen = "0.0.0.0:0" } });
        var address = $"https://127.0.0.1:{live.Address.Port}/v1/popular";
        (await live.SendAsync(HttpMethod.Get, address)).ShouldBeProblem(401, "unauthorized");
        (await live.SendAsync(HttpMethod.Get, address, key: key)).Status.ShouldBe(200);
    }

    private static X509Certificate2 Make(string name)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        var now = TimeProvider.System.GetUtcNow();
        using var made = request.CreateSelfSigned(now.AddDays(-1), now.AddDays(1));
        return X509CertificateLoader.LoadPkcs12(made.Export(X509ContentType.Pfx), null, X509KeyStorageFlags.Exportable);
    }

    /// <summary>Thumbprint of the certificate that a new connection is shown.</summary>
    private static string Shown(Uri address)
    {
        using var client = new TcpClient(address.Host, address.Port);
        using var tls = new SslStream(client.GetStream(), false, (_, _, _, _) => true);
        tls.AuthenticateAsClient(address.Host);
        ((int)tls.SslProtocol).ShouldBeGreaterThanOrEqualTo((int)System.Security.Authentication.SslProtocols.Tls12);
        return tls.RemoteCertificate!.GetCertHashString();
    }
}
