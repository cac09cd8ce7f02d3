using System.Net;
using Streaming.Core.Settings;
using Streaming.Host.Settings;

namespace Streaming.Host.Security;

/// <summary>Refuses a start that would answer strangers, unless somebody has said that it should.</summary>
internal static class Exposure
{
    /// <exception cref="SettingsException">Others could ask without a key, or would have to send keys in the clear.</exception>
    public static void Check(StreamingSettings settings, bool hasKeys)
    {
        var security = settings.Security;
        if (!Exposed(settings).Any()) return;
        var exposed = Exposed(settings).First();
        if (!hasKeys && !security.AllowAnonymous)
            throw new SettingsException([
                $"{exposed.Key}: is {exposed.Value}, where other machines can connect, and there are no API keys: name a file of keys in Security:KeysFile (or set {ApiKeys.Variable}), "
                + "listen on 127.0.0.1, or say Security:AllowAnonymous=true"]);
        if (hasKeys && security.TlsCertificate.Length == 0 && !security.AllowPlaintext)
            throw new SettingsException([
                $"{exposed.Key}: is {exposed.Value}, where keys would travel in the clear: name a certificate in Security:TlsCertificate, listen on 127.0.0.1, "
                + "or, behind a proxy that ends TLS, say Security:AllowPlaintext=true"]);
    }

    /// <summary>One line for the log about who may ask.</summary>
    public static (bool Warn, string Text) Describe(StreamingSettings settings, bool hasKeys)
    {
        var tls = settings.Security.TlsCertificate.Length > 0 ? "over TLS" : "without TLS";
        var exposed = Exposed(settings).Any();
        return hasKeys
            ? (exposed && settings.Security.TlsCertificate.Length == 0, $"access: API keys are asked for, {tls}")
            : (exposed, exposed
                ? $"access: OPEN: every machine that can connect may read, write and delete, {tls} (Security:AllowAnonymous)"
                : $"access: open to every user of this machine, nobody else can connect, {tls}");
    }

    private static IEnumerable<KeyValuePair<string, string>> Exposed(StreamingSettings settings)
    {
        foreach (var (path, value) in (KeyValuePair<string, string>[])[new("Serving:Listen", settings.Serving.Listen), new("Serving:AdminListen", settings.Serving.AdminListen)])
            if (value.Length > 0 && !IPAddress.IsLoopback(IPEndPoint.Parse(value).Address)) yield return new(path, value);
    }
}
