using System.CommandLine;
using System.Diagnostics;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Streaming.Core.Metrics;
using Streaming.Core.Settings;

namespace Streaming.Host.Cli;

/// <summary>
/// <c>bench overload</c>: three times what a node can take. First its capacity, by filling it until it pushes back; then that much times a
/// factor as an open loop (<see cref="OpenLoop"/>), with look-ups beside it; then how long it takes to be as before.
/// </summary>
internal sealed partial class OverloadBench(int port, NodeProcess server, StreamingSettings settings)
{
    private const int Users = 5_000;
    private const int Items = 2_000;
    private const int EventsPerPost = 200;
    private const int CapacitySeconds = 8;

    /// <summary>Each may hold a post that waits to be put off: with posts of this size enough to offer the multiple all the same.</summary>
    private const int Connections = 384;

    private readonly BenchTraffic _traffic = new(Users, Items, settings.Node.Seed);
    private readonly HttpClient _http = new() { BaseAddress = new Uri($"http://127.0.0.1:{port}") };

    private sealed record Options(int Seconds, double Factor, int LookupsPerS);

    private sealed class Posts
    {
        public long Accepted;
        public long PutOff;
        public long Errors;
    }

    private sealed class Looks(int seconds)
    {
        public readonly LatencyHistogram All = new();
        public readonly LatencyHistogram[] BySecond = [.. Enumerable.Range(0, seconds + 1).Select(_ => new LatencyHistogram())];
        public long Failed;
    }

    public static Command Create()
    {
        var command = new Command("overload", "A node under a multiple of its capacity: back-pressure, memory, look-ups meanwhile, and how fast it is back.");
        var common = new CommonOptions().AddTo(command);
        var seconds = new Option<int>("--seconds") { Description = "Length of the overload", DefaultValueFactory = _ => 30 };
        var factor = new Option<double>("--factor") { Description = "Events offered, as a multiple of the capacity", DefaultValueFactory = _ => 3 };
        var lookups = new Option<int>("--lookups-per-s") { Description = "Look-ups per second meanwhile", DefaultValueFactory = _ => 500 };
        foreach (var option in (Option[])[seconds, factor, lookups]) command.Options.Add(option);
        command.SetAction((parse, cancel) => CliApp.GuardAsync(() => RunAsync(
            common, parse, new Options(parse.GetValue(seconds), parse.GetValue(factor), parse.GetValue(lookups)), cancel)));
        return command;
    }

    private static async Task<int> RunAsync(CommonOptions common, ParseResult parse, Options options, CancellationToken cancel)
    {
        var folder = Directory.CreateTempSubdirectory("streaming-bench-");
        var own = ("Node:DataDir", folder.FullName);
        var settings = common.Load(parse, own);
        var port = NodeProcess.FreePort();
        using var server = NodeProcess.Start(port, common.Arguments(parse, own));
        try
        {
            await server.WaitReadyAsync(cancel).ConfigureAwait(false);
            var (figures, holds) = await ProgressView.ForAsync(
                "overload", common.Json(parse), TimeSpan.FromSeconds(CapacitySeconds + options.Seconds),
                () => new OverloadBench(port, server, settings).MeasureAsync(options, cancel)).ConfigureAwait(false);
            if (common.Json(parse)) JsonLine.Print(figures);
            else Tables.Print("Overload", figures);
            return holds ? 0 : 1;
        }
        finally
        {
            await server.KillAsync().ConfigureAwait(false);
            folder.Delete(recursive: true);
        }
    }

