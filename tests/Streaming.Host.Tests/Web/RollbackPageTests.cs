using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.Playwright;
using Streaming.Core.Settings;
using Streaming.Host.Http;
using Streaming.Host.Tests.Fixtures;
using Streaming.Learning;
using Streaming.Learning.Deep;
using Streaming.Node.Deep;
using Streaming.Suites;
using static Microsoft.Playwright.Assertions;

namespace Streaming.Host.Tests.Web;

/// <summary>The dashboard's button that rolls a deep model back, against a node that serves two versions of one.</summary>
[Collection(BrowserCollection.Name)]
public sealed class RollbackPageTests(Browser browser)
{
    private static readonly StreamingSettings Settings = (LiveNode.SmallSettings with
    {
        Deep = new DeepSettings { Models = ["din"], Device = "cpu" },
        Experiments = LiveNode.SmallSettings.Experiments with { ArmShares = new() { ["din"] = .9 } },
    }).Resolved();

    [BrowserTorchFact]
    public async Task A_model_is_rolled_back_with_a_confirmation_and_the_audit_says_by_whom_and_why()
    {
        await using var live = await LiveNode.StartAsync(Settings);
        (await live.PostLinesAsync("/v1/items", Enumerable.Range(0, 30).Select(i => $$"""{"id":"i{{i}}","tags":["t{{i % 3}}"]}"""))).Status.ShouldBe(200);
        Publish(live, Settings, "din", 10, 20);
        await live.UntilAsync(() => live.GetAsync("/v1/status"), a => Serving(a) == 20);
        var user = Enumerable.Range(0, 100).Select(i => $"reader-{i}").First(u => live.Node.Splitter.ArmOf(u) == "din");

        await using var watched = await browser.OpenAsync(new Uri(live.Address, "/dashboard"));
        var page = watched.Page;
        var din = page.Locator("[data-model=din]");
        var audit = page.GetByRole(AriaRole.Region, new() { Name = "Audit" });
        await din.GetByRole(AriaRole.Button, new() { Name = "Roll back din" }).ClickAsync();
        var dialog = page.GetByRole(AriaRole.Dialog);
        // Called off, it does nothing.
        await Expect(dialog.GetByLabel("Version")).ToHaveValueAsync("20");
        await dialog.GetByRole(AriaRole.Button, new() { Name = "Cancel" }).ClickAsync();
        await Expect(din).Not.ToContainTextAsync("rolled back");
        live.Node.Experiments.Current.Version.ShouldBe(0);

        await din.GetByRole(AriaRole.Button, new() { Name = "Roll back din" }).ClickAsync();
        await dialog.GetByLabel("Version").FillAsync("10");
        await DashboardTests.ConfirmAsync(page, "Roll back din", "worse since noon");
        await Expect(din).ToContainTextAsync("rolled back to 10");
        await Expect(audit).ToContainTextAsync("pat: model din: rolled back to din@10 (worse since noon)");
        await live.UntilAsync(() => ModelsOfListAsync(live, user), models => models.Contains("din@10:10"));
        // Among the versions of the last minutes, under the chart that marks them.
        var steps = page.GetByRole(AriaRole.Region, new() { Name = "Versions of the last ten minutes" }).Locator("tbody tr");
        await Expect(steps.First).ToHaveTextAsync(new Regex("^din:10.+rolled back-$"));
        await Browser.ShouldBeAccessibleAsync(page, "rollback", "[aria-labelledby=models]");

        await din.GetByRole(AriaRole.Button, new() { Name = "Newest din" }).ClickAsync();
        await DashboardTests.ConfirmAsync(page, "Serve the newest din", "mended");
        await Expect(din).Not.ToContainTextAsync("rolled back");
        await Expect(steps.First).ToHaveTextAsync(new Regex("^din:20.+in force-$"));
        await Expect(audit).ToContainTextAsync("pat: model din: the newest version again (mended)");
        await live.UntilAsync(() => ModelsOfListAsync(live, user), models => models.Contains("din:20"));
        watched.Complaints.ShouldBeEmpty();
    }

