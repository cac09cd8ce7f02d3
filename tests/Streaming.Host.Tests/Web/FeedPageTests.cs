using System.Text.RegularExpressions;
using Microsoft.Playwright;
using Streaming.Core.Settings;
using Streaming.Host.Tests.Cli;
using Streaming.Host.Tests.Fixtures;
using Xunit.Abstractions;
using static Microsoft.Playwright.Assertions;

namespace Streaming.Host.Tests.Web;

/// <summary>The live feed in a browser, against a node.</summary>
[Collection(BrowserCollection.Name)]
public sealed class FeedPageTests(Browser browser, ITestOutputHelper output)
{
    private const string Key = "page-key-0123456789abcdef-00";
    private const string AdminKey = "admin-key-0123456789abcdef-0";

    [BrowserFact]
    public async Task A_click_changes_the_list_at_once_and_the_cards_say_why()
    {
        await using var live = await NodeAsync(LiveNode.SmallSettings);
        await using var watched = await browser.OpenAsync(new Uri(live.Address, "/?user=ann"));
        var page = watched.Page;
        await Expect(page.Locator(".card").First).ToBeVisibleAsync();
        var (wallMs, processorMs) = await watched.UsableAsync();
        var effort = await browser.EffortAsync(processorMs);
        output.WriteLine($"the list could be used {wallMs:0} ms after the page was asked for, of which the page was at work for {processorMs:0} ms, {effort:0.00} times the known work");
        effort.ShouldBeInRange(.1, Browser.EffortMax);
        // What else takes time are trips to the node, and these are three: the page, its files, the list.
        var before = await page.EvaluateAsync<string[]>(
            """
            () => {
                const all = performance.getEntriesByType('resource'), list = all.find(r => r.name.includes('/v1/feed/'));
                return all.filter(r => r.responseEnd <= list.startTime).map(r => new URL(r.name).pathname);
            }
            """);
        before.ShouldNotBeEmpty();
        // Which arms the user may ask for is asked in the same moment, and nothing waits for it: on a busy machine it may be answered first.
        before.ShouldAllBe(path => path.StartsWith("/ui/") || path == "/v1/experiments/assignment");
        var yours = page.GetByRole(AriaRole.Region, new() { Name = "ann's list" });
        await Expect(yours.GetByText("No list of their own yet")).ToBeVisibleAsync();
        var popular = await ItemsAsync(yours);
        await Expect(yours.GetByRole(AriaRole.Heading, new() { Name = "A song of its own" })).ToBeVisibleAsync();

        await yours.GetByRole(AriaRole.Button, new() { Name = "Open base-1", Exact = true }).ClickAsync();
        var said = page.GetByRole(AriaRole.Status);
        await Expect(said).ToContainTextAsync("ms after you opened base-1:");
        output.WriteLine(await said.InnerTextAsync());
        var after = await ItemsAsync(yours);
        after.ShouldNotContain("base-1");
        after.ShouldNotBe(popular);
        await Expect(yours.Locator("[data-item=base-1]")).ToHaveCountAsync(0);
        // What shares a tag with the opened item comes forward, and says so; what moved is marked.
        var because = yours.Locator(".card", new() { HasText = "because you opened base-1" }).First;
        await Expect(because).ToBeVisibleAsync();
        (await MarksAsync(yours)).ShouldBe(Marks(popular, after));
        await because.GetByRole(AriaRole.Button, new() { NameRegex = new Regex("^Why ") }).ClickAsync();
        await Expect(because.GetByRole(AriaRole.Rowheader, new() { Name = "opened base-1" })).ToBeVisibleAsync();

        // Keyboard alone: like, then hide what is first.
        var first = (await ItemsAsync(yours))[0];
        await yours.Locator($"[data-item={first}]").GetByRole(AriaRole.Button, new() { NameRegex = new Regex("^Like ") }).FocusAsync();
        await page.Keyboard.PressAsync("Enter");
        await Expect(said).ToContainTextAsync("ms after you liked");
        var next = (await ItemsAsync(yours))[0];
        await yours.Locator($"[data-item={next}]").GetByRole(AriaRole.Button, new() { NameRegex = new Regex("^Hide ") }).FocusAsync();
        await page.Keyboard.PressAsync("Enter");
        await Expect(said).ToContainTextAsync("ms after you hid");
        (await ItemsAsync(yours)).ShouldNotContain(next);
        await Expect(page.Locator(".done li")).ToHaveCountAsync(3);
        // The card with the focus has gone; the focus has not.
        await Expect(page.Locator("#yours")).ToBeFocusedAsync();

        // The rest of the list, by keyboard too: reading goes on where it begins.
        await Expect(yours.Locator(".card")).ToHaveCountAsync(20);
        await yours.GetByRole(AriaRole.Button, new() { Name = "Show more" }).FocusAsync();
        await page.Keyboard.PressAsync("Enter");
        await Expect(said).ToHaveTextAsync("27 of 27 are shown.");
        await Expect(yours.Locator(".card")).ToHaveCountAsync(27);
        await Expect(yours.Locator(".card").Nth(20)).ToBeFocusedAsync();
        await Expect(yours.GetByRole(AriaRole.Button, new() { Name = "Show more" })).ToHaveCountAsync(0);

        var beside = page.GetByRole(AriaRole.Region, new() { Name = "Beside it" });
        (await ItemsAsync(beside)).ShouldContain("base-2");
        await Browser.ShouldBeAccessibleAsync(page, "feed");

        // Somebody else, and back: the last user is remembered.
        await page.GetByRole(AriaRole.Button, new() { Name = "Somebody new" }).ClickAsync();
        await Expect(page.GetByRole(AriaRole.Heading, new() { NameRegex = new Regex("guest-") })).ToBeVisibleAsync();
        var guest = await page.GetByLabel("User").InputValueAsync();
        await page.GotoAsync(live.Address.ToString());
        await Expect(page.GetByLabel("User")).ToHaveValueAsync(guest);
        // A node that is busy may need longer than one request waits; then the page asks again, and the browser notes it.
        watched.Complaints.ShouldAllBe(c => c.Contains("503") && c.Contains("&after="));
    }

