using System.Text.Json;
using Streaming.Host.Tests.Fixtures;

namespace Streaming.Host.Tests.Http;

/// <summary>Every list, a page at a time: <c>next</c>, the header <c>Link</c>, and what comes meanwhile.</summary>
[Collection(NodeCollection.Name)]
public sealed class PagingTests(SharedNode shared)
{
    private readonly LiveNode _live = shared.Live;

    [Fact]
    public async Task Dead_letters_are_paged_by_where_a_page_ended()
    {
        await using var live = await LiveNode.StartAsync();
        async Task SetAsideAsync(string what) => (await live.PostAsync("/v1/events", what)).Status.ShouldBe(400);
        for (var i = 1; i <= 5; i++) await SetAsideAsync($"bad {i}");
        var seen = await FollowAsync(live, "/v1/dead-letters?limit=2", "letters", async (page, pages) =>
        {
            page.GetProperty("seen").GetInt64().ShouldBe(pages == 1 ? 5 : 6);
            if (pages == 1) await SetAsideAsync("late");
        });
        seen.Select(l => l.GetProperty("payload").GetString()).ShouldBe(["bad 5", "bad 4", "bad 3", "bad 2", "bad 1"]);
        (await live.GetAsync("/v1/dead-letters?limit=1")).Json.GetProperty("letters")[0].GetProperty("payload").GetString().ShouldBe("late");
        // What lies between two letters is a place to go on from as well, and before the first one there is nothing.
        var second = seen[1].GetProperty("offset").GetInt64();
        (await live.GetAsync($"/v1/dead-letters?limit=1&before={second + 1}")).Json.GetProperty("letters")[0].GetProperty("payload").GetString().ShouldBe("bad 4");
        var none = (await live.GetAsync("/v1/dead-letters?before=0")).Json;
        (none.GetProperty("letters").GetArrayLength(), none.GetProperty("next").ValueKind).ShouldBe((0, JsonValueKind.Null));
    }

    [Fact]
    public async Task The_audit_is_paged_by_where_a_page_ended()
    {
        await using var live = await LiveNode.StartAsync();
        async Task ChangeAsync(int version) =>
            (await ExperimentCalls.PutAsync(live, $$"""{"testers":["t{{version}}"]}""", $"\"{version - 1}\"", "ann")).Answer.Status.ShouldBe(200);
        for (var version = 1; version <= 5; version++) await ChangeAsync(version);
        var seen = await FollowAsync(live, "/v1/experiments/audit?limit=2", "entries", async (_, pages) =>
        {
            if (pages == 1) await ChangeAsync(6);
        });
        seen.Select(e => e.GetProperty("version").GetInt64()).ShouldBe([5, 4, 3, 2, 1]);
        (await live.GetAsync("/v1/experiments/audit")).Json.GetProperty("entries").GetArrayLength().ShouldBe(6);
    }

    [Fact]
    public async Task The_operators_steps_are_paged_by_where_a_page_ended()
    {
        await using var live = await LiveNode.StartAsync();
        async Task StepAsync(int n) => (await live.PostAsync($"/v1/intake/{(n % 2 == 1 ? "pause" : "resume")}", "")).Status.ShouldBe(200);
        for (var n = 1; n <= 5; n++) await StepAsync(n);
        var seen = await FollowAsync(live, "/v1/operations?limit=2", "operations", async (_, pages) =>
        {
            if (pages == 1) await StepAsync(6);
        });
        seen.Select(s => s.GetProperty("what").GetString()).ShouldBe(["intake paused", "intake resumed", "intake paused", "intake resumed", "intake paused"]);
        (await live.GetAsync("/v1/operations")).Json.GetProperty("operations").GetArrayLength().ShouldBe(6);
    }

    [Theory]
    [InlineData("")]
    [InlineData("x")]
    [InlineData("-1")]
    [InlineData("1.5")]
    [InlineData("01")]
    [InlineData("%201")]
    [InlineData("9223372036854775808")]
    public async Task A_cursor_that_no_page_answered_is_refused(string before)
    {
        (await _live.GetAsync($"/v1/dead-letters?before={before}")).ShouldBeProblem(400, "bad-cursor").ShouldContain("next");
        (await _live.GetAsync($"/v1/experiments/audit?before={before}")).ShouldBeProblem(400, "bad-cursor");
        (await _live.GetAsync($"/v1/operations?before={before}")).ShouldBeProblem(400, "bad-cursor");
    }

