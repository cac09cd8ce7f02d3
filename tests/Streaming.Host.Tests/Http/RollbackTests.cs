using System.Text;
using Streaming.Core.Settings;
using Streaming.Host.Tests.Fixtures;

namespace Streaming.Host.Tests.Http;

/// <summary><c>POST /v1/models/{model}/{step}</c>. What a rolled back model's lists are like: DeepLiveTests.</summary>
public sealed class RollbackTests
{
    [Fact]
    public async Task A_rollback_is_a_change_of_the_definitions_and_outlives_a_restart_and_a_new_text()
    {
        using var folder = new Cli.TemporaryFolder();
        // The one deep model that needs no libtorch.
        var settings = LiveNode.SmallSettings with { Deep = new DeepSettings { Models = ["drn"], Device = "cpu" } };
        await using (var live = await LiveNode.StartAsync(settings, folder.Path))
        {
            (await StepAsync(live, "drn/rollback")).ShouldBeProblem(400, "bad-experiments").ShouldContain("version=1200");
            (await StepAsync(live, "drn/sideways")).ShouldBeProblem(400, "bad-experiments").ShouldContain("rollback and newest");
            (await StepAsync(live, "din/rollback?version=3")).ShouldBeProblem(400, "bad-experiments").ShouldContain("din@3");
            var done = await StepAsync(live, "drn/rollback?version=3");
            done.Status.ShouldBe(200, done.Text);
            Rollbacks(done).ShouldBe(["drn@3"]);
        }
        await using var again = await LiveNode.StartAsync(settings, folder.Path);
        var current = await again.UntilAsync(() => again.GetAsync("/v1/experiments"), a => a.Json.GetProperty("version").GetInt64() == 1);
        Rollbacks(current).ShouldBe(["drn@3"]);
        using var put = new HttpRequestMessage(HttpMethod.Put, "/v1/experiments") { Content = new StringContent("""{"testers":["qa"]}""", Encoding.UTF8, "application/json") };
        put.Headers.IfMatch.Add(new("\"1\""));
        (await again.Http.SendAsync(put)).EnsureSuccessStatusCode();
        Rollbacks(await again.GetAsync("/v1/experiments")).ShouldBe(["drn@3"]);
        (await StepAsync(again, "drn/newest")).Json.GetProperty("definitions").TryGetProperty("rollbacks", out _).ShouldBeFalse();
        var audit = (await again.GetAsync("/v1/experiments/audit")).Json.GetProperty("entries").EnumerateArray().Select(e => e.GetProperty("changes")[0].GetString());
        audit.ShouldBe(["model drn: the newest version again", "testers: qa", "model drn: rolled back to drn@3"]);
    }

    private static Task<Answer> StepAsync(LiveNode live, string path) => live.PostAsync($"/v1/models/{path}", "");

    private static IEnumerable<string?> Rollbacks(Answer answer) => answer.Json.GetProperty("definitions").GetProperty("rollbacks").EnumerateArray().Select(r => r.GetString());
}