    [BrowserFact]
    public async Task Arms_stand_side_by_side_and_are_a_testers_to_choose()
    {
        await using var live = await NodeAsync(LiveNode.SmallSettings);
        const string definitions = """
            {"testers":["qa"],"layers":[{"name":"length"}],
             "experiments":[{"name":"short","layer":"length","arms":[{"name":"control"},{"name":"three","settings":{"Feeds:ListLength":3}}]}]}
            """;
        using var put = new HttpRequestMessage(HttpMethod.Put, "/v1/experiments") { Content = new StringContent(definitions, System.Text.Encoding.UTF8, "application/json") };
        put.Headers.IfMatch.Add(new("\"0\""));
        (await live.Http.SendAsync(put)).EnsureSuccessStatusCode();
        await live.FeedAfterAsync("qa", """{"type":"click","user":"qa","item":"base-1"}""");
        await using var watched = await browser.OpenAsync(new Uri(live.Address, "/?user=qa"));
        var beside = watched.Page.GetByRole(AriaRole.Region, new() { Name = "Beside it" });
        // Before anybody chooses, another arm of the default layer.
        await Expect(beside.GetByText("Arm holdout, made by")).ToBeVisibleAsync();
        await beside.GetByLabel("List").SelectOptionAsync("short:three");
        await Expect(beside.GetByText("Arm learned~short:three, made by")).ToBeVisibleAsync();
        await Expect(beside.Locator(".card")).ToHaveCountAsync(3);
        // Several at once are typed.
        await beside.GetByLabel("List").SelectOptionAsync("Another, typed");
        await beside.GetByLabel("List").FillAsync("holdout,short:three");
        await beside.GetByLabel("List").PressAsync("Enter");
        await Expect(beside.GetByText("Arm holdout~short:three, made by")).ToBeVisibleAsync();
        // Nobody else may ask for an arm; the page says what the node says.
        await watched.Page.GetByLabel("User").FillAsync("somebody");
        await watched.Page.GetByRole(AriaRole.Button, new() { Name = "Be this user" }).ClickAsync();
        await Expect(beside.GetByRole(AriaRole.Alert)).ToContainTextAsync("neither one of the testers nor forced");
        watched.Complaints.ShouldAllBe(c => c.Contains("403"));
    }

