using System.Text.Json;
using Streaming.Host.Tests.Fixtures;

namespace Streaming.Host.Tests.Http;

/// <summary><c>GET /v1/explain</c>.</summary>
[Collection(NodeCollection.Name)]
public sealed class ExplainTests(SharedNode shared)
{
    private readonly LiveNode _live = shared.Live;

    [Fact]
    public async Task An_item_of_the_list_names_the_action_that_brought_it()
    {
        // A node of its own: one that has learned from what others did may rank the item higher without the click.
        await using var live = await LiveNode.StartAsync();
        (await live.PostLinesAsync("/v1/items", Enumerable.Range(0, 20).Select(i => $$"""{"id":"other-{{i}}","tags":["other"]}"""))).Status.ShouldBe(200);
        // Neither fresh nor popular: what shares a tag with the clicked one comes first by that tag alone.
        (await live.PostLinesAsync("/v1/items", Enumerable.Range(0, 2).Select(i => $$"""{"id":"why-{{i}}","tags":["why"],"published":1500000000000}"""))).Status.ShouldBe(200);
        var list = await live.FeedAfterAsync("asks-why", """{"type":"click","user":"asks-why","item":"why-0"}""");
        var answer = await live.GetAsync("/v1/explain/asks-why?limit=50");
        answer.Status.ShouldBe(200, answer.Text);
        var head = answer.Json.GetProperty("list");
        head.GetProperty("source").GetString().ShouldBe("own");
        head.GetProperty("list_version").GetInt64().ShouldBe(list.GetProperty("list_version").GetInt64());
        var items = answer.Json.GetProperty("items").EnumerateArray().ToList();
        items.Select(i => i.GetProperty("item").GetString()).ShouldBe(list.ItemIds());
        var related = items.Single(i => i.GetProperty("item").GetString() == "why-1");
        related.GetProperty("because").ValueKind.ShouldBe(JsonValueKind.Object, related.GetRawText());
        var because = related.GetProperty("because");
        because.GetProperty("item").GetString().ShouldBe("why-0");
        because.GetProperty("action").GetString().ShouldBe("click");
        // Nothing has been learned, so no score moves: the click has put it forward by its rank among the candidates.
        because.GetProperty("channel_without").GetString().ShouldNotBe("interest");
        because.GetProperty("rank_without").GetSingle().ShouldBeLessThan(related.GetProperty("rank_now").GetSingle());
        related.GetProperty("channel_now").GetString().ShouldBe("interest");

        var one = await live.GetAsync("/v1/explain/asks-why/why-1");
        one.Status.ShouldBe(200, one.Text);
        one.Json.GetProperty("item").GetProperty("because").GetProperty("item").GetString().ShouldBe("why-0");
        one.Json.GetProperty("item").GetProperty("position").GetInt32().ShouldBe(related.GetProperty("position").GetInt32());
    }

    [Fact]
    public async Task The_list_of_a_stranger_has_no_reasons()
    {
        var answer = await _live.GetAsync("/v1/explain/never-asked-why?limit=3");
        answer.Status.ShouldBe(200, answer.Text);
        answer.Json.GetProperty("list").GetProperty("source").GetString().ShouldBe("segment");
        var items = answer.Json.GetProperty("items").EnumerateArray().ToList();
        items.Count.ShouldBe(3);
        items.ShouldAllBe(i => i.GetProperty("because").ValueKind == JsonValueKind.Null && i.GetProperty("events").GetArrayLength() == 0);
    }

    [Theory]
    [InlineData("/v1/explain/anybody/no-such-item", 404, "not-in-list")]
    [InlineData("/v1/explain/anybody?limit=0", 400, "bad-limit")]
    [InlineData("/v1/explain/anybody?limit=51", 400, "bad-limit")]
    [InlineData("/v1/explain/anybody?surface=%00", 400, "bad-surface")]
    [InlineData("/v1/explain/anybody?arm=nobody:knows", 403, "bad-arm")]
    [InlineData("/v1/items/no-such-item", 404, "unknown-item")]
    public async Task What_cannot_be_explained_is_a_problem_document(string path, int status, string type) =>
        (await _live.GetAsync(path)).ShouldBeProblem(status, type);

    [Fact]
    public async Task An_item_is_answered_as_the_catalogue_has_it()
    {
        (await _live.PutAsync("/v1/items/read%2Fback", """{"tags":["a"],"categories":["c"],"author":"x","published":1700000000000,"attributes":{"title":"Read me"}}""")).Status.ShouldBe(200);
        var item = (await _live.UntilAsync(() => _live.GetAsync("/v1/items/read%2Fback"), a => a.Status == 200)).Json;
        item.GetProperty("id").GetString().ShouldBe("read/back");
        item.GetProperty("attributes").GetProperty("title").GetString().ShouldBe("Read me");
        item.GetProperty("published").GetInt64().ShouldBe(1_700_000_000_000);
        item.GetProperty("stub").GetBoolean().ShouldBeFalse();
    }
}
