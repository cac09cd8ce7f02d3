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
        // The list of experiments is asked for in the same moment by the choice of arms, which nothing waits for: on a busy machine it may be answered first.
        before.ShouldAllBe(path => path.StartsWith("/ui/") || path == "/v1/experiments");
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
        await Expect(watched.Page.Locator("#arms option[value='short:three']")).ToHaveCountAsync(1);
        await beside.GetByLabel("List").FillAsync("short:three");
        await beside.GetByLabel("List").PressAsync("Enter");
        await Expect(beside.GetByText("short:three")).ToBeVisibleAsync();
        await Expect(beside.Locator(".card")).ToHaveCountAsync(3);
        // Nobody else may ask for an arm; the page says what the node says.
        await watched.Page.GetByLabel("User").FillAsync("somebody");
        await watched.Page.GetByRole(AriaRole.Button, new() { Name = "Be this user" }).ClickAsync();
        await Expect(beside.GetByRole(AriaRole.Alert)).ToContainTextAsync("neither one of the testers nor forced");
        watched.Complaints.ShouldAllBe(c => c.Contains("403"));
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
