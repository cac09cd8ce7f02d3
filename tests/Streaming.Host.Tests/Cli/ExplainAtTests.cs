using System.Text.Json;
using Streaming.Core.Settings;
using Streaming.Evaluation.Protocols;
using Streaming.Host.Tests.Fixtures;

namespace Streaming.Host.Tests.Cli;

/// <summary><c>explain-at</c> against what a live node itself said at that moment.</summary>
[Collection(ConsoleTests.Name)]
public sealed class ExplainAtTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("streaming-explain-at-");

    private static Task<CliRun> RunAsync(params string[] arguments) => CliRun.RunAsync(ProtocolRegistry.Known, arguments);

    public void Dispose() => _folder.Delete(recursive: true);

    /// <summary>The moments after each step of what the user did, and what the node then said of them.</summary>
    private async Task<List<(long TimeMs, JsonElement User, JsonElement List)>> LiveAsync()
    {
        var settings = LiveNode.SmallSettings;
        await using var live = await LiveNode.StartAsync(settings with { Feeds = settings.Feeds with { ExploreEvery = 0 } }, _folder.FullName);
        // Not fresh, so that what shares a tag with a clicked item comes by that tag.
        (await live.PostLinesAsync("/v1/items", Enumerable.Range(0, 12).Select(i => $$"""{"id":"i{{i}}","tags":["{{(i < 6 ? "red" : "blue")}}"],"published":1500000000000}"""))).Status.ShouldBe(200);
        var seen = new List<(long, JsonElement, JsonElement)>();
        foreach (var (step, item) in new[] { "i0", "i1", "i7" }.Index())
        {
            await live.EventAsync($$"""{"type":"click","user":"other","item":"i{{11 - step}}"}""");
            var list = await live.FeedAfterAsync("ann", $$"""{"type":"click","user":"ann","item":"{{item}}"}""");
            var momentMs = NowMs();
            seen.Add((momentMs, (await live.GetAsync("/v1/users/ann")).Json, list));
            // The next step is not of this moment.
            while (NowMs() <= momentMs) await Task.Yield();
        }
        return seen;
    }

    private static long NowMs() => DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();

    private string[] At(long timeMs, params string[] more) =>
        ["explain-at", "--user", "ann", "--time", $"{timeMs}", "--data-dir", _folder.FullName, "--set", "Log:Partitions=2", "--set", "Learning:FtrlBits=14", "--set", "Experiments:HoldoutShare=0", "--set", "Feeds:ExploreEvery=0", .. more];

    [Fact]
    public async Task A_moment_is_rebuilt_as_the_node_had_it_and_two_are_compared()
    {
        var seen = await LiveAsync();
        var (timeMs, user, list) = seen[1];
        var run = await RunAsync(At(timeMs, "--and", $"{seen[2].TimeMs}", "--limit", "50", "--json"));
        run.Code.ShouldBe(0, run.Stderr);
        var (before, after) = (run.Json.GetProperty("moments")[0], run.Json.GetProperty("moments")[1]);

        var state = before.GetProperty("state");
        // Not the count and time of events: what was served is written beside the user's own actions, a moment later.
        foreach (var figure in (string[])["impressions", "positives"])
            state.GetProperty(figure).GetInt64().ShouldBe(user.GetProperty(figure).GetInt64(), figure);
        state.GetProperty("history").EnumerateArray().Select(a => a.GetProperty("item").GetString()).ShouldBe(["i1", "i0"]);
        state.GetProperty("interests")[0].GetProperty("of").GetString().ShouldBe("tag red");
        // The same candidates; the last digits of the models are the rounds' and may order equals otherwise.
        var items = before.GetProperty("list").GetProperty("items").EnumerateArray().ToList();
        items.Select(i => i.GetProperty("item").GetString()).Order().ShouldBe(list.ItemIds().Order());
        before.GetProperty("list").GetProperty("source").GetString().ShouldBe("own");
        before.GetProperty("list").GetProperty("models").GetString().ShouldNotBeNullOrEmpty();
        var events = before.GetProperty("events").EnumerateArray().Where(e => e.GetProperty("event").GetProperty("type").GetString() == "click").ToList();
        events.Select(e => e.GetProperty("event").GetProperty("item").GetString()).ShouldBe(["i0", "i1"]);

        after.GetProperty("state").GetProperty("positives").GetInt64().ShouldBe(seen[2].User.GetProperty("positives").GetInt64());
        after.GetProperty("list").GetProperty("items").EnumerateArray()
            .ShouldContain(i => i.GetProperty("because").ValueKind == JsonValueKind.Object && i.GetProperty("because").GetProperty("action").GetString() == "click", run.Stdout);
        var diff = run.Json.GetProperty("state_diff");
        diff.GetProperty("actions").EnumerateArray().Select(a => a.GetProperty("item").GetString()).ShouldBe(["i7"]);
        diff.GetProperty("interests").EnumerateArray().Select(i => i.GetProperty("of").GetString()).ShouldContain("tag blue");
        var lists = run.Json.GetProperty("list_diff");
        (lists.GetProperty("entered").GetArrayLength() + lists.GetProperty("left").GetArrayLength() + lists.GetProperty("moved").GetArrayLength()).ShouldBeGreaterThan(0);
    }

    [Fact]
    public async Task Two_arms_are_compared_at_one_moment_and_people_can_read_it()
    {
        var seen = await LiveAsync();
        var run = await RunAsync(At(seen[1].TimeMs, "--versus", "holdout", "--json"));
        run.Code.ShouldBe(0, run.Stderr);
        run.Json.GetProperty("moments")[0].GetProperty("list").GetProperty("arm").GetString().ShouldBe("learned");
        run.Json.GetProperty("versus").GetProperty("arm").GetString().ShouldBe("holdout");
        run.Json.GetProperty("list_diff").ValueKind.ShouldBe(JsonValueKind.Object);

        var words = await RunAsync(At(seen[1].TimeMs, "--versus", "holdout"));
        words.Code.ShouldBe(0, words.Stderr);
        foreach (var said in (string[])["2 positive actions", "click", "tag red", "of arm learned", "In the list of holdout only"]) words.Stdout.ShouldContain(said);
        (await RunAsync(At(seen[1].TimeMs, "--arm", "lerned"))).Stderr.ShouldContain("no list of arm 'lerned'");
        (await RunAsync(At(seen[0].TimeMs - 100_000))).Stderr.ShouldContain("the log begins at");
    }

    [Theory]
    [InlineData("neither ISO 8601", "--user", "ann", "--time", "yesterday")]
    [InlineData("give the earlier moment", "--user", "ann", "--time", "2026-01-02T00:00:00Z", "--and", "2026-01-01T00:00:00Z")]
    [InlineData("two moments or two arms", "--user", "ann", "--time", "2026-01-01T00:00:00Z", "--and", "2026-01-02T00:00:00Z", "--versus", "holdout")]
    [InlineData("there is no log in", "--user", "ann", "--time", "2026-01-01T00:00:00Z", "--data-dir", "/nowhere")]
    [InlineData("--limit is 0", "--user", "ann", "--time", "2026-01-01T00:00:00Z", "--limit", "0")]
    public async Task What_cannot_be_done_is_said(string said, params string[] arguments)
    {
        var run = await RunAsync(["explain-at", .. arguments]);
        run.Code.ShouldBe(1);
        run.Stderr.ShouldContain(said);
    }
}
