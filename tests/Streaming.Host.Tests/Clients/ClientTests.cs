using System.Diagnostics;
using System.Security.Cryptography;
using System.Text.RegularExpressions;
using Streaming.Client;
using Streaming.Core.Settings;
using Streaming.Host.Tests.Cli;
using Streaming.Host.Tests.Fixtures;

namespace Streaming.Host.Tests.Clients;

/// <summary>The typed clients against a running node.</summary>
public sealed class ClientTests
{
    private static readonly string TypeScript = Path.Combine(ReadmeTests.Root(), "src", "Streaming.Client", "typescript");

    private static async Task<LiveNode> StartAsync()
    {
        var live = await LiveNode.StartAsync(LiveNode.SmallSettings with { Feeds = LiveNode.SmallSettings.Feeds with { ExploreEvery = 0 } });
        var client = new StreamingClient(live.Http);
        var put = await client.PutItemsAsync([.. Enumerable.Range(1, 8).Select(i => new CatalogItem { Id = $"m{i}", Tags = ["jazz"], Categories = [i % 2 == 0 ? "even" : "odd"], PublishedMs = 1_500_000_000_000 })]);
        (put.Accepted, put.Rejected).ShouldBe((8, 0));
        return live;
    }

    [Fact]
    public async Task A_click_is_in_the_list_that_is_asked_for_after_it()
    {
        await using var live = await StartAsync();
        var address = live.Address;
        var client = new StreamingClient(new HttpClient { BaseAddress = address });
        var position = await client.SendAsync(new StreamingEvent { Type = "click", User = "ann", Item = "m1", Surface = "home" });
        var feed = await client.GetFeedAsync("ann", new FeedQuery { Surface = "home", After = position, WaitMs = 2_000 });
        (feed.User, feed.Surface, feed.Source, feed.Arm).ShouldBe(("ann", "home", "own", "learned"));
        feed.Items.Count.ShouldBe(7);
        feed.Items.ShouldAllBe(i => i.Channel.Length > 0);

        (await client.GetFeedAsync("ann", new FeedQuery { Surface = "home", Exclude = ["m2"], Categories = ["even"] })).Items.Select(i => i.Item).Order().ShouldBe(["m4", "m6", "m8"]);
        var all = new List<string>();
        await foreach (var item in client.GetAllAsync("ann", new FeedQuery { Surface = "home", Limit = 3 })) all.Add(item.Item);
        all.ShouldBe(feed.Items.Select(i => i.Item));
        var reasons = await client.ExplainAsync("ann", "home");
        reasons.Select(r => r.Item).ShouldBe(all);
        reasons.ShouldContain(r => r.Because != null && r.Because.Item == "m1" && r.Because.Action == "click");

        // What was seen, with the list's own id; sent twice under one key it counts once.
        StreamingEvent[] seen = [new StreamingEvent { Type = "impression", User = "ann", Items = all, RequestId = feed.RequestId, Surface = "home" }];
        for (var sent = 0; sent < 2; sent++) (await client.SendAsync(seen, "once")).Accepted.ShouldBe(1);
        // Seven, and the click, which had none before it.
        await live.UntilAsync(() => live.GetAsync("/v1/users/ann"), a => a.Json.GetProperty("impressions").GetInt64() == 8 && live.Node.Status().Users.Repeats == 1);
        await client.PutUserAsync("ann", ["jazz"], new Dictionary<string, string> { ["region"] = "nl" });
        await client.DeleteItemAsync("m8");
        await client.DeleteUserAsync("ann");
        (await live.GetAsync("/v1/users/ann")).Status.ShouldBe(404);
    }

    [Fact]
    public async Task What_is_refused_says_why()
    {
        await using var live = await StartAsync();
        var client = new StreamingClient(live.Http);
        var refused = await Should.ThrowAsync<StreamingException>(() => client.GetFeedAsync("ann", new FeedQuery { Limit = 0 }));
        (refused.Status, refused.Type, refused.IsTransient).ShouldBe((400, "bad-limit", false));
        refused.Message.ShouldContain("allowed is 1 to 1000");
        var early = await Should.ThrowAsync<StreamingException>(() => client.GetFeedAsync("ann", new FeedQuery { After = "0:999999", WaitMs = 1 }));
        (early.IsNotYet, early.IsTransient, early.RetryAfter).ShouldBe((true, true, TimeSpan.FromSeconds(1)));
        (await Should.ThrowAsync<StreamingException>(() => client.SendAsync(new StreamingEvent { Type = "like", User = "ann" }))).Message.ShouldContain("like needs one");
        await Should.ThrowAsync<HttpRequestException>(() => new StreamingClient(new HttpClient { BaseAddress = new Uri("http://127.0.0.1:1") }).GetFeedAsync("ann"));
    }

    [Theory]
    [InlineData("src/schema.ts")]
    [InlineData("dist/index.js")]
    public async Task What_is_generated_is_of_its_source_as_it_is(string generated)
    {
        var stamp = Regex.Match(await File.ReadAllTextAsync(Path.Combine(TypeScript, generated)), "^// of (\\S+) sha256 ([0-9a-f]{64})\n");
        stamp.Success.ShouldBeTrue();
        var source = await File.ReadAllBytesAsync(Path.Combine(TypeScript, stamp.Groups[1].Value));
        // npm ci && npm run build in src/Streaming.Client/typescript makes them anew.
        stamp.Groups[2].Value.ShouldBe(Convert.ToHexStringLower(SHA256.HashData(source)), $"{generated} is older than {stamp.Groups[1].Value}");
    }

    [CommandsFact("node")]
    public async Task The_client_for_scripts_does_the_same()
    {
        await using var live = await StartAsync();
        using var folder = new TemporaryFolder();
        var script = folder.Write("try.mjs", $$"""
            import { StreamingClient, StreamingError } from "file://{{Path.Combine(TypeScript, "dist", "index.js")}}";
            const client = new StreamingClient("{{live.Address}}");
            const sent = await client.sendEvents([{ type: "click", user: "bob", item: "m1", surface: "home" }]);
            const feed = await client.feed("bob", { surface: "home", after: sent.results[0].position, wait_ms: 20000, categories: "even" });
            const reasons = await client.explain("bob", { surface: "home" });
            let refused;
            try { await client.feed("bob", { limit: 0 }); } catch (problem) { refused = problem instanceof StreamingError && `${problem.status} ${problem.type}`; }
            console.log(JSON.stringify({ source: feed.source, items: feed.items.map((i) => i.item).sort(), because: reasons.items.some((i) => i.because?.item === "m1"), refused }));
            """);
        using var node = Process.Start(new ProcessStartInfo("node", [script]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var (said, complaints) = (node.StandardOutput.ReadToEndAsync(), node.StandardError.ReadToEndAsync());
        await node.WaitForExitAsync();
        node.ExitCode.ShouldBe(0, await complaints);
        (await said).Trim().ShouldBe("""{"source":"own","items":["m2","m4","m6","m8"],"because":true,"refused":"400 bad-limit"}""");
    }
}
