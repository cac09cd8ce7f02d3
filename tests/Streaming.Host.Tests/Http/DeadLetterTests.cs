using Streaming.Core.Settings;
using Streaming.Host.Tests.Fixtures;

namespace Streaming.Host.Tests.Http;

/// <summary>Dead letters, sent again; and the intake, paused.</summary>
public sealed class DeadLetterTests
{
    [Fact]
    public async Task Letters_are_listed_newest_first_with_their_reasons()
    {
        await using var live = await LiveNode.StartAsync();
        (await live.PostAsync("/v1/events", """{"type":"like","user":"ann"}""")).Status.ShouldBe(400);
        (await live.PostAsync("/v1/events", "not json")).Status.ShouldBe(400);
        var answer = (await live.GetAsync("/v1/dead-letters?limit=1")).Json;
        answer.GetProperty("seen").GetInt64().ShouldBe(2);
        answer.GetProperty("complete").GetBoolean().ShouldBeTrue();
        var letter = answer.GetProperty("letters").EnumerateArray().ShouldHaveSingleItem();
        letter.GetProperty("payload").GetString().ShouldBe("not json");
        letter.GetProperty("retried").GetBoolean().ShouldBeFalse();
        var all = (await live.GetAsync("/v1/dead-letters")).Json.GetProperty("letters");
        all.GetArrayLength().ShouldBe(2);
        all[1].GetProperty("reason").GetString()!.ShouldContain("item is missing");
        (await live.GetAsync("/v1/dead-letters?limit=0")).ShouldBeProblem(400, "bad-limit");
        // What is broken stays where it is: sending it again would only set it aside again.
        (await RetryAsync(live, letter.GetProperty("offset").GetInt64())).ShouldBeProblem(409, "still-broken");
        (await RetryAsync(live, 1_234_567)).ShouldBeProblem(404, "unknown-letter");
        (await live.DeadLettersAsync()).Count.ShouldBe(2);
    }

    [Fact]
    public async Task What_had_no_weight_is_taken_once_it_has_one()
    {
        using var folder = new Cli.TemporaryFolder();
        const string custom = """{"type":"playlist_add","user":"ann","item":"m1"}""";
        await using (var before = await LiveNode.StartAsync(folder: folder.Path))
        {
            await before.EventAsync(custom);
            await before.UntilAsync(before.DeadLettersAsync, letters => letters.Count == 1);
        }
        var settings = LiveNode.SmallSettings;
        var weights = new Dictionary<string, double>(settings.Users.ActionWeights) { ["playlist_add"] = 2 };
        await using var live = await LiveNode.StartAsync(settings with { Users = settings.Users with { ActionWeights = weights } }, folder.Path);
        var letter = (await live.GetAsync("/v1/dead-letters")).Json.GetProperty("letters").EnumerateArray().ShouldHaveSingleItem();
        letter.GetProperty("topic").GetString().ShouldBe("events");
        var offset = letter.GetProperty("offset").GetInt64();
        var sent = await RetryAsync(live, offset);
        sent.Status.ShouldBe(200, sent.Text);
        await live.UntilAsync(() => live.GetAsync("/v1/users/ann"), a => a.Status == 200 && a.Json.GetProperty("positives").GetInt64() == 1);
        (await RetryAsync(live, offset)).ShouldBeProblem(409, "sent-already");
        (await live.GetAsync("/v1/dead-letters")).Json.GetProperty("letters")[0].GetProperty("retried").GetBoolean().ShouldBeTrue();
        (await live.DeadLettersAsync()).Count.ShouldBe(1);
        var step = (await live.GetAsync("/v1/operations")).Json.GetProperty("operations").EnumerateArray().ShouldHaveSingleItem();
        step.GetProperty("what").GetString()!.ShouldContain($"dead letter {offset} sent again");
        await live.DisposeAsync();

        // Another process knows it too, and a record that no build has written stops nothing.
        await using var after = await LiveNode.StartAsync(settings with { Users = settings.Users with { ActionWeights = weights } }, folder.Path);
        await after.Log.AppendAsync(Core.Log.Topics.Operations, new[] { new Core.Log.LogEntry(default, "{"u8.ToArray(), 1, 0), new Core.Log.LogEntry(default, """{"format":9}"""u8.ToArray(), 1, 0) });
        (await RetryAsync(after, offset)).ShouldBeProblem(409, "sent-already");
        (await after.GetAsync("/v1/dead-letters")).Json.GetProperty("letters")[0].GetProperty("retried").GetBoolean().ShouldBeTrue();
        (await after.GetAsync("/v1/operations")).Json.GetProperty("operations").GetArrayLength().ShouldBe(1);
    }

    [Fact]
    public async Task A_paused_intake_takes_nothing_and_serves_on()
    {
        using var folder = new Cli.TemporaryFolder();
        await using var live = await LiveNode.StartAsync(folder: folder.Path);
        (await live.PostLinesAsync("/v1/items", """{"id":"m1"}""", """{"id":"m2"}""")).Status.ShouldBe(200);
        await live.FeedAfterAsync("ann", """{"type":"click","user":"ann","item":"m1"}""");
        using (var pause = new HttpRequestMessage(HttpMethod.Post, "/v1/intake/pause"))
        {
            pause.Headers.Add("X-Streaming-Author", "ops");
            pause.Headers.Add("X-Streaming-Why", "moving%20house");
            (await live.Http.SendAsync(pause)).EnsureSuccessStatusCode();
        }
        var refused = await live.PostAsync("/v1/events", """{"type":"click","user":"ann","item":"m2"}""");
        refused.ShouldBeProblem(503, "paused");
        refused.RetryAfter.ShouldBe("5");
        (await live.PostAsync("/v1/items", """{"id":"m9"}""")).ShouldBeProblem(503, "paused");
        (await live.GetAsync("/v1/feed/ann")).Status.ShouldBe(200);
        (await live.GetAsync("/v1/status")).Json.GetProperty("admission").GetString().ShouldBe("Paused");
        (await live.PostAsync("/v1/intake/sideways", "")).ShouldBeProblem(400, "bad-step");
        (await live.PostAsync("/v1/intake/pause", "")).Json.GetProperty("admission").GetString().ShouldBe("Paused");
        (await live.PostAsync("/v1/intake/resume", "")).Json.GetProperty("admission").GetString().ShouldBe("Open");
        await live.EventAsync("""{"type":"click","user":"ann","item":"m2"}""");
        await live.DisposeAsync();

        // Steps that changed something, and each once; the pause ends with the process, what is said of it does not.
        await using var after = await LiveNode.StartAsync(folder: folder.Path);
        (await after.GetAsync("/v1/status")).Json.GetProperty("admission").GetString().ShouldBe("Open");
        var operations = (await after.GetAsync("/v1/operations")).Json.GetProperty("operations").EnumerateArray().ToList();
        operations.Select(o => o.GetProperty("what").GetString()).ShouldBe(["intake resumed", "intake paused"]);
        operations[0].GetProperty("who").GetString().ShouldBe("unknown");
        operations[1].GetProperty("who").GetString().ShouldBe("ops");
        operations[1].GetProperty("why").GetString().ShouldBe("moving house");
        operations[1].GetProperty("node").GetString().ShouldBe(Environment.MachineName);
    }

    private static Task<Answer> RetryAsync(LiveNode live, long offset) => live.PostAsync($"/v1/dead-letters/{offset}/retry", "");
}
