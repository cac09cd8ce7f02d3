using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.Playwright;
using Streaming.Core.Settings;
using Streaming.Host.Tests.Fixtures;
using static Microsoft.Playwright.Assertions;

namespace Streaming.Host.Tests.Web;

/// <summary>The dashboard's table of models, where some learn more than one label: a row for each goal, and whose order a re-ranker serves.</summary>
[Collection(BrowserCollection.Name)]
public sealed class ModelsPageTests(Browser browser)
{
    private static readonly StreamingSettings Settings = LiveNode.SmallSettings with
    {
        Users = new UsersSettings { AttributionWindowMs = 100, LateWindowMs = 100, Goals = ["like"] },
        Deep = new DeepSettings { Models = ["esmm", "prm"], Device = "cpu", BatchWaitMs = 10, PublishIntervalMs = 50, DenseIntervalMs = 50, CanaryExamples = 0, PrmCloseSlackMs = 0 },
    };

    [BrowserTorchFact]
    public async Task Goals_have_rows_and_a_re_ranker_says_whose_order_it_serves()
    {
        await using var live = await LiveNode.StartAsync(Settings);
        (await live.PostLinesAsync("/v1/items", Enumerable.Range(0, 30).Select(i => $$"""{"id":"i{{i}}","tags":["t{{i % 3}}"]}"""))).Status.ShouldBe(200);
        var at = 0;
        await live.UntilAsync(
            async () =>
            {
                (await live.PostLinesAsync("/v1/events", Enumerable.Range(0, 4).SelectMany(_ => Visit(at++)))).Status.ShouldBeLessThan(300);
                return await live.GetAsync("/v1/status");
            },
            status => status.Json.GetProperty("deep") is var deep && deep.GetArrayLength() == 2 && deep[0].GetProperty("goals") is var goals && goals.GetArrayLength() == 1
                && goals[0].GetProperty("count").GetInt32() > 30 && deep[1].GetProperty("head") is { ValueKind: JsonValueKind.Object } head && head.GetProperty("lists").GetDouble() > 1);

        await using var watched = await browser.OpenAsync(new Uri(live.Address, "/dashboard"));
        var goal = watched.Page.Locator("[data-model=esmm][data-goal=like]");
        await Expect(goal.GetByRole(AriaRole.Rowheader)).ToHaveTextAsync("esmm: like");
        await Expect(goal.GetByRole(AriaRole.Cell).Nth(1)).ToHaveTextAsync(new Regex(@"^[01](\.\d+)?$"));
        await Expect(watched.Page.Locator("[data-model=prm]")).ToContainTextAsync(new Regex("(head|base) serves: NDCG .* of the base"));
        await Browser.ShouldBeAccessibleAsync(watched.Page, "models", "[aria-labelledby=models]");
        watched.Complaints.ShouldBeEmpty();
    }

    /// <summary>A user sees three items, and clicks and likes the one of their tag, or only clicks it.</summary>
    private static IEnumerable<string> Visit(int at)
    {
        var (user, tag) = ($"u{at % 12}", at % 3);
        string Item(int k) => $"i{(at * 7 + k) % 10 * 3 + k}";
        yield return $$"""{"type":"impression","user":"{{user}}","items":["{{Item(0)}}","{{Item(1)}}","{{Item(2)}}"]}""";
        yield return $$"""{"type":"click","user":"{{user}}","item":"{{Item(tag)}}"}""";
        if (at % 2 == 0) yield return $$"""{"type":"like","user":"{{user}}","item":"{{Item(tag)}}"}""";
    }
}
