using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.Playwright;
using Streaming.Host.Cli;
using Streaming.Host.Tests.Cli;
using Streaming.Host.Tests.Fixtures;
using static Microsoft.Playwright.Assertions;

namespace Streaming.Host.Tests.Web;

/// <summary>
/// What the dashboard's figures say after traffic that is known to the event, on a node in a process of its own: meters are the process's, and
/// other tests' nodes would count too.
/// </summary>
[Collection(BrowserCollection.Name)]
public sealed class DashboardFiguresTests(Browser browser)
{
    private const int Users = 24;
    private const int Items = 12;

    /// <summary>Beside those: intervals are given from a hundred users an arm on.</summary>
    private const int Crowd = 240;

    /// <summary>Keeps the frames that the page gets, and what its tiles say after each change of the page.</summary>
    private const string Recorder =
        """
        (() => {
            const real = window.fetch;
            window.frames_ = [];
            window.told = [];
            const keep = async (body) => {
                let text = '';
                const reader = body.pipeThrough(new TextDecoderStream()).getReader();
                for (let part = await reader.read(); !part.done; part = await reader.read()) {
                    const events = (text + part.value).split('\n\n');
                    text = events.pop();
                    for (const event of events) if (event.startsWith('event: frame')) frames_.push(event.split('\ndata: ')[1]);
                }
            };
            window.fetch = async (...asked) => {
                const answer = await real(...asked);
                if (!String(asked[0]).includes('/v1/status/stream') || !answer.body) return answer;
                const [own, page] = answer.body.tee();
                keep(own).catch(() => {});
                return new Response(page, answer);
            };
            new MutationObserver(() => {
                const said = document.querySelector('[aria-label="Figures of this second"]')?.textContent;
                if (said && told.at(-1) !== said) told.push(said);
            }).observe(document, { subtree: true, childList: true, characterData: true });
        })();
        """;

    [BrowserFact]
    public async Task The_figures_are_those_of_the_traffic()
    {
        using var folder = new TemporaryFolder();
        using var node = NodeProcess.Start(NodeProcess.FreePort(), Arguments(folder.Path));
        using var patience = new CancellationTokenSource(TimeSpan.FromMinutes(4));
        await node.WaitReadyAsync(patience.Token);
        using var http = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{node.Port}") };
        (await http.PostAsJsonAsync("/v1/items", Enumerable.Range(0, Items).Select(i => new { id = $"item-{i}", tags = new[] { $"tag-{i % 3}" } }))).EnsureSuccessStatusCode();
        // Everybody's list, as the frames rank it: what comes last is what everybody is going to click.
        var before = await UntilAsync(http, "/v1/status/stream", frame => frame.GetProperty("movers").GetArrayLength() == 0 && frame.GetProperty("popular").GetArrayLength() == 10, patience.Token);
        var listed = before.GetProperty("popular").EnumerateArray().Select(row => row.GetProperty("item").GetString()!).ToList();
        var risen = listed[^1];

        await using var watched = await browser.OpenAsync(new Uri("about:blank"));
        var page = watched.Page;
        await page.AddInitScriptAsync(Recorder);
        await page.GotoAsync(new Uri(http.BaseAddress, "/dashboard").ToString());
        await Expect(page.GetByRole(AriaRole.Region, new() { Name = "Top movers" })).ToContainTextAsync("None at the moment.");

        var traffic = new Traffic(http, risen);
        await traffic.VisitAsync(0, patience.Token);
        // From last to first by the one click: told for a minute.
        await Expect(page.GetByRole(AriaRole.Region, new() { Name = "Top movers" }).Locator("tbody tr").First).ToHaveTextAsync($"{risen}1{listed.Count}");
        for (var i = 1; i < Users; i++) await traffic.VisitAsync(i, patience.Token);
        // What was sent, and a record of each list that its user was given.
        var applied = traffic.Sent + Users;
        await UntilAsync(http, "/v1/status", status => status.GetProperty("users").GetProperty("applied").GetInt64() == applied, patience.Token);
        await UntilAsync(
            http, "/v1/status/stream", frame => frame.GetProperty("sample") is var s && s.GetProperty("events_per_s").GetDouble() == 0 && s.GetProperty("lookups_per_s").GetDouble() == 0, patience.Token);
        await TilesAsync(page, applied);
        SamplesAreOf(await SamplesAsync(http, patience.Token), traffic, applied);

        await traffic.CrowdAsync(Crowd, patience.Token);
        var last = await UntilAsync(http, "/v1/status/stream", frame => frame.GetProperty("status").GetProperty("examples").GetInt64() == (Users + Crowd) * Items, patience.Token);
        // Gauges are set by the ticks, of which there are twenty a second.
        var settled = await UntilAsync(http, "/v1/status/stream", frame => AtMs(frame) > AtMs(last) + 1500, patience.Token);
        var partitions = page.GetByRole(AriaRole.Region, new() { Name = "Partitions" }).Locator("tbody tr");
        await Expect(partitions).ToHaveTextAsync(["00", "10"]);
        await ArmsAsync(page, http, traffic, patience.Token);
        await Expect(page.GetByRole(AriaRole.Region, new() { Name = "Popular", Exact = true }).Locator("tbody tr").First).ToContainTextAsync($"{risen}1");

        // Each prediction before its label: the figure is there, and the table, the chart and the node agree on it.
        var auc = settled.GetProperty("models").EnumerateArray().Single(m => m.GetProperty("model").GetString() == "ftrl").GetProperty("auc").GetDouble();
        auc.ShouldBeInRange(.5, 1);
        await Expect(page.Locator("[data-model=ftrl]").GetByRole(AriaRole.Cell).Nth(1)).ToHaveTextAsync(Words.Number(auc));
        await Expect(page.Locator("figure", new() { HasText = "AUC, each prediction before its label" })).ToContainTextAsync($"ftrl {Words.Number(auc)}");
        watched.Complaints.ShouldBeEmpty();
    }