    [BrowserTorchFact]
    public async Task A_model_that_recalls_has_no_button_as_the_node_would_refuse()
    {
        var settings = (Settings with { Deep = new DeepSettings { Models = ["din", "sasrec"], Device = "cpu" } }).Resolved();
        await using var live = await LiveNode.StartAsync(settings);
        Publish(live, settings, "din", 10);
        Publish(live, settings, "sasrec", 10);
        var status = await live.UntilAsync(() => live.GetAsync("/v1/status"), a => a.Json.GetProperty("deep").EnumerateArray().All(d => d.GetProperty("serving").GetInt64() == 10));
        status.Json.GetProperty("deep").EnumerateArray().ToDictionary(d => d.GetProperty("name").GetString()!, d => d.GetProperty("ranks").GetBoolean())
            .ShouldBe(new Dictionary<string, bool> { ["din"] = true, ["sasrec"] = false }, ignoreOrder: true);
        (await live.PostAsync("/v1/models/sasrec/rollback?version=10", "")).ShouldBeProblem(400, "bad-experiments");

        await using var watched = await browser.OpenAsync(new Uri(live.Address, "/dashboard"));
        await Expect(watched.Page.Locator("[data-model=din]").GetByRole(AriaRole.Button, new() { Name = "Roll back din" })).ToBeVisibleAsync();
        var sasrec = watched.Page.Locator("[data-model=sasrec]");
        await Expect(sasrec).ToContainTextAsync("10");
        await Expect(sasrec.GetByRole(AriaRole.Button)).ToHaveCountAsync(0);
        watched.Complaints.ShouldBeEmpty();
    }

    [BrowserTorchFact]
    public async Task The_canarys_ledger_says_which_versions_passed_and_why_the_others_did_not()
    {
        await using var live = await LiveNode.StartAsync(Settings);
        var frame = JsonNode.Parse((await live.UntilAsync(() => live.GetAsync("/v1/status/stream"), a => a.Json.GetProperty("status").GetProperty("deep").GetArrayLength() == 1)).Body)!;
        // A worker's own would take minutes of examples; in the form in which the node's frames have them.
        var at = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
        var verdicts = new[]
        {
            new LedgerEntry("din", 1, 40, at - 60_000, 10, 0, LedgerEntry.Promoted, "the first version", 256, new CanaryFigures(.61, .99, 1.01, .7), null),
            new LedgerEntry("din", 1, 80, at - 5_000, 20, 10, LedgerEntry.RolledBack, "the log-loss rose", 256, new CanaryFigures(.75, 1.1, 1.2, .6), new CanaryFigures(.6, .98, 1, .71)),
        };
        frame["status"]!["deep"]![0]!["ledger"] = JsonSerializer.SerializeToNode(verdicts, ReportJson.Options);
        await using var watched = await browser.OpenAsync(new Uri("about:blank"));
        var page = watched.Page;
        await page.RouteAsync("**/v1/status/stream", route => route.FulfillAsync(new RouteFulfillOptions { ContentType = "text/event-stream", Body = $"event: frame\ndata: {frame.ToJsonString()}\n\n" }));
        await page.GotoAsync(new Uri(live.Address, "/dashboard").ToString());
        var rows = page.GetByRole(AriaRole.Region, new() { Name = "Canary" }).GetByRole(AriaRole.Row);
        await Expect(rows).ToHaveCountAsync(3);
        await Expect(rows.Nth(1)).ToContainTextAsync("went back0.750.6256the log-loss rose");
        await Expect(rows.Nth(2)).ToContainTextAsync("passed0.61-256the first version");
        watched.Complaints.ShouldBeEmpty();
    }