    [Theory]
    [InlineData("/v1/items/base-1/similar")]
    [InlineData("/v1/explain/pages")]
    public async Task An_offset_is_not_negative_and_a_limit_is_bounded(string path)
    {
        (await _live.GetAsync(path + "?offset=-1")).ShouldBeProblem(400, "bad-offset");
        (await _live.GetAsync(path + "?limit=0")).ShouldBeProblem(400, "bad-limit");
        (await _live.GetAsync(path + "?limit=1001")).ShouldBeProblem(400, "bad-limit");
        (await _live.GetAsync(path + "?offset=many")).ShouldBeProblem(400);
    }

    [Fact]
    public async Task Ranked_lists_are_paged_by_offset()
    {
        for (var i = 0; i < 4; i++)
            (await _live.PostLinesAsync("/v1/events", Enumerable.Range(0, 5).Select(k => $$"""{"type":"click","user":"pages-{{i}}","item":"page/{{k}}"}"""))).Status.ShouldBe(200);
        const string similar = "/v1/items/page%2F0/similar";
        var all = await _live.UntilAsync(() => _live.GetAsync(similar + "?limit=1000"), a => a.Status == 200 && a.Items.Count(i => i.StartsWith("page/", StringComparison.Ordinal)) == 4);
        // The four by their visits come first, and a search for few finds them as one for many does; what is near by its vector fills up.
        (await FollowAsync(_live, similar + "?limit=2", "items", until: 2)).Select(ItemOf).ShouldBe(all.Items.Take(4));
        var beyond = (await _live.GetAsync(similar + "?offset=100000")).Json;
        (beyond.GetProperty("items").GetArrayLength(), beyond.GetProperty("next").ValueKind).ShouldBe((0, JsonValueKind.Null));

        var list = await _live.FeedAfterAsync("pages", """{"type":"click","user":"pages","item":"base-1"}""");
        var listed = list.ItemIds();
        listed.Count.ShouldBeGreaterThan(6);
        var explained = await FollowAsync(_live, "/v1/explain/pages?limit=5", "items", (page, _) =>
        {
            page.GetProperty("list").GetProperty("source").GetString().ShouldBe("own");
            return Task.CompletedTask;
        });
        explained.Select(ItemOf).ShouldBe(listed);
        explained.Select(i => i.GetProperty("position").GetInt32()).ShouldBe(Enumerable.Range(0, listed.Count));
        var past = (await _live.GetAsync("/v1/explain/pages?offset=100000")).Json;
        (past.GetProperty("items").GetArrayLength(), past.GetProperty("list").GetProperty("source").GetString()).ShouldBe((0, "own"));

        // The hot path says it in the member alone.
        (await FollowAsync(_live, "/v1/feed/pages?limit=5", "items", hasLink: false)).Select(ItemOf).ShouldBe(listed);
        (await _live.GetAsync("/v1/popular?surface=nowhere-yet&exclude=base-2&limit=3")).Json.GetProperty("next").GetInt32().ShouldBe(3);
        var popular = await FollowAsync(_live, "/v1/popular?limit=7&exclude=base-2,base-3", "items");
        popular.Select(ItemOf).ShouldBeUnique();
        popular.Select(ItemOf).ShouldNotContain("base-2");
    }

    private static string ItemOf(JsonElement entry) => entry.GetProperty("item").GetString()!;

    /// <summary>All entries of the pages from one on, the next found by the header, which says the same as the member.</summary>
    private static async Task<List<JsonElement>> FollowAsync(
        LiveNode live, string path, string entries, Func<JsonElement, int, Task>? onPage = null, bool hasLink = true, int until = int.MaxValue)
    {
        var all = new List<JsonElement>();
        for (var (pages, next) = (1, path); ; pages++)
        {
            using var answer = await live.Http.GetAsync(new Uri(next, UriKind.Relative));
            var page = JsonDocument.Parse(await answer.Content.ReadAsStringAsync()).RootElement;
            ((int)answer.StatusCode).ShouldBe(200, page.ToString());
            all.AddRange(page.GetProperty(entries).EnumerateArray());
            if (onPage is not null) await onPage(page, pages);
            var cursor = page.GetProperty("next");
            var link = answer.Headers.TryGetValues("Link", out var links) ? links.Single() : null;
            if (cursor.ValueKind == JsonValueKind.Null || pages == until)
            {
                if (pages != until) link.ShouldBeNull();
                return all;
            }
            page.GetProperty(entries).GetArrayLength().ShouldBeGreaterThan(0);
            next = $"{path}&{(cursor.ValueKind == JsonValueKind.String ? "before" : "offset")}={cursor}";
            if (hasLink) link.ShouldBe($"<{next}>; rel=\"next\"");
            else link.ShouldBeNull();
        }
    }
}