    /// <summary>What the tiles said was in a frame, to the letter, and what happened was said.</summary>
    private static async Task TilesAsync(IPage page, long applied)
    {
        await Expect(page.GetByLabel("Figures of this second")).ToContainTextAsync($"Events0/s {Words.Number(applied)} in all");
        var frames = (await page.EvaluateAsync<string[]>("() => frames_")).Select(text => JsonDocument.Parse(text).RootElement).ToList();
        var told = await page.EvaluateAsync<string[]>("() => told");
        var said = frames.ToLookup(Words.Tiles);
        told.ShouldAllBe(text => said.Contains(text));
        var shown = told.SelectMany(text => said[text]).Select(frame => frame.GetProperty("sample")).ToList();
        shown.ShouldContain(s => s.GetProperty("events_per_s").GetDouble() > 0);
        shown.ShouldContain(s => s.GetProperty("hit_share").ValueKind == JsonValueKind.Number);
        shown.ShouldContain(s => s.GetProperty("click_to_list_ms_p99").ValueKind == JsonValueKind.Number);
        shown.ShouldContain(s => s.GetProperty("feed_age_ms_p99").ValueKind == JsonValueKind.Number);
    }

    /// <summary>The seconds together have all that was done, and no time that nobody waited.</summary>
    private static void SamplesAreOf(IReadOnlyList<JsonElement> samples, Traffic traffic, long applied)
    {
        double events = 0, lookups = 0, hits = 0;
        foreach (var (last, now) in samples.Zip(samples.Skip(1)))
        {
            var seconds = (now.GetProperty("at_ms").GetInt64() - last.GetProperty("at_ms").GetInt64()) / 1000.0;
            events += now.GetProperty("events_per_s").GetDouble() * seconds;
            lookups += now.GetProperty("lookups_per_s").GetDouble() * seconds;
            if (Value(now, "hit_share") is { } share) hits += share * now.GetProperty("lookups_per_s").GetDouble() * seconds;
        }
        // Rates are rounded to a tenth, and a sample's moment is read just before or after its span.
        events.ShouldBe(applied, applied * .1);
        lookups.ShouldBe(traffic.Lookups, traffic.Lookups * .1);
        (hits / lookups).ShouldBe((double)traffic.Own / traffic.Lookups, .05);
        // A percentile is off by a 32nd of itself at most.
        foreach (var (figure, least, most) in new[] { ("click_to_list_ms", 0.001, traffic.SlowestMs), ("feed_age_ms", traffic.YoungestMs, traffic.OldestMs) })
        {
            var known = samples.Select(s => (P50: Value(s, $"{figure}_p50"), P99: Value(s, $"{figure}_p99"))).Where(p => p.P50 is not null).ToList();
            known.ShouldNotBeEmpty();
            known.ShouldAllBe(p => p.P50 >= least * 31 / 32 && p.P50 <= p.P99 && p.P99 <= most * 33 / 32 + 1, figure);
        }
    }

