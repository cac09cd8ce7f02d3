using System.Net.Http.Headers;
using System.Text.Json;
using Streaming.Core.Settings;
using Streaming.Host.Live;
using Streaming.Host.Tests.Fixtures;

namespace Streaming.Host.Tests.Live;

/// <summary><c>GET /v1/status/stream</c>, and what is in it.</summary>
public sealed class StatusStreamTests
{
    [Fact]
    public async Task A_stream_begins_with_the_past_goes_on_every_second_and_ends_with_the_node()
    {
        await using var live = await LiveNode.StartAsync();
        (await live.PostLinesAsync("/v1/items", Enumerable.Range(0, 5).Select(i => $$"""{"id":"i{{i}}"}"""))).Status.ShouldBe(200);
        await using var stream = await OpenAsync(live);
        (await stream.NextAsync("history")).GetProperty("samples").ValueKind.ShouldBe(JsonValueKind.Array);
        var frame = await stream.NextAsync("frame");
        frame.GetProperty("watchers").GetInt32().ShouldBe(1);
        frame.GetProperty("status").GetProperty("admission").GetString().ShouldBe("Open");
        // Sent after the first frame, so the tail of the log is being followed.
        await live.FeedAfterAsync("busy", """{"type":"click","user":"busy","item":"i1"}""");
        frame = await stream.UntilAsync(f => f.GetProperty("hot_users").GetArrayLength() > 0 && f.GetProperty("popular").GetArrayLength() > 0);
        frame.GetProperty("hot_users")[0].GetProperty("id").GetString().ShouldBe("busy");
        frame.GetProperty("hot_items")[0].GetProperty("id").GetString().ShouldBe("i1");
        foreach (var member in new[] { "at_ms", "events_per_s", "lookups_per_s", "click_to_list_ms_p50", "click_to_list_ms_p99", "feed_age_ms_p50", "hit_share", "lag_offsets", "auc", "versions" })
            frame.GetProperty("sample").TryGetProperty(member, out _).ShouldBeTrue(member);
        foreach (var member in new[] { "lag_by_partition", "events_per_s_by_type", "lookups_per_s_by_result", "set_aside_by_reason", "models", "movers" })
            frame.TryGetProperty(member, out _).ShouldBeTrue(member);
        var stopping = live.StopAsync();
        await stream.EndsAsync();
        await stopping;
    }

    [Fact]
    public async Task Without_a_wish_for_events_one_frame_is_the_answer()
    {
        await using var live = await LiveNode.StartAsync();
        var answer = await live.GetAsync("/v1/status/stream");
        answer.Type.ShouldBe("application/json");
        answer.Json.GetProperty("sample").GetProperty("at_ms").GetInt64().ShouldBeGreaterThan(0);
    }

    [Fact]
    public async Task Watchers_are_bounded_and_who_leaves_makes_room()
    {
        await using var live = await LiveNode.StartAsync(LiveNode.SmallSettings with { Serving = LiveNode.SmallSettings.Serving with { WatchersMax = 1 } });
        await using (var stream = await OpenAsync(live))
        {
            await stream.NextAsync("frame");
            (await live.GetAsync("/v1/status/stream")).ShouldBeProblem(503, "too-many-watchers");
        }
        await live.UntilAsync(() => live.GetAsync("/v1/status/stream"), a => a.Status == 200);
    }

    [Fact]
    public void Movers_are_told_against_a_minute_ago()
    {
        var movers = new ItemMovers(3);
        movers.Look([("a", 3), ("b", 2), ("c", 1)], 0).ShouldAllBe(row => row.Was == row.Rank);
        movers.Look([("b", 3), ("a", 2), ("c", 1)], 10_000);
        var rows = movers.Look([("d", 9), ("b", 3), ("a", 2), ("c", 1)], 60_000);
        rows.ShouldBe([new PopularRow("d", 9, 1, null), new PopularRow("b", 3, 2, 2), new PopularRow("a", 2, 3, 1)]);
        ItemMovers.Top(rows, 5).Select(row => row.Item).ShouldBe(["d"]);
        // The first list is more than a minute old by now: the second counts.
        movers.Look([("a", 3), ("b", 2)], 65_000).ShouldBe([new PopularRow("a", 3, 1, 2), new PopularRow("b", 2, 2, 1)]);
    }

    private static async Task<EventStream> OpenAsync(LiveNode live)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, "/v1/status/stream");
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("text/event-stream"));
        var response = await live.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        response.Content.Headers.ContentType!.MediaType.ShouldBe("text/event-stream");
        return new EventStream(response, new StreamReader(await response.Content.ReadAsStreamAsync()));
    }

    private sealed class EventStream(HttpResponseMessage response, StreamReader reader) : IAsyncDisposable
    {
        private static CancellationToken Patience => new CancellationTokenSource(TimeSpan.FromMinutes(3)).Token;

        /// <summary>The data of the next event, which must have this name or come after some that have not.</summary>
        public async Task<JsonElement> NextAsync(string name)
        {
            while (true)
            {
                var line = (await reader.ReadLineAsync(Patience)).ShouldNotBeNull("the stream has ended");
                if (line != $"event: {name}") continue;
                var data = (await reader.ReadLineAsync(Patience)).ShouldNotBeNull();
                data.ShouldStartWith("data: ");
                return JsonDocument.Parse(data["data: ".Length..]).RootElement;
            }
        }

        public async Task<JsonElement> UntilAsync(Func<JsonElement, bool> wanted)
        {
            while (true)
                if (await NextAsync("frame") is var frame && wanted(frame)) return frame;
        }

        public async Task EndsAsync()
        {
            while (await reader.ReadLineAsync(Patience) is not null)
            {
                // Until the node has closed it.
            }
        }

        public ValueTask DisposeAsync()
        {
            reader.Dispose();
            response.Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
