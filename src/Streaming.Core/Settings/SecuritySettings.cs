namespace Streaming.Core.Settings;

/// <summary>
/// Who may ask what of the HTTP API. Secrets themselves are no settings, so that none can stand on a command line: keys come from a file or
/// the variable STREAMING_API_KEYS, passwords from files or variables.
/// </summary>
public sealed record SecuritySettings
{
    /// <summary>File of API keys, one a line: name, scopes, key. Read again when it changes. Empty: none.</summary>
    public string KeysFile { get; init; } = "";

    /// <summary>Answers everybody although others than this machine can connect, and there are no keys.</summary>
    public bool AllowAnonymous { get; init; }

    /// <summary>Takes keys without TLS from other machines: right only behind a proxy that ends TLS.</summary>
    public bool AllowPlaintext { get; init; }

    /// <summary>The certificate: PEM, its chain behind it, or PKCS #12 (.pfx, .p12). Read again when it changes. Empty: no TLS.</summary>
    public string TlsCertificate { get; init; } = "";

    /// <summary>Its private key in PEM; empty where <see cref="TlsCertificate"/> holds it too.</summary>
    public string TlsKey { get; init; } = "";

    /// <summary>File with the password of the private key; empty: the variable STREAMING_TLS_PASSWORD, or none.</summary>
    public string TlsPasswordFile { get; init; } = "";

    /// <summary>Requests per second of one key; 0 for no limit. Bursts of twice as many pass.</summary>
    public int RequestsPerSecondPerKey { get; init; }

    /// <summary>Requests per second of one address (IPv6: of one /64), with a key or without; 0 for no limit. Bursts of twice as many pass.</summary>
    public int RequestsPerSecondPerAddress { get; init; }

    public void Validate(SettingsProblems problems)
    {
        Exists(problems, "Security:KeysFile", KeysFile);
        Exists(problems, "Security:TlsCertificate", TlsCertificate);
        Exists(problems, "Security:TlsKey", TlsKey);
        Exists(problems, "Security:TlsPasswordFile", TlsPasswordFile);
        if (TlsCertificate.Length == 0 && TlsKey.Length + TlsPasswordFile.Length > 0)
            problems.Add("Security:TlsCertificate", "is empty, but Security:TlsKey or Security:TlsPasswordFile is set");
        problems.InRange("Security:RequestsPerSecondPerKey", RequestsPerSecondPerKey, 0, 10_000_000);
        problems.InRange("Security:RequestsPerSecondPerAddress", RequestsPerSecondPerAddress, 0, 10_000_000);
    }

    internal static void Exists(SettingsProblems problems, string path, string file)
    {
        if (file.Length > 0 && !File.Exists(file)) problems.Add(path, $"there is no file '{file}'");
    }
}