    /// <summary>Users, click rates and intervals of the default layer's arms: as counted by hand, and as the node reports them.</summary>
    private static async Task ArmsAsync(IPage page, HttpClient http, Traffic traffic, CancellationToken cancel)
    {
        var report = await UntilAsync(
            http, "/v1/experiments/default/report", r => r.TryGetProperty("metrics", out var all) && all.EnumerateArray().FirstOrDefault(m => m.GetProperty("metric").GetString() == "ctr") is { ValueKind: JsonValueKind.Object } m
                && Value(m, "control") is { } learned && Math.Abs(learned - traffic.Ctr("learned")) < 1e-9 && Value(m, "value") is { } heldOut && Math.Abs(heldOut - traffic.Ctr("holdout")) < 1e-9,
            cancel);
        var ctr = report.GetProperty("metrics").EnumerateArray().First(m => m.GetProperty("metric").GetString() == "ctr");
        var interval = ctr.GetProperty("interval").EnumerateArray().Select(end => end.GetDouble()).ToList();
        var lift = traffic.Ctr("holdout") / traffic.Ctr("learned") - 1;
        Value(ctr, "lift")!.Value.ShouldBe(lift, 1e-9);
        (interval[0] < lift && lift < interval[1]).ShouldBeTrue();
        var rows = page.GetByRole(AriaRole.Region, new() { Name = "The hold-out beside the learned feed" }).Locator("tbody tr");
        string Share(string arm) => Words.Percent((double)traffic.UsersOf(arm) / (Users + Crowd), 0);
        await Expect(rows).ToHaveTextAsync(
        [
            $"learned (control){traffic.UsersOf("learned")}{Share("learned")}{Words.Percent(traffic.Ctr("learned"))}",
            $"holdout{traffic.UsersOf("holdout")}{Share("holdout")}{Words.Percent(traffic.Ctr("holdout"))}{Words.Percent(lift)}{Words.Percent(interval[0])} to {Words.Percent(interval[1])}worse",
        ]);
    }

