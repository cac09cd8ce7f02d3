using System.Diagnostics.Metrics;
using Streaming.Core.Metrics;

namespace Streaming.Host.Metrics;

/// <summary>
/// GET /metrics in Prometheus' text format: through prometheus-net where the registry serves it, else through
/// <see cref="PrometheusText"/>. Both sides listen to the same meters and give every instrument the same name.
/// </summary>
public static class MetricsEndpoint
{
    /// <summary>Ours, the runtime's (GC, threads, memory) and the server's (requests). Other meters stay unexported.</summary>
    private static readonly string[] Meters = [StreamingMeters.MeterName, "System.Runtime", "Microsoft.AspNetCore.Hosting"];

    /// <summary>Upper bounds for histograms that bring no advice of their own, seconds.</summary>
    private static readonly double[] DefaultBuckets = [.001, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10];

    /// <summary>Maps GET /metrics. Counting starts here and ends when the application has stopped.</summary>
    public static void Map(WebApplication app)
    {
        var exporter = Start(app);
        app.Lifetime.ApplicationStopped.Register(exporter.Dispose);
    }

    /// <summary>Whether an instrument is exported.</summary>
    public static bool Exports(Instrument instrument) => Array.IndexOf(Meters, instrument.Meter.Name) >= 0;

    /// <summary>A histogram's upper bounds, ascending, without +Inf: its own advice, else the default.</summary>
    public static double[] BucketsOf(Instrument instrument) => instrument switch
    {
        Histogram<double> { Advice.HistogramBucketBoundaries: { } bounds } => [.. bounds],
        Histogram<float> { Advice.HistogramBucketBoundaries: { } bounds } => [.. bounds.Select(b => (double)b)],
        Histogram<long> { Advice.HistogramBucketBoundaries: { } bounds } => [.. bounds.Select(b => (double)b)],
        Histogram<int> { Advice.HistogramBucketBoundaries: { } bounds } => [.. bounds.Select(b => (double)b)],
        _ => DefaultBuckets,
    };

#if USE_PROMETHEUS_NET
    private static IDisposable Start(WebApplication app)
    {
        // A registry of its own: prometheus-net's default one brings metrics that the other side does not have.
        var registry = Prometheus.Metrics.NewCustomRegistry();
        var factory = Prometheus.Metrics.WithCustomRegistry(registry);
        var tap = new MeterTap<PrometheusNetFamily>(Exports, (name, instrument) => new PrometheusNetFamily(name, instrument, factory, BucketsOf));
        registry.AddBeforeCollectCallback(() => tap.Observe(static _ => { }));
        Prometheus.MetricServerMiddlewareExtensions.MapMetrics(app, "/metrics", registry);
        return tap;
    }
#else
    private static IDisposable Start(WebApplication app)
    {
        var exporter = new PrometheusText(Exports, BucketsOf);
        app.MapGet("/metrics", async context =>
        {
            context.Response.ContentType = PrometheusText.ContentType;
            await context.Response.WriteAsync(exporter.Scrape(), context.RequestAborted);
        }).ExcludeFromDescription();
        return exporter;
    }
#endif
}