    [BrowserFact]
    public async Task Two_arms_stand_side_by_side_and_both_are_chosen()
    {
        await using var live = await NodeAsync(LiveNode.SmallSettings with
        {
            Experiments = LiveNode.SmallSettings.Experiments with { EverybodyTests = true, ArmShares = new() { ["dpp"] = .4 } }, Feeds = LiveNode.SmallSettings.Feeds with { ExploreEvery = 0 },
        });
        var user = Enumerable.Range(0, 100).Select(i => $"reader-{i}").First(u => live.Node.Splitter.ArmOf(u) == "learned");
        await live.FeedAfterAsync(user, $$"""{"type":"click","user":"{{user}}","item":"base-1"}""");
        await using var watched = await browser.OpenAsync(new Uri(live.Address, $"/?user={user}"));
        var page = watched.Page;
        var yours = page.GetByRole(AriaRole.Region, new() { Name = $"{user}'s list" });
        var beside = page.GetByRole(AriaRole.Region, new() { Name = "Beside it" });
        // The user's own arm, and another that learns.
        await Expect(yours.GetByText("Arm learned, list")).ToBeVisibleAsync();
        await Expect(beside.GetByText("Arm dpp, made by")).ToBeVisibleAsync();
        (await yours.GetByLabel("List").Locator("option").AllInnerTextsAsync()).ShouldBe(["of their own arm", "learned", "holdout", "dpp", "Another, typed"]);

        await yours.GetByLabel("List").SelectOptionAsync("dpp");
        await beside.GetByLabel("List").SelectOptionAsync("holdout");
        await Expect(yours.GetByText("Arm dpp, list")).ToBeVisibleAsync();
        await Expect(beside.GetByText("Arm holdout, made by")).ToBeVisibleAsync();
        var (left, right) = (await ItemsAsync(yours), await ItemsAsync(beside));
        left.ShouldBe((await live.GetAsync($"/v1/feed/{user}?limit=20&arm=dpp")).Items);
        right.ShouldBe((await live.GetAsync($"/v1/feed/{user}?limit=20&arm=holdout")).Items);
        left.ShouldNotBe(right);
        // Both say why, each by its own arm: what is popular is popular whatever the user did.
        await Expect(yours.Locator(".card").First).ToContainTextAsync("because you opened base-1");
        await Expect(beside.GetByText("leaving out any recent action changes nothing")).ToHaveCountAsync(right.Count);
        await Expect(beside.GetByText("because you")).ToHaveCountAsync(0);
        await beside.GetByLabel("List").SelectOptionAsync("learned");
        await Expect(beside.Locator(".card", new() { HasText = "because you opened base-1" }).First).ToBeVisibleAsync();
        await Browser.ShouldBeAccessibleAsync(page, "arms", ".columns");

        // A click in the list of another arm is seen by both lists.
        var first = left[0];
        await yours.Locator($"[data-item={first}]").GetByRole(AriaRole.Button, new() { NameRegex = new Regex("^Open ") }).ClickAsync();
        await Expect(page.GetByRole(AriaRole.Status)).ToContainTextAsync($"ms after you opened {first}:");
        await Expect(page.Locator($"[data-item={first}]")).ToHaveCountAsync(0);
        await Expect(yours.GetByText("Arm dpp, list")).ToBeVisibleAsync();
        // A node that is busy may need longer than one request waits.
        watched.Complaints.ShouldAllBe(c => c.Contains("503") && c.Contains("&after="));
    }