    [BrowserFact]
    public async Task Every_figure_has_its_place_also_where_there_is_none()
    {
        await using var live = await LiveNode.StartAsync();
        var frame = JsonNode.Parse((await live.GetAsync("/v1/status/stream")).Body)!;
        var past = frame["sample"]!.DeepClone();
        past["at_ms"] = frame["sample"]!["at_ms"]!.GetValue<long>() - 1000;
        // Whatever other tests' models have left in the process's gauges.
        past["auc"] = new JsonObject();
        // Beyond what a test's traffic brings about: partitions that are behind, slow lists, a model that has nothing to say yet.
        frame["sample"] = JsonNode.Parse($$"""
            {"at_ms":{{frame["sample"]!["at_ms"]}},"events_per_s":1234.5,"lookups_per_s":87.6,"click_to_list_ms_p50":12.34,"click_to_list_ms_p99":3456.7,
             "feed_age_ms_p50":250000,"feed_age_ms_p99":null,"hit_share":0.9876,"lag_offsets":1203,"auc":{"ftrl":0.70123,"mf":null},"versions":{} }
            """);
        frame["lag_by_partition"] = JsonNode.Parse("""{"1":1200,"10":0,"0":3}""");
        frame["models"] = JsonNode.Parse("""[{"model":"ftrl","auc":0.70123,"gauc":0.6,"log_loss":0.4321,"calibration":1.02},{"model":"mf","auc":null,"gauc":null,"log_loss":null,"calibration":null}]""");
        frame["movers"] = JsonNode.Parse("""[{"item":"new","score":9,"rank":1,"was":null},{"item":"up","score":8,"rank":2,"was":31}]""");
        frame["popular"] = JsonNode.Parse("""[{"item":"new","score":9,"rank":1,"was":null},{"item":"up","score":8,"rank":2,"was":31},{"item":"down","score":7,"rank":3,"was":1}]""");
        await using var watched = await browser.OpenAsync(new Uri("about:blank"));
        var page = watched.Page;
        await page.RouteAsync("**/v1/status/stream", route => route.FulfillAsync(new RouteFulfillOptions
        {
            ContentType = "text/event-stream", Body = $"event: history\ndata: {{\"samples\":[{past.ToJsonString()}]}}\n\nevent: frame\ndata: {frame.ToJsonString()}\n\n",
        }));
        await page.GotoAsync(new Uri(live.Address, "/dashboard").ToString());
        var tiles = page.GetByLabel("Figures of this second");
        await Expect(tiles).ToContainTextAsync("Events1,235/s");
        await Expect(tiles).ToContainTextAsync("Click to list12.3 ms p99 3.5 sFeed age4 min p99 -Cache hits98.8 % 87.6 look-ups/sLag1,203 offsets");
        (await tiles.TextContentAsync()).ShouldStartWith(Words.Tiles(JsonDocument.Parse(frame.ToJsonString()).RootElement));
        await Expect(page.GetByRole(AriaRole.Region, new() { Name = "Partitions" }).Locator("tbody tr")).ToHaveTextAsync(["03", "11,200", "100"]);
        await Expect(page.GetByRole(AriaRole.Region, new() { Name = "Top movers" }).Locator("tbody tr")).ToHaveTextAsync(["new1not on it", "up231"]);
        await Expect(page.GetByRole(AriaRole.Region, new() { Name = "Popular", Exact = true }).Locator("tbody tr")).ToHaveTextAsync(["new1not on it", "up231", "down31"]);
        await Expect(page.Locator("[data-model=ftrl]").GetByRole(AriaRole.Cell)).ToContainTextAsync(["", "0.701", "0.6", "0.432", "1.02"]);
        await Expect(page.Locator("[data-model=mf]").GetByRole(AriaRole.Cell)).ToContainTextAsync(["", "-", "-", "-", "-"]);
        await Expect(page.Locator("figcaption")).ToHaveTextAsync(
            ["A secondevents 1,235look-ups 87.6", "Click to list, msp50 12.3p99 3,457", "AUC, each prediction before its labelftrl 0.701mf -", "Lag, offsetsbehind 1,203"]);
        watched.Complaints.ShouldBeEmpty();
    }

    private static string[] Arguments(string folder) =>
    [
        "--data-dir", folder, .. new[]
        {
            "Log:Partitions=2", "Storage:LogMemoryMbPerPartition=2", "Storage:State:MemoryMb=8", "Storage:State:IndexMb=1", "Storage:Cache:MemoryMb=8", "Storage:Cache:IndexMb=1",
            "Learning:FtrlBits=14", "Node:TickIntervalMs=50", "Serving:FreshnessWaitMsMax=30000", "Experiments:HoldoutShare=0.5", "Users:AttributionWindowMs=500", "Users:LateWindowMs=500",
        }.SelectMany(setting => (string[])["--set", setting]),
    ];

    private static long AtMs(JsonElement frame) => frame.GetProperty("sample").GetProperty("at_ms").GetInt64();

