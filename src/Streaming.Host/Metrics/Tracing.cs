using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;
using Streaming.Core.Metrics;
using Streaming.Core.Settings;

namespace Streaming.Host.Metrics;

/// <summary>Sends traces to a collector by OpenTelemetry's protocol.</summary>
internal static class Tracing
{
    /// <summary>The server's own spans, of requests.</summary>
    private const string Server = "Microsoft.AspNetCore";

    /// <summary>Null where none are wanted; disposing sends what is left.</summary>
    public static IDisposable? Start(TracingSettings settings) => settings.Endpoint.Length == 0 ? null : Sdk.CreateTracerProviderBuilder()
        .SetResourceBuilder(ResourceBuilder.CreateDefault().AddService("streaming", serviceInstanceId: Environment.MachineName))
        .SetSampler(new ParentBasedSampler(new TraceIdRatioBasedSampler(settings.SampleShare)))
        .AddSource(StreamingTraces.SourceName, Server)
        .AddOtlpExporter(exporter =>
        {
            exporter.Protocol = settings.Protocol == "http" ? OtlpExportProtocol.HttpProtobuf : OtlpExportProtocol.Grpc;
            // Set in code, the address is taken as it is, path and all.
            exporter.Endpoint = settings.Protocol == "http" ? new Uri(settings.Endpoint.TrimEnd('/') + "/v1/traces") : new Uri(settings.Endpoint);
        })
        .Build();
}
