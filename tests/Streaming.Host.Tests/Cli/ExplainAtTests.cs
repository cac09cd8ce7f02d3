using System.Text.Json;
using Streaming.Core.Settings;
using Streaming.Evaluation.Protocols;
using Streaming.Host.Tests.Fixtures;
using Streaming.Learning.Deep;

namespace Streaming.Host.Tests.Cli;

/// <summary><c>explain-at</c> against what a live node itself said at that moment.</summary>
[Collection(ConsoleTests.Name)]
public sealed class ExplainAtTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("streaming-explain-at-");

    private static Task<CliRun> RunAsync(params string[] arguments) => CliRun.RunAsync(ProtocolRegistry.Known, arguments);

    public void Dispose() => _folder.Delete(recursive: true);

    /// <summary>The moments after each step of what the user did, and what the node then said of them.</summary>
    private async Task<List<(long TimeMs, JsonElement User, JsonElement List)>> LiveAsync(bool isBusy = false)
    {
        var settings = LiveNode.SmallSettings;
        await using var live = await LiveNode.StartAsync(settings with { Feeds = settings.Feeds with { ExploreEvery = 0 } }, _folder.FullName);
        // Not fresh, so that what shares a tag with a clicked item comes by that tag.
        (await live.PostLinesAsync("/v1/items", Enumerable.Range(0, 12).Select(i => $$"""{"id":"i{{i}}","tags":["{{(i < 6 ? "red" : "blue")}}"],"published":1500000000000}"""))).Status.ShouldBe(200);
        // Who clicked what gives items vectors, without which none is like another.
        if (isBusy)
            (await live.PostLinesAsync("/v1/events", Enumerable.Range(0, 60).Select(i => $$"""{"type":"click","user":"guest{{i % 12}}","item":"i{{(i * 7 + i / 12) % 12}}"}"""))).Status.ShouldBe(200);
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

    /// <summary>The lists are longer than what is shown of them: who stands below the last place shown has not left.</summary>
    [Fact]
    public async Task Two_rankings_are_compared_as_far_as_they_go()
    {
        var seen = await LiveAsync(isBusy: true);
        string[] arms = ["--arm", "learned", "--versus", "dpp", "--set", "Experiments:ArmShares:dpp=0.3", "--set", "Feeds:MmrLambda=0.1", "--json"];
        var whole = await RunAsync(At(seen[1].TimeMs, [.. arms, "--limit", "50"]));
        whole.Code.ShouldBe(0, whole.Stderr);
        var (first, second) = (ItemsOf(whole.Json.GetProperty("moments")[0].GetProperty("list")), ItemsOf(whole.Json.GetProperty("versus")));
        whole.Json.GetProperty("moments")[0].GetProperty("list").GetProperty("arm").GetString().ShouldBe("learned");
        whole.Json.GetProperty("versus").GetProperty("arm").GetString().ShouldBe("dpp");
        whole.Json.GetProperty("versus").GetProperty("source").GetString().ShouldBe("own");
        second.ShouldNotBe(first);

        // Cut there, the two do not hold the same items.
        var places = Enumerable.Range(1, first.Count).First(n => second.Take(n).Except(first.Take(n)).Any(first.Contains));
        var run = await RunAsync(At(seen[1].TimeMs, [.. arms, "--limit", $"{places}"]));
        run.Code.ShouldBe(0, run.Stderr);
        var list = run.Json.GetProperty("moments")[0].GetProperty("list");
        ItemsOf(list).ShouldBe(first.Take(places), run.Stdout);
        list.GetProperty("total").GetInt32().ShouldBe(first.Count);
        var diff = run.Json.GetProperty("list_diff");
        Names(diff, "entered").ShouldBe(second.Take(places).Except(first), ignoreOrder: true);
        Names(diff, "left").ShouldBe(first.Take(places).Except(second), ignoreOrder: true);
        diff.GetProperty("moved").EnumerateArray().Select(m => (m.GetProperty("item").GetString()!, m.GetProperty("from").GetInt32(), m.GetProperty("to").GetInt32())).ShouldBe(
            first.Intersect(second).Select(i => (i, first.IndexOf(i), second.IndexOf(i))).Where(m => m.Item2 != m.Item3 && Math.Min(m.Item2, m.Item3) < places), ignoreOrder: true);
        diff.GetProperty("moved").EnumerateArray().ShouldContain(m => m.GetProperty("from").GetInt32() >= places);
    }

    [Fact]
    public async Task What_the_log_recorded_stands_beside_what_is_made_anew()
    {
        var seen = await LiveAsync();
        var settings = LiveNode.SmallSettings;
        await RunningNode.WithLogAsync(settings with { Node = settings.Node with { DataDir = _folder.FullName } }, _folder.FullName, log =>
        {
            var publisher = new ModelPublisher(log, "drn");
            foreach (var (version, moment) in new[] { (1200, 1), (1300, 2) })
                publisher.Publish([new ModelUpdate(new UpdateHead("drn", UpdateKind.Snapshot, 1, 0, version, seen[moment].TimeMs, 0, 1), [[1, 2, 3]])], seen[moment].TimeMs);
            return Task.FromResult(0);
        });
        var run = await RunAsync(At(seen[0].TimeMs, "--and", $"{seen[1].TimeMs}", "--events", "0", "--json"));
        run.Code.ShouldBe(0, run.Stderr);
        run.Json.GetProperty("moments").EnumerateArray().Select(m => m.GetProperty("recorded").GetProperty("models").GetString()).ShouldBe([null, "drn:1200"]);
        run.Json.GetProperty("moments")[1].GetProperty("events").GetArrayLength().ShouldBe(0);

        // What is sent is written down a moment later.
        var last = await RunAsync(At(NowMs(), "--json"));
        last.Code.ShouldBe(0, last.Stderr);
        var recorded = last.Json.GetProperty("moments")[0].GetProperty("recorded");
        recorded.GetProperty("models").GetString().ShouldBe("drn:1300");
        var served = recorded.GetProperty("served");
        served.GetProperty("request_id").GetString().ShouldBe(seen[2].List.GetProperty("request_id").GetString());
        served.GetProperty("list_version").GetInt64().ShouldBe(seen[2].List.GetProperty("list_version").GetInt64());
        served.GetProperty("arm").GetString().ShouldBe("learned");

        var words = await RunAsync(At(NowMs(), "--limit", "2"));
        words.Code.ShouldBe(0, words.Stderr);
        foreach (var said in (string[])["versions are the rebuild's", "published by then: drn:1300", $"(request_id {served.GetProperty("request_id").GetString()})", "The first 2 of "])
            words.Stdout.ShouldContain(said);
    }

    private static List<string> ItemsOf(JsonElement list) => [.. list.GetProperty("items").EnumerateArray().Select(i => i.GetProperty("item").GetString()!)];

    private static IEnumerable<string> Names(JsonElement diff, string member) => diff.GetProperty(member).EnumerateArray().Select(i => i.GetString()!);

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
