using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Streaming.Host.Tests.Cli;
using Streaming.Host.Tests.Deploy;
using Streaming.Host.Tests.Fixtures;

namespace Streaming.Host.Tests.Metrics;

/// <summary>A running node as Prometheus itself sees it.</summary>
[Collection(ProcessWideMeters.Name)]
public sealed class PrometheusTests
{
    [CommandsFact("promtool")]
    public async Task Promtool_finds_nothing_against_the_conventions_in_a_live_scrape()
    {
        await using var live = await BusyAsync();
        MetricsEndpointTests.UseAll("click");
        var page = (await live.GetAsync("/metrics")).Text;
        page.ShouldContain("streaming_lookup_seconds_bucket");

        using var promtool = Process.Start(new ProcessStartInfo("promtool", ["check", "metrics"]) { RedirectStandardInput = true, RedirectStandardError = true, RedirectStandardOutput = true })!;
        await promtool.StandardInput.WriteAsync(page);
        promtool.StandardInput.Close();
        var said = await promtool.StandardOutput.ReadToEndAsync() + await promtool.StandardError.ReadToEndAsync();
        await promtool.WaitForExitAsync();
        said.ShouldBeEmpty();
        promtool.ExitCode.ShouldBe(0);
    }

    [CommandsFact("prometheus")]
    public async Task Prometheus_scrapes_a_node_and_evaluates_the_rules_on_it()
    {
        await using var live = await BusyAsync();
        using var folder = new TemporaryFolder();
        var port = FreePort();
        var config = folder.Write("prometheus.yml", $$"""
            global: { scrape_interval: 250ms, evaluation_interval: 250ms }
            rule_files: [ "{{Path.Combine(DeployFiles.Folder, "prometheus/rules.yml")}}" ]
            scrape_configs:
              - { job_name: streaming, scrape_timeout: 250ms, static_configs: [ { targets: [ "{{live.Address.Authority}}" ], labels: { role: node } } ] }
            """);
        using var prometheus = Process.Start(new ProcessStartInfo(
            "prometheus", [$"--config.file={config}", $"--storage.tsdb.path={Path.Combine(folder.Path, "data")}", $"--web.listen-address=127.0.0.1:{port}", "--log.level=error"])
        {
            RedirectStandardError = true, RedirectStandardOutput = true,
        })!;
        try
        {
            using var http = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{port}") };
            var clicks = await UntilAsync(live, http, "/api/v1/query?query=streaming_events_total{type=\"click\"}", data => data.GetProperty("result").GetArrayLength() == 1);
            double.Parse(clicks.GetProperty("result")[0].GetProperty("value")[1].GetString()!, System.Globalization.CultureInfo.InvariantCulture).ShouldBeGreaterThanOrEqualTo(1);
            var p99 = await UntilAsync(live, http, $"/api/v1/query?query={Uri.EscapeDataString("histogram_quantile(0.99, sum by (le) (streaming_lookup_seconds_bucket))")}", data => data.GetProperty("result").GetArrayLength() == 1);
            double.Parse(p99.GetProperty("result")[0].GetProperty("value")[1].GetString()!, System.Globalization.CultureInfo.InvariantCulture).ShouldBeGreaterThan(0);
            // In the OpenMetrics format, which prometheus-net speaks when it is asked for it, a counter's family has no "_total".
            var metadata = await UntilAsync(live, http, "/api/v1/metadata", data => Families(data).Any());
            Families(metadata).Single().GetProperty("type").GetString().ShouldBe("counter");
            Families(metadata).Single().GetProperty("help").GetString().ShouldNotBeNullOrEmpty();
            var rules = await UntilAsync(live, http, "/api/v1/rules", data => Rules(data).All(r => r.GetProperty("health").GetString() != "unknown"));
            Rules(rules).ShouldNotBeEmpty();
            Rules(rules).ShouldAllBe(r => r.GetProperty("health").GetString() == "ok");
        }
        finally
        {
            prometheus.Kill();
            await prometheus.WaitForExitAsync();
        }
    }

    private static IEnumerable<JsonElement> Families(JsonElement data) =>
        data.EnumerateObject().Where(f => f.Name is "streaming_events" or "streaming_events_total").Select(f => f.Value[0]);

    private static List<JsonElement> Rules(JsonElement data) => [.. data.GetProperty("groups").EnumerateArray().SelectMany(g => g.GetProperty("rules").EnumerateArray())];

    private static async Task<LiveNode> BusyAsync()
    {
        var live = await LiveNode.StartAsync();
        (await live.PostLinesAsync("/v1/items", Enumerable.Range(0, 5).Select(i => $$"""{"id":"m{{i}}"}"""))).Status.ShouldBe(200);
        await live.FeedAfterAsync("ann", """{"type":"click","user":"ann","item":"m1"}""");
        (await live.GetAsync("/v1/feed/ann")).Status.ShouldBe(200);
        return live;
    }

    /// <summary>The data of an answer that is as it should be; Prometheus starts and scrapes meanwhile.</summary>
    private static async Task<JsonElement> UntilAsync(LiveNode live, HttpClient http, string query, Predicate<JsonElement> isThere) =>
        (await live.UntilAsync(() => DataAsync(http, query), data => data is { } found && isThere(found)))!.Value;

    private static async Task<JsonElement?> DataAsync(HttpClient http, string query)
    {
        try
        {
            using var answer = JsonDocument.Parse(await http.GetStringAsync(query));
            return answer.RootElement.GetProperty("data").Clone();
        }
        catch (HttpRequestException)
        {
            return null;
        }
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