    [BrowserFact]
    public async Task A_card_says_no_more_than_leaving_actions_out_has_shown()
    {
        await using var live = await NodeAsync(LiveNode.SmallSettings with { Feeds = LiveNode.SmallSettings.Feeds with { ExploreEvery = 0 } });
        var list = (await live.FeedAfterAsync("ann", """{"type":"like","user":"ann","item":"base-1"}""")).GetProperty("items").EnumerateArray().Select(e => (Item: e.GetProperty("item").GetString()!, Channel: e.GetProperty("channel").GetString()!)).ToList();
        await using var watched = await browser.OpenAsync(new Uri("about:blank"));
        // Effects as the node answers them, of each kind that there is.
        const string nothing = """{"item":"base-1","action":"like","time_ms":1,"rank_without":0.5,"score_without":0.25,"drop":0,"channel_without":"itemcf"}""";
        const string little = """{"item":"base-1","action":"like","time_ms":1,"rank_without":0.5,"score_without":0.249,"drop":0.001,"channel_without":"itemcf"}""";
        const string channel = """{"item":"base-1","action":"like","time_ms":1,"rank_without":0.5,"score_without":0.25,"drop":0,"channel_without":"popular"}""";
        const string gone = """{"item":null,"action":"purchase","time_ms":1,"rank_without":0.5,"score_without":0.1,"drop":0.15,"channel_without":"itemcf"}""";
        string Entry(int place, string because, string events) =>
            $$"""{"item":"{{list[place].Item}}","position":{{place}},"score":0.25,"channel":"itemcf","channel_now":"itemcf","rank_now":0.5,"score_now":0.25,"because":{{because}},"events":[{{events}}]}""";
        await watched.Page.RouteAsync("**/v1/explain/ann?*", route => route.FulfillAsync(new RouteFulfillOptions
        {
            ContentType = "application/json",
            Body = $$"""{"items":[{{Entry(0, "null", $"{nothing},{nothing}")}},{{Entry(1, "null", $"{nothing},{little}")}},{{Entry(2, "null", channel)}},{{Entry(3, gone, gone)}},{{Entry(4, "null", "")}}]}""",
        }));
        await watched.Page.GotoAsync(new Uri(live.Address, "/?user=ann").ToString());
        var why = watched.Page.GetByRole(AriaRole.Region, new() { Name = "ann's list" }).Locator(".why");
        await Expect(why.Nth(0)).ToHaveTextAsync($"leaving out any recent action changes nothing · {list[0].Channel} · score 0.25");
        await Expect(why.Nth(1)).ToHaveTextAsync($"leaving out any recent action costs it neither its place nor 1 % of its score · {list[1].Channel} · score 0.25");
        await Expect(why.Nth(2)).ToHaveTextAsync($"leaving out any recent action costs it neither its place nor 1 % of its score · {list[2].Channel} · score 0.25");
        await Expect(why.Nth(3)).ToHaveTextAsync($"because you bought an item that is gone · {list[3].Channel} · score 0.25");
        await Expect(why.Nth(4)).ToHaveTextAsync(new Regex($"^because (it|you|others) .+ · {list[4].Channel} · score 0.25$"));
        // Of what the node has not explained, the page knows no reason.
        await Expect(why.Nth(5)).ToHaveTextAsync(new Regex("^[a-z]+ · score "));
        watched.Complaints.ShouldBeEmpty();
    }

    [BrowserFact]
    public async Task Whoever_comes_to_the_demo_sees_two_arms_at_once()
    {
        using var demo = StreamingProcess.Start("demo", "--users", "50", "--pages-per-s", "5");
        var address = Regex.Match(await demo.StdoutLineAsync("live feed:"), "http://[0-9.:]+/").Value;
        await using var watched = await browser.OpenAsync(new Uri(address));
        var page = watched.Page;
        var beside = page.GetByRole(AriaRole.Region, new() { Name = "Beside it" });
        // Opened before the demo has its first items, the page looks again by itself.
        await page.Locator(".card").First.GetByRole(AriaRole.Button, new() { NameRegex = new Regex("^Open ") }).ClickAsync();
        var yours = page.Locator("section[aria-labelledby=yours]");
        await Expect(yours.GetByText(new Regex("^Arm (learned|holdout), list"))).ToBeVisibleAsync();
        await Expect(beside.GetByText(new Regex("^Arm (learned|holdout), made by"))).ToBeVisibleAsync();
        var arms = new[] { yours, beside }.Select(async list => Regex.Match(await list.Locator(".facts").First.InnerTextAsync(), "^Arm ([a-z]+)").Groups[1].Value);
        (await Task.WhenAll(arms)).Order().ShouldBe(["holdout", "learned"]);
        watched.Complaints.ShouldAllBe(c => c.Contains("503") && c.Contains("&after="));
    }

