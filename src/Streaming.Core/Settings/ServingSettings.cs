namespace Streaming.Core.Settings;

/// <summary>The HTTP side.</summary>
public sealed record ServingSettings
{
    /// <summary>Address and port to listen on; loopback until configured otherwise.</summary>
    public string Listen { get; init; } = "127.0.0.1:8080";

    /// <summary>Items per response when the caller does not say.</summary>
    public int DefaultLimit { get; init; } = 20;

    /// <summary>Longest bounded wait for "not older than", ms.</summary>
    public int FreshnessWaitMsMax { get; init; } = 2_000;

    /// <summary>Events of one POST at most.</summary>
    public int BatchEventsMax { get; init; } = 10_000;

    /// <summary>Bytes of one request at most.</summary>
    public int RequestBytesMax { get; init; } = 16 << 20;

    public void Validate(SettingsProblems problems)
    {
        // An address without a colon would parse as one with any free port.
        if (!Listen.Contains(':', StringComparison.Ordinal) || !System.Net.IPEndPoint.TryParse(Listen, out _))
            problems.Add("Serving:Listen", $"is '{Listen}'; it must be IP:PORT, as 127.0.0.1:8080, or 0.0.0.0:8080 for every interface");
        problems.InRange("Serving:DefaultLimit", DefaultLimit, 1, 1000);
        problems.InRange("Serving:FreshnessWaitMsMax", FreshnessWaitMsMax, 0, 60_000);
        problems.InRange("Serving:BatchEventsMax", BatchEventsMax, 1, 1_000_000);
        problems.InRange("Serving:RequestBytesMax", RequestBytesMax, 1024, 1 << 30);
    }
}