    private static double? Value(JsonElement of, string member) => of.GetProperty(member) is { ValueKind: JsonValueKind.Number } number ? number.GetDouble() : null;

    private static async Task<JsonElement> UntilAsync(HttpClient http, string path, Func<JsonElement, bool> wanted, CancellationToken cancel)
    {
        while (true)
        {
            using var answer = await http.GetAsync(path, cancel);
            if (answer.IsSuccessStatusCode && await answer.Content.ReadFromJsonAsync<JsonElement>(cancel) is var found && wanted(found)) return found;
            await Task.Delay(50, cancel);
        }
    }

    /// <summary>The charts' past, which a stream begins with.</summary>
    private static async Task<IReadOnlyList<JsonElement>> SamplesAsync(HttpClient http, CancellationToken cancel)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/v1/status/stream");
        request.Headers.Accept.Add(new("text/event-stream"));
        using var answer = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancel);
        using var reader = new StreamReader(await answer.Content.ReadAsStreamAsync(cancel));
        (await reader.ReadLineAsync(cancel)).ShouldBe("event: history");
        return [.. JsonDocument.Parse((await reader.ReadLineAsync(cancel))!["data: ".Length..]).RootElement.GetProperty("samples").EnumerateArray()];
    }

    /// <summary>Visits, and what each of them counts for.</summary>
    private sealed class Traffic(HttpClient http, string wanted)
    {
        private readonly List<(string Arm, int Shown, int Clicks)> _visits = [];

        private readonly Dictionary<string, (string RequestId, IReadOnlyList<string> Items)> _lists = [];

        public long Sent { get; private set; }
        public int Lookups { get; private set; }
        public int Own { get; private set; }
        public double SlowestMs { get; private set; }
        public double YoungestMs { get; private set; } = double.MaxValue;
        public double OldestMs { get; private set; }

        public int UsersOf(string arm) => _visits.Count(v => v.Arm == arm);

        public double Ctr(string arm) => _visits.Where(v => v.Arm == arm).Sum(v => v.Clicks) / (double)_visits.Where(v => v.Arm == arm).Sum(v => v.Shown);

        /// <summary>A user who has no list yet sees all items, clicks the wanted one and, every other one, a second; and looks again.</summary>
        public async Task VisitAsync(int at, CancellationToken cancel)
        {
            var user = $"user-{at}";
            var shown = await FeedAsync(user, "", cancel);
            var items = shown.ItemIds();
            items.Count.ShouldBe(Items);
            var request = shown.GetProperty("request_id").GetString();
            string[] clicked = at % 2 == 0 ? [wanted] : [wanted, items.First(i => i != wanted)];
            object[] events =
            [
                new { type = "impression", user, request_id = request, items }, .. clicked.Select(item => (object)new { type = "click", user, item, request_id = request }),
            ];
            var started = Stopwatch.GetTimestamp();
            using var posted = await http.PostAsJsonAsync("/v1/events", events, cancel);
            posted.EnsureSuccessStatusCode();
            var position = (await posted.Content.ReadFromJsonAsync<JsonElement>(cancel)).GetProperty("results").EnumerateArray().Last().GetProperty("position").GetString();
            var own = await FeedAsync(user, $"&wait_ms=30000&after={position}", cancel);
            SlowestMs = Math.Max(SlowestMs, Stopwatch.GetElapsedTime(started).TotalMilliseconds);
            own.GetProperty("source").GetString().ShouldBe("own");
            Sent += events.Length;
            var arm = shown.GetProperty("arm").GetString()!;
            _visits.Add((arm, items.Count, clicked.Length));
            _lists[arm] = (request!, items);
        }

        /// <summary>Many more in both arms, in one request: one or two clicks each where the feed learns, none or one where it does not.</summary>
        public async Task CrowdAsync(int users, CancellationToken cancel)
        {
            var events = new List<object>();
            for (var i = 0; i < users; i++)
            {
                var arm = i % 2 == 0 ? "learned" : "holdout";
                var (user, (request, items), clicks) = ($"crowd-{i}", _lists[arm], (i % 2 == 0 ? 1 : 0) + (i / 2 % 2));
                events.Add(new { type = "impression", user, request_id = request, items });
                events.AddRange(items.OrderBy(item => item != wanted).Take(clicks).Select(item => new { type = "click", user, item, request_id = request }));
                _visits.Add((arm, items.Count, clicks));
            }
            (await http.PostAsJsonAsync("/v1/events", events, cancel)).EnsureSuccessStatusCode();
        }

        private async Task<JsonElement> FeedAsync(string user, string query, CancellationToken cancel)
        {
            var list = await http.GetFromJsonAsync<JsonElement>($"/v1/feed/{user}?limit={Items}{query}", cancel);
            Lookups++;
            if (list.GetProperty("source").GetString() == "own") Own++;
            var age = list.GetProperty("age_ms").GetDouble();
            (YoungestMs, OldestMs) = (Math.Min(YoungestMs, age), Math.Max(OldestMs, age));
            return list;
        }
    }

    /// <summary>Figures as the pages say them (Web/ui/src/words.ts).</summary>
    private static class Words
    {
        public static string Number(double? value, int digits = 3)
        {
            if (value is not { } known) return "-";
            if (known == 0) return "0";
            var exact = (decimal)known;
            if (Math.Abs(known) >= 100) return Math.Round(exact, MidpointRounding.AwayFromZero).ToString("N0", CultureInfo.InvariantCulture);
            return Math.Round(exact, Math.Max(0, digits - 1 - (int)Math.Floor(Math.Log10(Math.Abs(known)))), MidpointRounding.AwayFromZero).ToString("0.###########", CultureInfo.InvariantCulture);
        }

        public static string Percent(double? share, int digits = 1) =>
            share is { } known ? $"{Math.Round((decimal)known * 100, digits, MidpointRounding.AwayFromZero).ToString($"N{digits}", CultureInfo.InvariantCulture)} %" : "-";

        /// <summary>All tiles, one after another.</summary>
        public static string Tiles(JsonElement frame)
        {
            var (sample, status) = (frame.GetProperty("sample"), frame.GetProperty("status"));
            var users = status.GetProperty("users");
            string Time(JsonElement of, string figure) => Duration(Value(of, figure));
            string Count(JsonElement of, string figure) => Number(of.GetProperty(figure).GetDouble());
            var letters = users.GetProperty("dead_letters").GetInt64() + status.GetProperty("item_dead_letters").GetInt64() + status.GetProperty("ingest_rejected").GetInt64();
            return $"Events{Count(sample, "events_per_s")}/s {Count(users, "applied")} in all"
                + $"Click to list{Time(sample, "click_to_list_ms_p50")} p99 {Time(sample, "click_to_list_ms_p99")}Feed age{Time(sample, "feed_age_ms_p50")} p99 {Time(sample, "feed_age_ms_p99")}"
                + $"Cache hits{Percent(Value(sample, "hit_share"))} {Count(sample, "lookups_per_s")} look-ups/sLag{Count(sample, "lag_offsets")} offsets; {Time(status, "lag_ms")} to catch up"
                + $"Users in memory{Count(users, "resident")} {Count(status, "items")} itemsExamples{Count(status, "examples")} {Count(users, "lists")} lists built"
                + $"Dead letters{Number(letters)} checkpoint {status.GetProperty("checkpoint_id").GetInt64()}";
        }

        private static string Duration(double? ms) => ms switch
        {
            null => "-",
            < 1000 => $"{Number(ms)} ms",
            < 120_000 => $"{Number(ms / 1000, 2)} s",
            < 7_200_000 => $"{Math.Round(ms.Value / 60_000, MidpointRounding.AwayFromZero):0} min",
            _ => throw new ArgumentOutOfRangeException(nameof(ms), ms, "no test waits for hours"),
        };
    }
}