    [BrowserFact]
    public async Task Where_the_node_asks_for_keys_so_does_the_page_and_operators_have_their_own_address()
    {
        using var folder = new TemporaryFolder();
        var settings = LiveNode.SmallSettings with
        {
            Security = new SecuritySettings { KeysFile = folder.Write("keys", $"page read,ingest {Key}\nops admin {AdminKey}\n") },
            Serving = LiveNode.SmallSettings.Serving with { AdminListen = "127.0.0.1:0" },
        };
        await using var live = await NodeAsync(settings, Key);
        await using var watched = await browser.OpenAsync(live.Address);
        var dialog = watched.Page.GetByRole(AriaRole.Dialog);
        await dialog.GetByLabel("Key").FillAsync("wrong-key-0123456789abcdef-00");
        await dialog.GetByRole(AriaRole.Button, new() { Name = "Use this key" }).ClickAsync();
        await Expect(dialog).ToContainTextAsync("does not know this key");
        await dialog.GetByLabel("Key").FillAsync(Key);
        await dialog.GetByLabel("Key").PressAsync("Enter");
        await Expect(watched.Page.Locator(".card").First).ToBeVisibleAsync();
        (await watched.Page.EvaluateAsync<string>("() => JSON.stringify(localStorage) + document.cookie + location.href")).ShouldNotContain(Key);
        await Expect(watched.Page.GetByRole(AriaRole.Link, new() { Name = "Dashboard" })).ToHaveCountAsync(0);

        await watched.Page.GotoAsync(new Uri(live.AdminAddress, "/dashboard").ToString());
        await dialog.GetByLabel("Key").FillAsync(AdminKey);
        await dialog.GetByLabel("Key").PressAsync("Enter");
        await Expect(watched.Page.GetByRole(AriaRole.Status).First).ToHaveTextAsync("Live");
        await watched.Page.GetByRole(AriaRole.Button, new() { Name = "Pause" }).ClickAsync();
        await dialog.GetByLabel("Your name").FillAsync("pat");
        await dialog.GetByRole(AriaRole.Button, new() { Name = "Pause the intake" }).ClickAsync();
        await Expect(watched.Page.GetByRole(AriaRole.Region, new() { Name = "Audit" })).ToContainTextAsync("pat (key ops): intake paused");
        watched.Complaints.ShouldAllBe(c => c.Contains("401"));
    }

    private static async Task<IReadOnlyList<string>> ItemsAsync(ILocator list) =>
        await list.Locator(".card").EvaluateAllAsync<string[]>("cards => cards.map(c => c.dataset.item)");

    private static async Task<IReadOnlyList<string>> MarksAsync(ILocator list) =>
        await list.Locator(".card").EvaluateAllAsync<string[]>("cards => cards.map(c => c.querySelector('.mark')?.textContent ?? '')");

    /// <summary>What has become of each entry since the list before.</summary>
    private static IEnumerable<string> Marks(IReadOnlyList<string> before, IReadOnlyList<string> after) => after.Select((item, place) =>
        before.ToList().IndexOf(item) is var was && was < 0 ? "new" : was == place ? "" : was > place ? $"up {was - place}" : $"down {place - was}");

    /// <summary>A node with thirty items, one of them with a title, on its popular list.</summary>
    private static async Task<LiveNode> NodeAsync(StreamingSettings settings, string? key = null)
    {
        var live = await LiveNode.StartAsync(settings);
        var items = Enumerable.Range(0, 30).Select(i =>
            $$"""{"id":"base-{{i}}","tags":["tag-{{i % 3}}"],"categories":["category-{{i % 10}}"],"author":"author-{{i % 15}}"{{(i == 3 ? ",\"attributes\":{\"title\":\"A song of its own\"}" : "")}}}""");
        var body = System.Text.Encoding.UTF8.GetBytes(string.Join('\n', items));
        (await live.SendAsync(HttpMethod.Post, "/v1/items", body, "application/x-ndjson", key)).Status.ShouldBe(200);
        await live.UntilAsync(() => live.SendAsync(HttpMethod.Get, "/v1/popular?limit=100", key: key), a => a.Status == 200 && a.Items.Count >= 30);
        return live;
    }
}
