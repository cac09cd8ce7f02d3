using Streaming.Host.Tests.Fixtures;

namespace Streaming.Host.Tests.Http;

[Collection(NodeCollection.Name)]
public sealed class UserTests(SharedNode shared)
{
    private readonly LiveNode _live = shared.Live;

    [Fact]
    public async Task The_state_shows_what_the_actor_knows()
    {
        await _live.PostLinesAsync(
            "/v1/events",
            """{"type":"impression","user":"state","items":["base-1","base-2"]}""",
            """{"type":"click","user":"state","item":"base-1","session_id":"s-1"}""",
            """{"type":"dislike","user":"state","item":"base-4"}""",
            """{"type":"hide","user":"state","item":"base-5"}""");
        var answer = await _live.UntilAsync(() => _live.GetAsync("/v1/users/state"), a => a.Status == 200 && a.Json.GetProperty("events").GetInt64() >= 4);
        var state = answer.Json;
        state.GetProperty("impressions").GetInt64().ShouldBe(2);
        state.GetProperty("positives").GetInt64().ShouldBe(1);
        state.GetProperty("session").GetProperty("id").GetString().ShouldNotBeNull();
        var marks = state.GetProperty("marks");
        marks.GetProperty("seen").GetInt32().ShouldBe(2);
        marks.GetProperty("clicked").GetInt32().ShouldBe(1);
        marks.GetProperty("disliked").GetInt32().ShouldBe(1);
        marks.GetProperty("hidden").GetInt32().ShouldBe(1);
        state.GetProperty("embedding").GetArrayLength().ShouldBe(16);
        state.GetProperty("long_term").GetArrayLength().ShouldBeGreaterThan(0);
    }

    [Fact]
    public async Task An_unknown_user_has_no_state() => (await _live.GetAsync("/v1/users/who")).ShouldBeProblem(404, "unknown-user").ShouldContain("who");

    [Fact]
    public async Task A_profile_steers_the_list_of_a_user_without_history()
    {
        (await _live.PostLinesAsync("/v1/items", Enumerable.Range(0, 4).Select(i => $$"""{"id":"chess-{{i}}","tags":["chess"]}"""))).Status.ShouldBe(200);
        await _live.UntilAsync(() => _live.GetAsync("/v1/popular?tag=chess"), a => a.Items.Take(4).All(i => i.StartsWith("chess-")));
        var put = await _live.PutAsync("/v1/users/declared", """{"interests":["chess"],"attributes":{"country":"nl"}}""");
        put.Status.ShouldBe(200, put.Text);
        var position = put.Json.GetProperty("results")[0].GetProperty("position").GetString();
        var list = await _live.GetAsync($"/v1/feed/declared?after={position}&wait_ms=30000&limit=4");
        list.Status.ShouldBe(200);
        list.Items.Count(i => i.StartsWith("chess-")).ShouldBeGreaterThan(0);
        (await _live.GetAsync("/v1/users/declared")).Json.GetProperty("interests")[0].GetString().ShouldBe("chess");
    }

    [Theory]
    [InlineData("not json", "bad-profile")]
    [InlineData("""{"interests":["\ud83d"]}""", "bad-profile")]
    [InlineData("[]", "rejected")]
    [InlineData("null", "rejected")]
    public async Task A_bad_profile_is_refused(string json, string type) => (await _live.PutAsync("/v1/users/bad-profile", json)).ShouldBeProblem(400, type);

    [Fact]
    public async Task A_deleted_user_is_gone_and_stays_gone_after_a_restart()
    {
        var folder = Directory.CreateTempSubdirectory("streaming-test-");
        try
        {
            await using (var live = await LiveNode.StartAsync(folder: folder.FullName))
            {
                await live.PostLinesAsync("/v1/items", Enumerable.Range(0, 5).Select(i => $$"""{"id":"i-{{i}}"}"""));
                await live.FeedAfterAsync("gone", """{"type":"click","user":"gone","item":"i-1"}""");
                await live.FeedAfterAsync("stays", """{"type":"click","user":"stays","item":"i-1"}""");
                var receipt = await live.DeleteAsync("/v1/users/gone");
                receipt.Status.ShouldBe(200, receipt.Text);
                receipt.Json.GetProperty("user").GetString().ShouldBe("gone");
                receipt.Json.GetProperty("applied").GetBoolean().ShouldBeTrue();
                receipt.Json.GetProperty("removed").GetArrayLength().ShouldBeGreaterThan(0);
                receipt.Json.GetProperty("position").GetString()!.ShouldMatch(@"^\d+:\d+$");
                await GoneAsync(live);
            }
            await using (var live = await LiveNode.StartAsync(folder: folder.FullName))
            {
                await GoneAsync(live);
                // What comes late from before the deletion does not bring the user back.
                await live.EventAsync("""{"type":"click","user":"gone","item":"i-2","time":1700000000000}""");
                await live.UntilAsync(() => live.GetAsync("/v1/status"), a => a.Json.GetProperty("users").GetProperty("forgotten").GetInt64() == 1);
                await GoneAsync(live);
            }
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static async Task GoneAsync(LiveNode live)
    {
        (await live.GetAsync("/v1/users/gone")).ShouldBeProblem(404, "unknown-user");
        (await live.GetAsync("/v1/feed/gone")).Json.GetProperty("source").GetString().ShouldNotBe("own");
        (await live.GetAsync("/v1/users/stays")).Status.ShouldBe(200);
        (await live.GetAsync("/v1/feed/stays")).Json.GetProperty("source").GetString().ShouldBe("own");
    }
}
