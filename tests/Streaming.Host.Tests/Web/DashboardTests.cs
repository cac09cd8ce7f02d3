using System.Text;
using System.Text.RegularExpressions;
using Microsoft.Playwright;
using Streaming.Host.Tests.Fixtures;
using Xunit.Abstractions;
using static Microsoft.Playwright.Assertions;

namespace Streaming.Host.Tests.Web;

/// <summary>The dashboard in a browser, against a node.</summary>
[Collection(BrowserCollection.Name)]
public sealed class DashboardTests(Browser browser, ITestOutputHelper output)
{
    [BrowserFact]
    public async Task The_dashboard_follows_the_node_and_operators_act_from_it()
    {
        await using var live = await NodeAsync();
        await using var watched = await browser.OpenAsync(new Uri(live.Address, "/dashboard"));
        var page = watched.Page;
        await Expect(page.GetByRole(AriaRole.Status).First).ToHaveTextAsync("Live");
        var intake = page.GetByRole(AriaRole.Region, new() { NameRegex = new Regex("^Intake") });
        await Expect(intake).ToContainTextAsync("open");
        var (wallMs, processorMs) = await watched.UsableAsync();
        var effort = await browser.EffortAsync(processorMs);
        output.WriteLine($"figures on the screen {wallMs:0} ms after the page was asked for, of which the page was at work for {processorMs:0} ms, {effort:0.00} times the known work");
        effort.ShouldBeInRange(.1, Browser.EffortMax);
        await Expect(page.Locator(".plot canvas")).ToHaveCountAsync(4);

        // Sent while it watches: who and what is hot, and what could not be used.
        await live.FeedAfterAsync("busy", """{"type":"click","user":"busy","item":"base-1"}""");
        (await live.PostAsync("/v1/events", """{"type":"like","user":"busy"}""")).Status.ShouldBe(400);
        await live.EventAsync("""{"type":"playlist_add","user":"busy","item":"base-2"}""");
        await Expect(page.GetByRole(AriaRole.Region, new() { Name = "Hot users" })).ToContainTextAsync("busy");
        await Expect(page.GetByRole(AriaRole.Region, new() { Name = "Hot items" })).ToContainTextAsync("base-1");
        await Expect(page.GetByRole(AriaRole.Region, new() { Name = "Popular", Exact = true })).ToContainTextAsync("base-1");
        await Expect(page.GetByRole(AriaRole.Region, new() { Name = "Models", Exact = true })).ToContainTextAsync("ftrl");
        var letters = page.GetByRole(AriaRole.Region, new() { Name = "Dead letters", Exact = true });
        await Expect(letters).ToContainTextAsync("item is missing");
        await Expect(letters.Locator("[data-letter]")).ToHaveCountAsync(2);

        await intake.GetByRole(AriaRole.Button, new() { Name = "Pause" }).ClickAsync();
        await ConfirmAsync(page, "Pause the intake", "moving house");
        await Expect(intake).ToContainTextAsync("paused");
        (await live.PostAsync("/v1/events", """{"type":"click","user":"busy","item":"base-3"}""")).ShouldBeProblem(503, "paused");
        await intake.GetByRole(AriaRole.Button, new() { Name = "Resume" }).ClickAsync();
        await ConfirmAsync(page, "Resume the intake", "");
        await Expect(intake).ToContainTextAsync("open");

        var audit = page.GetByRole(AriaRole.Region, new() { Name = "Audit" });
        await Expect(audit).ToContainTextAsync("pat: intake paused (moving house)");

        var unweighted = letters.Locator("[data-letter]", new() { HasText = "playlist_add" });
        await unweighted.GetByRole(AriaRole.Button).ClickAsync();
        await ConfirmAsync(page, "Send it again", "");
        await Expect(letters.GetByRole(AriaRole.Status)).ToContainTextAsync("was sent again");
        // There is still no weight for it, so it comes back as a letter of its own.
        await Expect(unweighted).ToHaveCountAsync(2);
        var broken = letters.Locator("[data-letter]", new() { HasText = "item is missing" });
        await broken.GetByRole(AriaRole.Button).ClickAsync();
        await ConfirmAsync(page, "Send it again", "");
        await Expect(letters.GetByRole(AriaRole.Status)).ToContainTextAsync("it would be set aside again");

        var experiment = page.Locator("[data-experiment=short]");
        await experiment.GetByRole(AriaRole.Button, new() { Name = "Start short" }).ClickAsync();
        await page.GetByRole(AriaRole.Dialog).GetByLabel("Share of the layer").FillAsync("0.5");
        await ConfirmAsync(page, "Start short", "looks good");
        await Expect(experiment).ToContainTextAsync("running");
        await experiment.GetByRole(AriaRole.Button, new() { Name = "Kill short" }).ClickAsync();
        await page.GetByRole(AriaRole.Dialog).GetByRole(AriaRole.Button, new() { Name = "Cancel" }).ClickAsync();
        await Expect(experiment).ToContainTextAsync("running");
        await Browser.ShouldBeAccessibleAsync(page, "dashboard");
        await experiment.GetByRole(AriaRole.Button, new() { Name = "Kill short" }).ClickAsync();
        await ConfirmAsync(page, "Kill short", "clicks fall");
        await Expect(experiment).ToContainTextAsync("killed");
        await Expect(audit).ToContainTextAsync("pat: experiment short: running -> killed (clicks fall)");

        await page.GetByRole(AriaRole.Button, new() { NameRegex = new Regex("^Theme") }).ClickAsync();
        await page.GetByRole(AriaRole.Button, new() { NameRegex = new Regex("^Theme") }).ClickAsync();
        (await page.EvaluateAsync<string>("() => getComputedStyle(document.body).backgroundColor")).ShouldBe("rgb(18, 21, 26)");
        // The browser notes what the node refuses: a letter that is still broken, and the report of an experiment that nobody has come to yet.
        watched.Complaints.ShouldAllBe(c => c.Contains("409") || c.Contains("/v1/experiments/short/report"));

        await live.StopAsync();
        await Expect(page.GetByRole(AriaRole.Status).First).ToHaveTextAsync(new Regex("trying again|No figures"));
    }

