using System.Diagnostics;
using System.Text;
using Streaming.Core.Metrics;
using Streaming.Core.Settings;

namespace Streaming.Host.Cli;

/// <summary>
/// Look-ups over real sockets against a node in a process of its own, while events stream into it (<see cref="OpenLoop"/>).
/// </summary>
internal static class LookupBench
{
    private const int Users = 5_000;
    private const int Items = 2_000;
    private const int EventsPerPost = 50;
    private const int WarmSeconds = 10;

    /// <summary>Of a node that only this process can reach, for as long as it runs.</summary>
    private const string Key = "bench-0123456789abcdef0123456789abcdef";

    public static async Task<int> RunAsync(StreamingSettings settings, int seconds, int rate, int eventsPerS, int connections, bool withKey, bool json, CancellationToken cancel)
    {
        var host = withKey ? $"Host: bench\r\nAuthorization: Bearer {Key}\r\n" : "Host: bench\r\n";
        var folder = Directory.CreateTempSubdirectory("streaming-bench-");
        var port = NodeProcess.FreePort();
        using var server = NodeProcess.Start(port, ["--data-dir", folder.FullName], environment: withKey ? [(Security.ApiKeys.Variable, $"bench ingest,read,admin {Key}")] : []);
        try
        {
            await server.WaitReadyAsync(cancel).ConfigureAwait(false);
            var traffic = new BenchTraffic(Users, Items, settings.Node.Seed);
            await WarmAsync(port, traffic, host, cancel).ConfigureAwait(false);
            var latency = new LatencyHistogram();
            var bySecond = Seconds(seconds);
            var outcome = await ProgressView.ForAsync(
                "look-ups", json, TimeSpan.FromSeconds(WarmSeconds + seconds),
                () => Task.Run(() => Measure(port, traffic, host, seconds, rate, eventsPerS, connections, latency, bySecond, cancel), cancel)).ConfigureAwait(false);
            using var http = new HttpClient();
            if (withKey) http.DefaultRequestHeaders.Add("X-Api-Key", Key);
            var status = await http.GetStringAsync($"http://127.0.0.1:{port}/v1/status", cancel).ConfigureAwait(false);
            using var parsed = System.Text.Json.JsonDocument.Parse(status);
            var figures = new (string, object?)[]
            {
                ("counts", "GET /v1/feed/{user}?surface=home&limit=20 for users with a list of their own, open loop over keep-alive connections with one request in flight on each, latency from the time at which the request was due to its last byte; the node is a process of its own on the same machine, and takes events in posts of 50 meanwhile; the same load runs for 10 s before, uncounted; " + BenchTraffic.Mix),
                ("lookups", outcome.Lookups), ("seconds", outcome.Seconds), ("lookups_per_s", outcome.Lookups / outcome.Seconds), ("lookups_per_s_offered", rate),
                ("ms_p50", latency.Percentile(.5) / 1000), ("ms_p99", latency.Percentile(.99) / 1000), ("ms_p999", latency.Percentile(.999) / 1000),
                ("ms_p99_by_second", bySecond.Where(h => h.Count > 0).Select(h => Math.Round(h.Percentile(.99) / 1000, 1))),
                ("errors", outcome.Errors), ("events_per_s", outcome.Events / outcome.Seconds), ("bytes_per_lookup", outcome.Bytes / Math.Max(1, outcome.Lookups)),
                ("server_events", parsed.RootElement.GetProperty("users").GetProperty("applied").GetInt64()),
                ("connections", connections), ("with_key", withKey), ("users", Users), ("server_peak_rss_mb", server.PeakRssMb), ("seed", settings.Node.Seed), ("hardware", Machine.Hardware),
            };
            if (json) JsonLine.Print(figures);
            else Tables.Print("Look-up", figures);
            return outcome.Errors == 0 ? 0 : 1;
        }
        finally
        {
            await server.KillAsync().ConfigureAwait(false);
            folder.Delete(recursive: true);
        }
    }

    private sealed record Outcome(long Lookups, long Errors, long Bytes, long Events, double Seconds);

