using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Streaming.Host.Tests.Fixtures;

namespace Streaming.Host.Tests.Web;

/// <summary>README's snippet for web pages, in a browser, on a page of another origin.</summary>
[Collection(BrowserCollection.Name)]
public sealed class EmbeddingTests(Browser browser)
{
    [BrowserFact]
    public async Task A_page_of_another_origin_shows_the_feed_and_reports_what_is_seen_and_clicked()
    {
        var readme = await File.ReadAllTextAsync(Path.Combine(ReadmeTests.Root(), "README.md"));
        var snippet = Regex.Match(readme, "(?s)```html\n(.*?)```").Groups[1].Value;
        snippet.ShouldContain("/v1/events");
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        await using var site = builder.Build();
        var page = "";
        site.MapGet("/", () => Results.Content($"<!doctype html><html lang=en><title>Shop</title><link rel=icon href=data:,>{page}", "text/html"));
        await site.StartAsync();

        var settings = LiveNode.SmallSettings;
        await using var live = await LiveNode.StartAsync(settings with { Serving = settings.Serving with { CorsOrigins = [site.Urls.Single()] } });
        page = snippet.Replace("127.0.0.1:8080", live.Address.Authority);
        (await live.PostLinesAsync("/v1/items", Enumerable.Range(0, 8).Select(i => $$"""{"id":"i{{i}}"}"""))).Status.ShouldBe(200);
        await live.UntilAsync(() => live.GetAsync("/v1/popular"), a => a.Items.Count >= 5);

        await using var shop = await browser.OpenAsync(new Uri(site.Urls.Single()));
        await shop.Page.Locator("#feed a").Nth(2).ClickAsync();
        var seen = await live.UntilAsync(() => live.GetAsync("/v1/users/ann"), a => a.Status == 200 && a.Json.GetProperty("positives").GetInt64() == 1 && a.Json.GetProperty("impressions").GetInt64() == 5);
        shop.Complaints.ShouldBeEmpty();
        seen.Json.GetProperty("marks").GetProperty("clicked").GetInt32().ShouldBe(1);
    }
}
