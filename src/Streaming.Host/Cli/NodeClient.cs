namespace Streaming.Host.Cli;

/// <summary>How verbs ask a running node: at the address that they were given, with the key of the environment.</summary>
internal static class NodeClient
{
    /// <summary>A key with the scope that the verb needs; never taken from the command line, which others can read.</summary>
    public const string KeyVariable = "STREAMING_API_KEY";

    /// <exception cref="FormatException">The address is none.</exception>
    public static HttpClient Open(string url, TimeSpan timeout)
    {
        if (!Uri.TryCreate(url, UriKind.Absolute, out var address) || address.Scheme is not ("http" or "https"))
            throw new FormatException($"--url is '{url}'; it must be an address as http://127.0.0.1:8080");
        var client = new HttpClient { BaseAddress = address, Timeout = timeout };
        if (Environment.GetEnvironmentVariable(KeyVariable) is { Length: > 0 } key) client.DefaultRequestHeaders.Add("X-Api-Key", key);
        return client;
    }
}
