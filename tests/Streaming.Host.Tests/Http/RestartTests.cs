using System.Text.Json;
using Streaming.Host.Tests.Fixtures;

namespace Streaming.Host.Tests.Http;

public sealed class RestartTests
{
    private const int Users = 20;

    [Fact]
    public async Task A_node_that_was_stopped_goes_on_with_the_same_lists_states_and_counters()
    {
        var folder = Directory.CreateTempSubdirectory("streaming-test-");
        try
        {
            var lists = new List<string>();
            var states = new List<string>();
            JsonElement before;
            await using (var live = await LiveNode.StartAsync(folder: folder.FullName))
            {
                await live.PostLinesAsync("/v1/items", Enumerable.Range(0, 40).Select(i => $$"""{"id":"i-{{i}}","tags":["t-{{i % 4}}"]}"""));
                for (var u = 0; u < Users; u++)
                    await live.FeedAfterAsync($"u-{u}", $$"""{"type":"click","user":"u-{{u}}","item":"i-{{u}}","event_id":"e-{{u}}"}""");
                await live.PostAsync("/v1/events", "{}");
                for (var u = 0; u < Users; u++)
                {
                    // The served page is the last event of each user; once it is in, the state rests.
                    states.Add((await live.UntilAsync(() => live.GetAsync($"/v1/users/u-{u}"), a => a.Json.GetProperty("events").GetInt64() == 2)).Text);
                    lists.Add(List(await live.GetAsync($"/v1/feed/u-{u}?limit=1000")));
                }
                before = (await live.GetAsync("/v1/status")).Json;
            }
            await using (var live = await LiveNode.StartAsync(folder: folder.FullName))
            {
                live.Node.Restored.ShouldNotBeNull();
                (await live.GetAsync("/readyz")).Status.ShouldBe(200);
                // States first: a list that is served again after a restart is an event again.
                for (var u = 0; u < Users; u++) (await live.GetAsync($"/v1/users/u-{u}")).Text.ShouldBe(states[u]);
                for (var u = 0; u < Users; u++) List(await live.GetAsync($"/v1/feed/u-{u}?limit=1000")).ShouldBe(lists[u]);
                (await live.GetAsync("/v1/popular")).Items.ShouldNotBeEmpty();
                var after = (await live.GetAsync("/v1/status")).Json;
                Applied(after).ShouldBeGreaterThanOrEqualTo(Applied(before));
                after.GetProperty("items").GetInt64().ShouldBe(before.GetProperty("items").GetInt64());
                after.GetProperty("examples").GetInt64().ShouldBeGreaterThanOrEqualTo(before.GetProperty("examples").GetInt64());
                // A repeat from before the stop is still known as one.
                await live.EventAsync("""{"type":"click","user":"u-0","item":"i-0","event_id":"e-0"}""");
                await live.UntilAsync(() => live.GetAsync("/v1/status"), a => a.Json.GetProperty("users").GetProperty("repeats").GetInt64() == 1);
                var next = await live.FeedAfterAsync("u-1", """{"type":"click","user":"u-1","item":"i-30"}""");
                next.GetProperty("list_version").GetInt64().ShouldBeGreaterThan(Version(lists[1]));
            }
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static long Applied(JsonElement status) => status.GetProperty("users").GetProperty("applied").GetInt64();

    private static string List(Answer answer) =>
        $"{answer.Json.GetProperty("list_version").GetInt64()} {answer.Json.GetProperty("last_event").GetString()} {answer.Json.GetProperty("items").GetRawText()}";

    private static long Version(string list) => long.Parse(list.Split(' ')[0]);
}