    [BrowserFact]
    public async Task A_weight_is_changed_with_the_keyboard_and_a_type_of_ones_own_is_taken()
    {
        await using var live = await NodeAsync();
        await live.EventAsync("""{"type":"playlist_add","user":"busy","item":"base-2"}""");
        await using var watched = await browser.OpenAsync(new Uri(live.Address, "/dashboard"));
        var page = watched.Page;
        var weights = page.GetByRole(AriaRole.Region, new() { Name = "Weights", Exact = true });
        var like = weights.Locator("[data-weight='Users:ActionWeights:like']");
        var audit = page.GetByRole(AriaRole.Region, new() { Name = "Audit" });

        // Called off: nothing changes, and the focus is where it was.
        var change = like.GetByRole(AriaRole.Button, new() { Name = "Change the weight of action like" });
        await change.FocusAsync();
        await page.Keyboard.PressAsync("Enter");
        await Expect(page.GetByRole(AriaRole.Dialog)).ToContainTextAsync("Change the weight of action like?");
        await page.Keyboard.PressAsync("Escape");
        await Expect(page.GetByRole(AriaRole.Dialog)).ToHaveCountAsync(0);
        await Expect(change).ToBeFocusedAsync();
        await page.Keyboard.PressAsync("Enter");
        await page.GetByRole(AriaRole.Dialog).GetByLabel("Weight").FillAsync("4.5");
        await ConfirmAsync(page, "Change the weight of action like", "likes say more");
        await Expect(like).ToContainTextAsync("4.5 settings: 2");
        await Expect(audit).ToContainTextAsync("pat: weight Users:ActionWeights:like: as in the settings -> 4.5 (likes say more)");
        await live.FeedAfterAsync("busy", """{"type":"like","user":"busy","item":"base-3"}""");
        (await live.GetAsync("/v1/users/busy")).Json.GetProperty("history")[0].GetProperty("weight").GetDouble().ShouldBe(4.5);

        // What cannot be is refused in words.
        await weights.GetByRole(AriaRole.Button, new() { Name = "Change the weight of action hide" }).ClickAsync();
        await page.GetByRole(AriaRole.Dialog).GetByLabel("Weight").FillAsync("3");
        await ConfirmAsync(page, "Change the weight of action hide", "");
        await Expect(weights.GetByRole(AriaRole.Alert)).ToContainTextAsync("Users:ActionWeights:hide");

        await weights.GetByRole(AriaRole.Button, new() { Name = "Weigh a type of your own" }).ClickAsync();
        await page.GetByRole(AriaRole.Dialog).GetByLabel("Type").FillAsync("playlist_add");
        await page.GetByRole(AriaRole.Dialog).GetByLabel("Weight").FillAsync("3");
        await ConfirmAsync(page, "Weigh a type of your own", "");
        await Expect(weights.Locator("[data-weight='Users:ActionWeights:playlist_add']")).ToContainTextAsync("not in the settings");
        var letters = page.GetByRole(AriaRole.Region, new() { Name = "Dead letters", Exact = true });
        await letters.Locator("[data-letter]", new() { HasText = "playlist_add" }).GetByRole(AriaRole.Button).ClickAsync();
        await ConfirmAsync(page, "Send it again", "");
        await live.UntilAsync(() => live.GetAsync("/v1/users/busy"), a => a.Json.GetProperty("positives").GetInt64() == 2);
        await Browser.ShouldBeAccessibleAsync(page, "weights", "[aria-labelledby=weights]");

        await like.GetByRole(AriaRole.Button, new() { Name = "Back to the settings: action like" }).ClickAsync();
        await ConfirmAsync(page, "Have action like as in the settings", "");
        await Expect(like.GetByRole(AriaRole.Button)).ToHaveCountAsync(1);
        await Expect(audit).ToContainTextAsync("weight Users:ActionWeights:like: 4.5 -> as in the settings");
        watched.Complaints.ShouldAllBe(c => c.Contains("400"));
    }