    private async Task<((string, object?)[] Figures, bool Holds)> MeasureAsync(Options options, CancellationToken cancel)
    {
        await WarmAsync(cancel).ConfigureAwait(false);
        var requests = Enumerable.Range(0, 400).Select(_ => LookupBench.PostOf("Host: bench\r\n", "/v1/events", Unnamed())).ToArray();
        // More than any node of this kind takes: what it applies meanwhile is its capacity.
        var before = await AppliedAsync(cancel).ConfigureAwait(false);
        var filling = new Posts();
        var clock = Stopwatch.StartNew();
        await Task.Run(() => Flood(requests, 200_000, CapacitySeconds, filling, cancel), cancel).ConfigureAwait(false);
        var capacity = (await AppliedAsync(cancel).ConfigureAwait(false) - before) / clock.Elapsed.TotalSeconds;
        await NormalAsync(cancel).ConfigureAwait(false);
        before = await AppliedAsync(cancel).ConfigureAwait(false);

        clock.Restart();
        var posts = new Posts();
        var looks = new Looks(options.Seconds);
        var lookups = Task.Run(() => Look(options, looks, cancel), cancel);
        var flood = Task.Run(() => Flood(requests, capacity * options.Factor, options.Seconds, posts, cancel), cancel);
        var (rss, lagMs) = (new List<long>(), new List<double>());
        while (!flood.IsCompleted)
        {
            rss.Add(server.RssMb);
            lagMs.Add(Math.Round((await StatusAsync(cancel).ConfigureAwait(false)).LagMs));
            await Task.WhenAny(flood, Task.Delay(1_000, cancel)).ConfigureAwait(false);
        }
        await flood.ConfigureAwait(false);
        var flooded = clock.Elapsed.TotalSeconds;
        clock.Restart();
        await NormalAsync(cancel).ConfigureAwait(false);
        var recovery = clock.Elapsed.TotalMilliseconds;
        await lookups.ConfigureAwait(false);
        var applied = await AppliedAsync(cancel).ConfigureAwait(false) - before;
        var offered = (posts.Accepted + posts.PutOff + posts.Errors) / flooded;
        var figures = new (string, object?)[]
        {
            ("counts", $"capacity: events applied per second while more is offered than the node takes; then the overload as an open loop of posts of {EventsPerPost}, and look-ups for users with a list as another, latency from the time at which each was due; put_off: answered 429 with Retry-After; recovery: from the last post to a click that is in its user's list within 200 ms, with nothing left to catch up; the load runs on the same machine; " + BenchTraffic.Mix),
            ("seconds", options.Seconds), ("capacity_events_per_s", capacity), ("capacity_put_off", filling.PutOff), ("offered_events_per_s", offered), ("factor", options.Factor), ("factor_reached", offered / capacity),
            ("accepted", posts.Accepted), ("put_off", posts.PutOff), ("errors", posts.Errors), ("applied", applied), ("lost", posts.Accepted - applied),
            ("lookups", looks.All.Count), ("lookups_failed", looks.Failed), ("lookup_ms_p50", looks.All.Percentile(.5) / 1000), ("lookup_ms_p99", looks.All.Percentile(.99) / 1000),
            ("lookup_ms_p99_by_second", looks.BySecond.Where(h => h.Count > 0).Select(h => Math.Round(h.Percentile(.99) / 1000, 1))),
            ("rss_mb_by_second", rss), ("rss_mb_peak", server.PeakRssMb), ("lag_ms_by_second", lagMs), ("lag_ms_max_setting", settings.Node.LagMsMax),
            ("recovery_ms", recovery), ("seed", settings.Node.Seed), ("hardware", Machine.Hardware),
        };
        return (figures, posts.Errors == 0 && looks.Failed == 0 && posts.Accepted == applied);
    }

    private async Task WarmAsync(CancellationToken cancel)
    {
        using var http = new RawHttp(port);
        http.Exchange(LookupBench.PostOf("Host: bench\r\n", "/v1/items", [.. _traffic.Items(DateTimeOffset.UtcNow.ToUnixTimeMilliseconds())]));
        var first = Enumerable.Range(0, Users).Select(u => (ReadOnlyMemory<byte>)Encoding.UTF8.GetBytes(
            $$"""{"type":"click","user":"user-{{u}}","item":"item-{{u % Items}}","surface":"home"}""")).ToArray();
        for (var at = 0; at < first.Length; at += 500) http.Exchange(LookupBench.PostOf("Host: bench\r\n", "/v1/events", first[at..Math.Min(first.Length, at + 500)]));
        await NormalAsync(cancel).ConfigureAwait(false);
        for (var i = 0; i < 5_000; i++) http.Exchange(Lookup());
    }

    /// <summary>Events without ids of their own: they go round and round, and must not be dropped as repeats.</summary>
    private ReadOnlyMemory<byte>[] Unnamed() =>
        [.. _traffic.Events(EventsPerPost).Select(e => (ReadOnlyMemory<byte>)Encoding.UTF8.GetBytes(EventId().Replace(Encoding.UTF8.GetString(e.Span), "")))];

