using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Streaming.Core.Settings;
using Streaming.Host.Settings;

namespace Streaming.Host.Security;

/// <summary>The certificate of the HTTP side, read again when its files change: connections made from then on get the new one.</summary>
internal sealed class ServerCertificate
{
    public const string PasswordVariable = "STREAMING_TLS_PASSWORD";

    private readonly SecuritySettings _settings;
    private readonly string? _password;
    private readonly Action<string> _notice;
    private readonly WatchedFiles _files;
    private volatile SslServerAuthenticationOptions _options;

    /// <exception cref="SettingsException">The certificate cannot be used; the message says why.</exception>
    public ServerCertificate(SecuritySettings settings, string? password, Action<string> notice)
    {
        (_settings, _password, _notice) = (settings, password, notice);
        _files = new WatchedFiles([.. new[] { settings.TlsCertificate, settings.TlsKey, settings.TlsPasswordFile }.Where(f => f.Length > 0)]);
        try
        {
            _options = Read();
        }
        catch (Exception problem) when (problem is CryptographicException or IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new SettingsException([$"Security:TlsCertificate: '{settings.TlsCertificate}' cannot be used: {problem.Message}"]);
        }
    }

    /// <summary>What a handshake is answered with now.</summary>
    public SslServerAuthenticationOptions Options
    {
        get
        {
            if (_files.HasChanged()) Reload();
            return _options;
        }
    }

    private void Reload()
    {
        try
        {
            var options = Read();
            _options = options;
            _notice($"the certificate was read again: valid until {options.ServerCertificateContext!.TargetCertificate.NotAfter:u}");
        }
        catch (Exception problem) when (problem is CryptographicException or IOException or UnauthorizedAccessException or ArgumentException)
        {
            _notice($"the certificate '{_settings.TlsCertificate}' has changed and cannot be used, the one before stays: {problem.Message}");
        }
    }

    private SslServerAuthenticationOptions Read()
    {
        var password = _settings.TlsPasswordFile.Length > 0 ? File.ReadAllText(_settings.TlsPasswordFile).TrimEnd('\r', '\n') : _password;
        var path = _settings.TlsCertificate;
        X509Certificate2Collection all = [];
        X509Certificate2 leaf;
        if (Path.GetExtension(path).ToLowerInvariant() is ".pfx" or ".p12")
        {
            all = X509CertificateLoader.LoadPkcs12CollectionFromFile(path, password);
            leaf = all.FirstOrDefault(c => c.HasPrivateKey) ?? throw new CryptographicException("it holds no private key");
        }
        else
        {
            var key = _settings.TlsKey.Length > 0 ? _settings.TlsKey : path;
            leaf = password is null ? X509Certificate2.CreateFromPemFile(path, key) : X509Certificate2.CreateFromEncryptedPemFile(path, password, key);
            all.ImportFromPemFile(path);
        }
        return new SslServerAuthenticationOptions
        {
            // Offline: a start must not wait for somebody else's server.
            ServerCertificateContext = SslStreamCertificateContext.Create(leaf, all, offline: true),
            EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
        };
    }
}
