namespace Streaming.Core.Settings;

/// <summary>The HTTP side.</summary>
public sealed record ServingSettings
{
    /// <summary>Address and port to listen on; loopback until configured otherwise.</summary>
    public string Listen { get; init; } = "127.0.0.1:8080";

    /// <summary>
    /// A second address for what operators ask (metrics, status, users' state, deletions): then only that one answers it. Empty: one address
    /// for all.
    /// </summary>
    public string AdminListen { get; init; } = "";

    /// <summary>
    /// Origins of web pages whose scripts may call the API, as "https://shop.example", or "*" for all; none by default. It lets browsers ask; what
    /// may be asked stays the key's matter.
    /// </summary>
    public string[] CorsOrigins { get; init; } = [];

    /// <summary>Items per response when the caller does not say.</summary>
    public int DefaultLimit { get; init; } = 20;

    /// <summary>Longest bounded wait for "not older than", ms.</summary>
    public int FreshnessWaitMsMax { get; init; } = 2_000;

    /// <summary>Events of one POST at most.</summary>
    public int BatchEventsMax { get; init; } = 10_000;

    /// <summary>Bytes of one request at most.</summary>
    public int RequestBytesMax { get; init; } = 16 << 20;

    /// <summary>Bytes of one request's headers at most.</summary>
    public int HeaderBytesMax { get; init; } = 32 << 10;

    /// <summary>Open connections at most, over both addresses; further ones are closed.</summary>
    public int ConnectionsMax { get; init; } = 10_000;

    /// <summary>Bytes of all requests being taken in at once, MB; one more is answered "try again later". A lone request is always taken.</summary>
    public int InFlightMbMax { get; init; } = 64;

    /// <summary>Answers that are kept for who asks again under the same <c>Idempotency-Key</c>, MB; the oldest go first. 0 keeps none.</summary>
    public int IdempotencyMbMax { get; init; } = 16;

    /// <summary>Readers of <c>/v1/status/stream</c> at once, at most.</summary>
    public int WatchersMax { get; init; } = 32;

    /// <summary>
    /// How long a request that finds the node too far behind waits for that to change before it is put off, ms: it slows producers down,
    /// where answers at once would have them ask again and take from the actors the cores that they need.
    /// </summary>
    public int PutOffMs { get; init; } = 500;

    public void Validate(SettingsProblems problems)
    {
        Address(problems, "Serving:Listen", Listen);
        if (AdminListen.Length > 0) Address(problems, "Serving:AdminListen", AdminListen);
        if (AdminListen == Listen && !Listen.EndsWith(":0", StringComparison.Ordinal)) problems.Add("Serving:AdminListen", "is the same as Serving:Listen; leave it empty for one address");
        for (var i = 0; i < CorsOrigins.Length; i++)
            if (!IsOrigin(CorsOrigins[i])) problems.Add($"Serving:CorsOrigins:{i}", $"is '{CorsOrigins[i]}'; it must be an origin, as https://shop.example or http://localhost:5173, without a path, or '*'");
        problems.InRange("Serving:DefaultLimit", DefaultLimit, 1, 1000);
        problems.InRange("Serving:FreshnessWaitMsMax", FreshnessWaitMsMax, 0, 60_000);
        problems.InRange("Serving:BatchEventsMax", BatchEventsMax, 1, 1_000_000);
        problems.InRange("Serving:RequestBytesMax", RequestBytesMax, 1024, 1 << 30);
        problems.InRange("Serving:HeaderBytesMax", HeaderBytesMax, 1024, 1 << 20);
        problems.InRange("Serving:ConnectionsMax", ConnectionsMax, 1, 1_000_000);
        problems.InRange("Serving:IdempotencyMbMax", IdempotencyMbMax, 0, 1 << 20);
        problems.InRange("Serving:WatchersMax", WatchersMax, 1, 10_000);
        problems.InRange("Serving:PutOffMs", PutOffMs, 0, 60_000);
        problems.InRange("Serving:InFlightMbMax", InFlightMbMax, 1, 1 << 20);
    }

    private static bool IsOrigin(string value) =>
        value == "*" || (Uri.TryCreate(value, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https" && uri.GetLeftPart(UriPartial.Authority) == value);

    /// <summary>An address without a colon would parse as one with any free port.</summary>
    private static void Address(SettingsProblems problems, string path, string value)
    {
        if (!value.Contains(':', StringComparison.Ordinal) || !System.Net.IPEndPoint.TryParse(value, out _))
            problems.Add(path, $"is '{value}'; it must be IP:PORT, as 127.0.0.1:8080, or 0.0.0.0:8080 for every interface");
    }
}