    [BrowserTorchFact]
    public async Task Versions_are_marked_on_the_chart_of_the_AUC()
    {
        await using var live = await LiveNode.StartAsync(Settings);
        var frame = JsonNode.Parse((await live.UntilAsync(() => live.GetAsync("/v1/status/stream"), a => a.Json.GetProperty("status").GetProperty("deep").GetArrayLength() == 1)).Body)!;
        var at = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
        // Seconds in which version 10 serves, then 20, and 10 again; between the last two the canary keeps one back.
        var samples = new[] { (-60, 10, .6), (-50, 10, .61), (-40, 20, .7), (-20, 20, .65), (-10, 10, .64), (0, 10, .62) }.Select(s =>
        {
            var sample = frame["sample"]!.DeepClone();
            (sample["at_ms"], sample["versions"], sample["auc"]) = (at + 1000 * s.Item1, new JsonObject { ["din"] = s.Item2 }, new JsonObject { ["din"] = s.Item3 });
            return sample;
        }).ToList();
        frame["sample"] = samples[^1].DeepClone();
        frame["status"]!["deep"]![0]!["ledger"] = JsonSerializer.SerializeToNode(
            new[] { new LedgerEntry("din", 1, 80, at - 15_000, 30, 20, LedgerEntry.RolledBack, "the log-loss rose", 256, null, null) }, ReportJson.Options);
        var past = new JsonObject { ["samples"] = new JsonArray([.. samples]) };
        await using var watched = await browser.OpenAsync(new Uri("about:blank"));
        var page = watched.Page;
        var body = $"event: history\ndata: {past.ToJsonString()}\n\nevent: frame\ndata: {frame.ToJsonString()}\n\n";
        await page.RouteAsync("**/v1/status/stream", route => route.FulfillAsync(new RouteFulfillOptions { ContentType = "text/event-stream", Body = body }));
        await page.GotoAsync(new Uri(live.Address, "/dashboard").ToString());
        await Expect(page.GetByRole(AriaRole.Region, new() { Name = "Versions of the last ten minutes" }).Locator("tbody tr")).ToHaveTextAsync(
            [new Regex("^din:10.+rolled back0.64$"), new Regex("^din:30.+went back0.65$"), new Regex("^din:20.+in force0.7$")]);
        var chart = page.Locator("figure", new() { HasText = "AUC, each prediction before its label" });
        await Expect(chart).ToContainTextAsync("din version 10 0.62");
        // Two lines in the colour of what went wrong, and a broken one in the other: from the left, as they followed each other.
        var marks = await chart.Locator("canvas").EvaluateAsync<string>(
            """
            (canvas) => {
                const { width, height } = canvas, data = canvas.getContext('2d').getImageData(0, 0, width, height).data, columns = [];
                const is = (at, [r, g, b]) => Math.abs(data[at] - r) + Math.abs(data[at + 1] - g) + Math.abs(data[at + 2] - b) < 12 && data[at + 3] > 200;
                for (let x = 0; x < width; x++) {
                    let good = 0, bad = 0;
                    for (let y = 0; y < height; y++) {
                        good += is(4 * (y * width + x), [23, 105, 47]);
                        bad += is(4 * (y * width + x), [163, 32, 32]);
                    }
                    const mark = bad > height / 2 ? 'bad' : good > height / 5 ? 'good' : '';
                    if (mark !== (columns.at(-1) ?? '')) columns.push(mark);
                }
                return columns.filter(Boolean).join(' ');
            }
            """);
        marks.ShouldBe("good bad bad");
        await Browser.ShouldBeAccessibleAsync(page, "versions", "[aria-labelledby=version-steps]");
        watched.Complaints.ShouldBeEmpty();
    }

    /// <summary>Versions as a worker publishes them, without the hours of learning that lie between two that an operator chooses from.</summary>
    private static void Publish(LiveNode live, StreamingSettings settings, string name, params ReadOnlySpan<long> versions)
    {
        using var model = DeepZoo.Create(name, settings, new LearnerSet(settings).Catalog);
        var publisher = new ModelPublisher(live.Log, name);
        foreach (var version in versions)
        {
            // Other dense weights in every version; over 0, as some of them are variances.
            foreach (var dense in model.Weights.Dense) dense.CopyFrom([.. Enumerable.Range(0, dense.Length).Select(i => 0.2f + 0.1f * MathF.Sin(i + 7 * version))]);
            publisher.Publish([new ModelUpdate(new UpdateHead(name, UpdateKind.Snapshot, 1, 0, version, version, 0, 0), WeightsCodec.All(model.Weights, 1 << 18))], version);
        }
    }

    private static long Serving(Answer status) => status.Json.GetProperty("deep")[0].GetProperty("serving").GetInt64();

    /// <summary>The versions that a list is made of which is built now.</summary>
    private static async Task<string> ModelsOfListAsync(LiveNode live, string user) =>
        (await live.FeedAfterAsync(user, $$$"""{"type":"user_upsert","user":"{{{user}}}","profile":{"interests":["t1"]}}""")).GetProperty("models").GetString()!;
}

/// <summary>Skipped where there is no browser, or no libtorch for a model to learn with.</summary>
public sealed class BrowserTorchFactAttribute : FactAttribute
{
    public BrowserTorchFactAttribute() => Skip = new BrowserFactAttribute().Skip ?? new TorchFactAttribute().Skip;
}