    private byte[] Lookup() => Encoding.ASCII.GetBytes($"GET /v1/feed/{_traffic.User()}?surface=home&limit=20 HTTP/1.1\r\nHost: bench\r\n\r\n");

    private void Flood(byte[][] requests, double eventsPerS, int seconds, Posts posts, CancellationToken cancel)
    {
        using var load = new OpenLoop(port, connections: Connections, new OpenLoop.Stream(requests, eventsPerS / EventsPerPost, (_, _, status, _) =>
        {
            if (status == 200) posts.Accepted += EventsPerPost;
            else if (status == 429) posts.PutOff += EventsPerPost;
            else posts.Errors += EventsPerPost;
        }));
        load.Run(TimeSpan.FromSeconds(seconds), cancel);
    }

    /// <summary>Connections of their own: a look-up must not wait here for a post to be answered.</summary>
    private void Look(Options options, Looks looks, CancellationToken cancel)
    {
        var start = Stopwatch.GetTimestamp();
        var requests = Enumerable.Range(0, 4096).Select(_ => Lookup()).ToArray();
        using var load = new OpenLoop(port, connections: 16, new OpenLoop.Stream(requests, options.LookupsPerS, (due, end, status, _) =>
        {
            if (status != 200) looks.Failed++;
            var tookUs = (long)((end - due) * 1e6 / Stopwatch.Frequency);
            looks.All.Record(tookUs);
            looks.BySecond[Math.Clamp((due - start) / Stopwatch.Frequency, 0, looks.BySecond.Length - 1)].Record(tookUs);
        }));
        load.Run(TimeSpan.FromSeconds(options.Seconds), cancel);
    }

    private async Task<(long Lag, double LagMs)> StatusAsync(CancellationToken cancel)
    {
        using var status = JsonDocument.Parse(await _http.GetStringAsync("/v1/status", cancel).ConfigureAwait(false));
        return (status.RootElement.GetProperty("lag_offsets").GetInt64(), status.RootElement.GetProperty("lag_ms").GetDouble());
    }

    /// <summary>Events of the load's own types that were applied: neither lists served nor the probes of <see cref="IsQuickAsync"/>.</summary>
    private async Task<long> AppliedAsync(CancellationToken cancel) =>
        AppliedLine().Matches(await _http.GetStringAsync("/metrics", cancel).ConfigureAwait(false)).Sum(m => (long)double.Parse(m.Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture));

    [GeneratedRegex(@"(?m)^streaming_events_total\{[^}]*type=""(?:impression|click|dwell|like)""[^}]*\} (\S+)")]
    private static partial Regex AppliedLine();

    [GeneratedRegex(@"""event_id"":""[^""]*"",")]
    private static partial Regex EventId();

    /// <summary>Until nothing waits and a click is in its user's list in a fifth of a second, as when nothing is the matter.</summary>
    private async Task NormalAsync(CancellationToken cancel)
    {
        while (true)
        {
            cancel.ThrowIfCancellationRequested();
            if ((await StatusAsync(cancel).ConfigureAwait(false)).Lag == 0 && await IsQuickAsync(cancel).ConfigureAwait(false)) return;
            await Task.Delay(20, cancel).ConfigureAwait(false);
        }
    }

    private async Task<bool> IsQuickAsync(CancellationToken cancel)
    {
        var user = _traffic.User();
        using var content = new StringContent($$"""{"type":"search","user":"{{user}}","query":"any","surface":"home"}""", Encoding.UTF8, "application/json");
        using var posted = await _http.PostAsync("/v1/events", content, cancel).ConfigureAwait(false);
        if (!posted.IsSuccessStatusCode) return false;
        using var answer = JsonDocument.Parse(await posted.Content.ReadAsByteArrayAsync(cancel).ConfigureAwait(false));
        var position = answer.RootElement.GetProperty("results")[0].GetProperty("position").GetString();
        using var list = await _http.GetAsync($"/v1/feed/{user}?surface=home&limit=1&wait_ms=200&after={position}", cancel).ConfigureAwait(false);
        return list.IsSuccessStatusCode;
    }
}
