namespace Streaming.Core.Settings;

/// <summary>Where traces go.</summary>
public sealed record TracingSettings
{
    /// <summary>An OpenTelemetry collector, as http://127.0.0.1:4317; empty for no traces.</summary>
    public string Endpoint { get; init; } = "";

    /// <summary>"grpc" or "http" (protobuf over HTTP, mostly port 4318; the path is added).</summary>
    public string Protocol { get; init; } = "grpc";

    /// <summary>Share of requests, in [0, 1], that start a trace; one that comes with a trace of the caller's goes by the caller's choice.</summary>
    public double SampleShare { get; init; } = 0.01;

    public void Validate(SettingsProblems problems)
    {
        if (Endpoint.Length > 0 && !(Uri.TryCreate(Endpoint, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https"))
            problems.Add("Tracing:Endpoint", $"is '{Endpoint}'; it must be a URL, as http://127.0.0.1:4317");
        if (Protocol is not ("grpc" or "http")) problems.Add("Tracing:Protocol", $"is '{Protocol}'; allowed are 'grpc' and 'http'");
        problems.InRange("Tracing:SampleShare", SampleShare, 0, 1);
    }
}