    [BrowserFact]
    public async Task What_is_older_comes_page_by_page_and_stays_when_more_comes()
    {
        await using var live = await NodeAsync();
        // 45 letters; 14 steps of one topic of the audit and then, with the definitions of the experiments before both, 15 of the other.
        (await live.PostLinesAsync("/v1/events", Enumerable.Range(0, 45).Select(i => $$"""{"type":"like","user":"u{{i}}"}"""))).Status.ShouldBe(400);
        for (var i = 0; i < 14; i++) (await live.PostAsync($"/v1/intake/{(i % 2 == 0 ? "pause" : "resume")}", "")).Status.ShouldBe(200);
        for (var i = 1; i < 15; i++) (await live.SendAsync(HttpMethod.Put, $"/v1/weights/Users:ActionWeights:like?value={i + 2}")).Status.ShouldBe(200);
        await using var watched = await browser.OpenAsync(new Uri(live.Address, "/dashboard"));
        var page = watched.Page;
        var letters = page.GetByRole(AriaRole.Region, new() { Name = "Dead letters", Exact = true });
        var rows = letters.Locator("[data-letter]");
        var olderLetters = letters.GetByRole(AriaRole.Button, new() { Name = "Older letters" });
        await Expect(rows).ToHaveCountAsync(20);
        await olderLetters.FocusAsync();
        await page.Keyboard.PressAsync("Enter");
        await Expect(rows).ToHaveCountAsync(40);
        await Expect(letters.GetByRole(AriaRole.Status)).ToHaveTextAsync("20 older letters; 40 are shown.");
        await Expect(rows.Nth(20)).ToBeFocusedAsync();
        // What comes now stands before them, and they stay.
        (await live.PostAsync("/v1/events", """{"type":"like","user":"late"}""")).Status.ShouldBe(400);
        await Expect(rows).ToHaveCountAsync(41);
        await Expect(rows.First).ToContainTextAsync("late");
        await olderLetters.ClickAsync();
        await Expect(rows).ToHaveCountAsync(46);
        await Expect(rows.Last).ToContainTextAsync("u0");
        await Expect(olderLetters).ToHaveCountAsync(0);
        (await rows.EvaluateAllAsync<string[]>("rows => rows.map(r => r.dataset.letter)")).ShouldBeUnique();

        var audit = page.GetByRole(AriaRole.Region, new() { Name = "Audit" });
        var steps = audit.GetByRole(AriaRole.Listitem);
        await Expect(steps).ToHaveCountAsync(12);
        await audit.GetByRole(AriaRole.Button, new() { Name = "Older steps" }).FocusAsync();
        await page.Keyboard.PressAsync("Enter");
        await Expect(steps).ToHaveCountAsync(24);
        await Expect(audit.GetByRole(AriaRole.Status)).ToHaveTextAsync("24 steps are shown.");
        await Expect(steps.Nth(12)).ToBeFocusedAsync();
        // One list by time: all of the later ones before the rest of the others. Within a millisecond the two topics have no order.
        (await steps.AllInnerTextsAsync()).Count(said => said.Contains("weight Users:ActionWeights:like")).ShouldBe(14);
        await audit.GetByRole(AriaRole.Button, new() { Name = "Older steps" }).ClickAsync();
        await Expect(steps).ToHaveCountAsync(29);
        await Expect(steps.Last).ToContainTextAsync("experiment short: added");
        await Expect(audit.GetByRole(AriaRole.Button)).ToHaveCountAsync(0);
        watched.Complaints.ShouldBeEmpty();
    }

    internal static async Task ConfirmAsync(IPage page, string step, string why)
    {
        var dialog = page.GetByRole(AriaRole.Dialog);
        await dialog.GetByLabel("Your name").FillAsync("pat");
        await dialog.GetByLabel("Why").FillAsync(why);
        await dialog.GetByRole(AriaRole.Button, new() { Name = step }).ClickAsync();
        await Expect(dialog).ToHaveCountAsync(0);
    }

    private static async Task<LiveNode> NodeAsync()
    {
        var live = await LiveNode.StartAsync();
        (await live.PostLinesAsync("/v1/items", Enumerable.Range(0, 12).Select(i => $$"""{"id":"base-{{i}}","tags":["tag-{{i % 3}}"]}"""))).Status.ShouldBe(200);
        await live.UntilAsync(() => live.GetAsync("/v1/popular?limit=100"), a => a.Status == 200 && a.Items.Count >= 12);
        const string definitions = """
            {"layers":[{"name":"length"}],
             "experiments":[{"name":"short","layer":"length","arms":[{"name":"control"},{"name":"three","settings":{"Feeds:ListLength":3}}]}]}
            """;
        using var put = new HttpRequestMessage(HttpMethod.Put, "/v1/experiments") { Content = new StringContent(definitions, Encoding.UTF8, "application/json") };
        put.Headers.IfMatch.Add(new("\"0\""));
        (await live.Http.SendAsync(put)).EnsureSuccessStatusCode();
        return live;
    }
}