    private static Outcome Measure(
        int port, BenchTraffic traffic, string host, int seconds, int rate, int eventsPerS, int connections, LatencyHistogram latency, LatencyHistogram[] bySecond,
        CancellationToken cancel)
    {
        long lookups = 0, errors = 0, bytes = 0, events = 0;
        var requests = Enumerable.Range(0, 4096).Select(_ => Encoding.ASCII.GetBytes($"GET /v1/feed/{traffic.User()}?surface=home&limit=20 HTTP/1.1\r\n{host}\r\n")).ToArray();
        var posts = Enumerable.Range(0, 200).Select(_ => PostOf(host, "/v1/events", traffic.Events(EventsPerPost))).ToArray();
        var start = 0L;
        var look = new OpenLoop.Stream(requests, rate, (due, end, status, length) =>
        {
            if (status != 200) errors++;
            if (start == 0) return;
            var tookUs = (long)((end - due) * 1e6 / Stopwatch.Frequency);
            latency.Record(tookUs);
            bySecond[Math.Min(bySecond.Length - 1, Math.Max(0, (due - start) / Stopwatch.Frequency))].Record(tookUs);
            lookups++;
            bytes += length;
        });
        var post = new OpenLoop.Stream(posts, (double)eventsPerS / EventsPerPost, (_, _, status, _) =>
        {
            if (status != 200) errors++;
            else if (start > 0) events += EventsPerPost;
        });
        using var load = new OpenLoop(port, connections, look, post);
        // The same load first, uncounted: a node that has been up for ten seconds has its code compiled.
        load.Run(TimeSpan.FromSeconds(WarmSeconds), cancel);
        start = Stopwatch.GetTimestamp();
        load.Run(TimeSpan.FromSeconds(seconds), cancel);
        return new Outcome(lookups, errors, bytes, events, (Stopwatch.GetTimestamp() - start) / (double)Stopwatch.Frequency);
    }

    private static LatencyHistogram[] Seconds(int count) => [.. Enumerable.Range(0, count + 1).Select(_ => new LatencyHistogram())];

    private static async Task WarmAsync(int port, BenchTraffic traffic, string host, CancellationToken cancel)
    {
        using var http = new RawHttp(port);
        http.Exchange(PostOf(host, "/v1/items", [.. traffic.Items(DateTimeOffset.UtcNow.ToUnixTimeMilliseconds())]));
        // Every user clicks once, so that everyone has a list; then enough traffic to have the code compiled as in production.
        var first = Enumerable.Range(0, Users).Select(u => (ReadOnlyMemory<byte>)Encoding.UTF8.GetBytes(
            $$"""{"type":"click","user":"user-{{u}}","item":"item-{{u % Items}}","surface":"home"}""")).ToArray();
        for (var at = 0; at < first.Length; at += 500) http.Exchange(PostOf(host, "/v1/events", first[at..Math.Min(first.Length, at + 500)]));
        for (var i = 0; i < 100; i++) http.Exchange(PostOf(host, "/v1/events", traffic.Events(500)));
        var missing = 0;
        for (var i = 0; i < 20_000; i++)
        {
            cancel.ThrowIfCancellationRequested();
            var request = Encoding.ASCII.GetBytes($"GET /v1/feed/{traffic.User()}?surface=home&limit=20 HTTP/1.1\r\n{host}\r\n");
            if (!http.Exchange(request).Ok) missing++;
        }
        if (missing > 0) throw new InvalidDataException($"{missing} of 20,000 warm-up look-ups failed");
        await Task.Delay(1_000, cancel).ConfigureAwait(false);
    }

    internal static byte[] PostOf(string host, string path, ReadOnlyMemory<byte>[] records)
    {
        using var body = new MemoryStream();
        foreach (var record in records)
        {
            body.Write(record.Span);
            body.WriteByte((byte)'\n');
        }
        var head = Encoding.ASCII.GetBytes($"POST {path} HTTP/1.1\r\n{host}Content-Type: application/x-ndjson\r\nContent-Length: {body.Length}\r\n\r\n");
        return [.. head, .. body.ToArray()];
    }
}
