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

        (await ListAsync(client.GetPopularAsync(pageSize: 3))).Count.ShouldBe(8);
        (await ListAsync(client.GetPopularAsync(pageSize: 2, exclude: ["m2"], categories: ["even"]))).Select(i => i.Item).Order().ShouldBe(["m4", "m6", "m8"]);
        (await ListAsync(client.GetSimilarAsync("m1", pageSize: 1))).ShouldAllBe(s => s.Item != "m1");

        // What was seen, with the list's own id; sent twice under one key it counts once.
        StreamingEvent[] seen = [new StreamingEvent { Type = "impression", User = "ann", Items = all, RequestId = feed.RequestId, Surface = "home" }];
        var sent = await client.SendAsync(seen, "once");
        sent.Accepted.ShouldBe(1);
        (await client.SendAsync(seen, "once")).Results.ShouldBe(sent.Results);
        // Seven, and the click, which had none before it.
        await live.UntilAsync(() => live.GetAsync("/v1/users/ann"), a => a.Json.GetProperty("impressions").GetInt64() == 8);
        live.Node.Status().Users.Repeats.ShouldBe(0);
        await client.PutUserAsync("ann", ["jazz"], new Dictionary<string, string> { ["region"] = "nl" });
        await client.DeleteItemAsync("m8");
        await client.DeleteUserAsync("ann");
        (await live.GetAsync("/v1/users/ann")).Status.ShouldBe(404);
    }

    [Fact]
    public async Task Lists_of_operators_come_a_page_at_a_time()
    {
        await using var live = await StartAsync();
        var client = new StreamingClient(live.Http);
        for (var i = 0; i < 3; i++) await Should.ThrowAsync<StreamingException>(() => client.SendAsync(new StreamingEvent { Type = "like", User = $"user-{i}" }));
        var letters = await ListAsync(client.GetDeadLettersAsync(pageSize: 2));
        letters.Count.ShouldBe(3);
        letters[0].Payload.ShouldContain("user-2");
        letters.ShouldAllBe(l => l.Reason.Contains("item is missing") && l.Bytes > 0 && !l.Retried);
        for (var version = 1; version <= 3; version++) (await Http.ExperimentCalls.PutAsync(live, $$"""{"testers":["t{{version}}"]}""", $"\"{version - 1}\"", "ann")).Answer.Status.ShouldBe(200);
        var audit = await ListAsync(client.GetAuditAsync(pageSize: 1));
        audit.Select(e => (e.Version, e.ChangedBy, e.InForce)).ShouldBe([(3, "ann", true), (2, "ann", true), (1, "ann", true)]);
        audit[0].Changes.ShouldBe(["testers: t3"]);
        foreach (var step in (string[])["pause", "resume"]) (await live.PostAsync($"/v1/intake/{step}", "")).Status.ShouldBe(200);
        (await ListAsync(client.GetOperationsAsync(pageSize: 1))).Select(s => (s.Who, s.What, s.Node)).ShouldBe(
            [("unknown", "intake resumed", Environment.MachineName), ("unknown", "intake paused", Environment.MachineName)]);
    }

    private static async Task<List<T>> ListAsync<T>(IAsyncEnumerable<T> all)
    {
        var list = new List<T>();
        await foreach (var one in all) list.Add(one);
        return list;
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
            import { StreamingClient, StreamingError, pages } from "file://{{Path.Combine(TypeScript, "dist", "index.js")}}";
            const client = new StreamingClient("{{live.Address}}");
            const sent = await client.sendEvents([{ type: "click", user: "bob", item: "m1", surface: "home" }]);
            const feed = await client.feed("bob", { surface: "home", after: sent.results[0].position, wait_ms: 20000, categories: "even" });
            const reasons = await client.explain("bob", { surface: "home" });
            let refused;
            try { await client.feed("bob", { limit: 0 }); } catch (problem) { refused = problem instanceof StreamingError && `${problem.status} ${problem.type}`; }
            const asked = [];
            for await (const page of pages((q) => client.feed("bob", q), { surface: "home", limit: 3 })) asked.push(page.items.length);
            for (const user of ["a", "b", "c"]) await client.sendEvents([{ type: "like", user }]).catch(() => {});
            for await (const page of pages((q) => client.deadLetters(q), { limit: 2 })) asked.push(page.letters.length);
            console.log(JSON.stringify({ asked, source: feed.source, items: feed.items.map((i) => i.item).sort(), because: reasons.items.some((i) => i.because?.item === "m1"), refused }));
            """);
        var (code, said, complaints) = await NodeAsync(script);
        code.ShouldBe(0, complaints);
        said.Trim().ShouldBe("""{"asked":[3,3,1,2,1],"source":"own","items":["m2","m4","m6","m8"],"because":true,"refused":"400 bad-limit"}""");
    }

    [CommandsFact("node")]
    public async Task Only_what_browsers_let_outlive_its_page_asks_to()
    {
        using var folder = new TemporaryFolder();
        // A fetch that notes what it is asked for and answers when told to.
        var script = folder.Write("try.mjs", $$"""
            import { StreamingClient } from "file://{{Path.Combine(TypeScript, "dist", "index.js")}}";
            const asked = [], answers = [];
            globalThis.fetch = (url, init) => {
              asked.push({ keepalive: init.keepalive, bytes: new Blob([init.body ?? ""]).size });
              return new Promise((answer) => answers.push(() => answer(new Response("{}"))));
            };
            const said = async (...calls) => {
              const sent = calls.map((call) => call());
              for (const answer of answers.splice(0)) answer();
              await Promise.all(sent);
              return asked.splice(0);
            };
            const client = new StreamingClient("http://node");
            const batch = (bytes, letter) => {
              const whole = (text) => [{ type: "click", user: "ann", item: text }];
              const rest = bytes - JSON.stringify(whole("")).length;
              return () => client.sendEvents(whole(letter.repeat(rest / new Blob([letter]).size)));
            };
            const events = [{ type: "click", user: "ann", item: "m1" }];
            console.log(JSON.stringify({
              small: await said(() => client.sendEvents(events)),
              largest: await said(batch(60000, "x")),
              larger: await said(batch(60001, "x")),
              // 45,000 characters of two bytes each.
              wide: await said(batch(JSON.stringify([{ type: "click", user: "ann", item: "" }]).length + 90000, "é")),
              items: await said(() => client.putItems([{ id: "m1", tags: ["x".repeat(70000)] }])),
              // Of all that is on its way at a time: the third would be too much, and the fourth fits again.
              together: await said(batch(30000, "x"), batch(20000, "x"), batch(20000, "x"), batch(10000, "x")),
              again: await said(batch(60000, "x")),
              get: await said(() => client.feed("ann")),
            }));
            """);
        var (code, said, complaints) = await NodeAsync(script);
        code.ShouldBe(0, complaints);
        var asked = System.Text.Json.JsonDocument.Parse(said).RootElement;
        IEnumerable<(bool, int)> Of(string calls) => asked.GetProperty(calls).EnumerateArray().Select(c => (c.GetProperty("keepalive").GetBoolean(), c.GetProperty("bytes").GetInt32()));
        Of("small").Single().Item1.ShouldBeTrue();
        Of("largest").ShouldBe([(true, 60_000)]);
        Of("larger").ShouldBe([(false, 60_001)]);
        Of("wide").Single().Item1.ShouldBeFalse();
        Of("items").Single().Item1.ShouldBeFalse();
        Of("together").ShouldBe([(true, 30_000), (true, 20_000), (false, 20_000), (true, 10_000)]);
        Of("again").ShouldBe([(true, 60_000)]);
        Of("get").ShouldBe([(false, 0)]);
    }

    [CompilerFact]
    public async Task The_compiler_makes_the_script_and_types_that_take_right_calls_and_no_others()
    {
        using var folder = new TemporaryFolder();
        var (code, said, _) = await NodeAsync(CompilerFactAttribute.Compiler, "--project", TypeScript, "--outDir", folder.Path);
        code.ShouldBe(0, said);
        // npm run build puts the stamp above the script.
        Regex.Replace(await File.ReadAllTextAsync(Path.Combine(TypeScript, "dist", "index.js")), "^// of .*\n", "").ShouldBe(await File.ReadAllTextAsync(Path.Combine(folder.Path, "index.js")));

        const string Start = """
            import { StreamingClient, pages, type DeadLettersQuery, type Schemas } from "./index.js";
            const client = new StreamingClient("http://127.0.0.1:8080");

            """;
        var right = folder.Write("right.ts", Start + """
            const sent: Schemas["IngestResult"] = await client.sendEvents([{ type: "click", user: "ann", item: "m1", surface: "home" }], "once");
            const feed = await client.feed("ann", { surface: "home", after: sent.results[0]?.position, limit: 3, categories: "even" });
            const shown: string[] = feed.items.map((i) => i.item);
            const because: string | null | undefined = (await client.explain("ann", { limit: 1 })).items[0]?.because?.item;
            await client.putUser(because ?? "ann", { interests: shown });
            for await (const page of pages((q: DeadLettersQuery) => client.deadLetters(q), { limit: 2 })) shown.push(...page.letters.map((l) => l.reason));
            """);
        (code, said, _) = await CheckAsync(right);
        code.ShouldBe(0, said);
        var wrong = folder.Write("wrong.ts", Start + """
            await client.feed("ann", { limit: "three" });
            await client.feed("ann", { pages: 3 });
            await client.sendEvents([{ type: "click" }]);
            (await client.feed("ann")).itms;
            for await (const page of pages((q: DeadLettersQuery) => client.deadLetters(q), { limit: "two" })) page.letters;
            """);
        (code, said, _) = await CheckAsync(wrong);
        code.ShouldNotBe(0);
        Regex.Matches(said, @"wrong\.ts\((\d+),").Select(m => m.Groups[1].Value).Distinct().ShouldBe(["3", "4", "5", "6", "7"], said);
    }

    private static Task<(int Code, string Said, string Complaints)> CheckAsync(string file) => NodeAsync(
        CompilerFactAttribute.Compiler, "--noEmit", "--strict", "--target", "ES2022", "--module", "ES2022", "--moduleResolution", "bundler", "--lib", "ES2022,DOM", file);

    private static async Task<(int Code, string Said, string Complaints)> NodeAsync(params string[] arguments)
    {
        using var node = Process.Start(new ProcessStartInfo("node", arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var (said, complaints) = (node.StandardOutput.ReadToEndAsync(), node.StandardError.ReadToEndAsync());
        await node.WaitForExitAsync();
        return (node.ExitCode, await said, await complaints);
    }

    /// <summary>Runs where Node.js is, and the compiler that the client's lock file names.</summary>
    private sealed class CompilerFactAttribute : CommandsFactAttribute
    {
        public static readonly string Compiler = Path.Combine(TypeScript, "node_modules", "typescript", "bin", "tsc");

        public CompilerFactAttribute() : base("node")
        {
            if (Skip is null && !File.Exists(Compiler)) Skip = "needs TypeScript: npm ci in src/Streaming.Client/typescript";
        }
    }
}
