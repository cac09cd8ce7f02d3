using Streaming.Host.Tests.Fixtures;

namespace Streaming.Host.Tests.Http;

[Collection(NodeCollection.Name)]
public sealed class ItemTests(SharedNode shared)
{
    private readonly LiveNode _live = shared.Live;

    [Fact]
    public async Task An_item_is_listed_after_put_and_gone_after_delete()
    {
        (await _live.PutAsync("/v1/items/put-1", """{"tags":["put-tag"],"id":"ignored"}""")).Status.ShouldBe(200);
        await _live.UntilAsync(() => _live.GetAsync("/v1/popular?tag=put-tag"), a => a.Items[0] == "put-1");
        (await _live.DeleteAsync("/v1/items/put-1")).Status.ShouldBe(200);
        await _live.UntilAsync(() => _live.GetAsync("/v1/items/put-1/similar"), a => a.Status == 404);
        // Whoever is given a list from now on does not see it.
        var list = await _live.FeedAfterAsync("after-delete", """{"type":"click","user":"after-delete","item":"base-1"}""");
        list.ItemIds().ShouldNotContain("put-1");
        list.ItemIds().ShouldNotBeEmpty();
    }

    [Fact]
    public async Task A_batch_upserts_and_deletes()
    {
        var answer = await _live.PostLinesAsync(
            "/v1/items", """{"id":"batch-1","tags":["batch-tag"]}""", """{"id":"batch-2","tags":["batch-tag"]}""", """{"id":"batch-1","deleted":true}""", """{"tags":["x"]}""");
        answer.Status.ShouldBe(200);
        answer.Json.GetProperty("accepted").GetInt32().ShouldBe(3);
        answer.Json.GetProperty("results")[3].GetProperty("error").GetString()!.ShouldContain("id is missing");
        await _live.UntilAsync(() => _live.GetAsync("/v1/popular?tag=batch-tag"), a => a.Items[0] == "batch-2" && !a.Items.Contains("batch-1"));
    }

    [Theory]
    [InlineData("""{"tags":"news"}""", "tags is")]
    [InlineData("[]", "must be one JSON object")]
    [InlineData("""{"id":"x","tags":["\ud83d"]}""", "not Unicode")]
    public async Task A_bad_item_is_refused_with_its_reason(string json, string reason) =>
        (await _live.PutAsync("/v1/items/bad", json)).ShouldBeProblem(400, "rejected").ShouldContain(reason);

    [Fact]
    public async Task Similar_items_are_those_that_the_same_users_act_on()
    {
        for (var i = 0; i < 5; i++)
        {
            await _live.EventAsync($$"""{"type":"click","user":"sim-{{i}}","item":"sim-a"}""");
            await _live.EventAsync($$"""{"type":"click","user":"sim-{{i}}","item":"sim-b"}""");
        }
        var answer = await _live.UntilAsync(() => _live.GetAsync("/v1/items/sim-b/similar?limit=5"), a => a.Status == 200 && a.Items.Contains("sim-a"));
        answer.Json.GetProperty("item").GetString().ShouldBe("sim-b");
        answer.Json.GetProperty("items")[0].GetProperty("score").GetDouble().ShouldBeGreaterThan(0);
        (await _live.GetAsync("/v1/items/nowhere/similar")).ShouldBeProblem(404, "unknown-item");
        (await _live.GetAsync("/v1/items/sim-b/similar?limit=0")).ShouldBeProblem(400, "bad-limit");
    }

    [Fact]
    public async Task The_popular_list_is_cut_into_pages()
    {
        var first = await _live.GetAsync("/v1/popular?limit=4");
        var second = await _live.GetAsync("/v1/popular?limit=4&offset=4");
        first.Items.Count.ShouldBe(4);
        second.Items.Count.ShouldBe(4);
        first.Json.GetProperty("total").GetInt32().ShouldBeGreaterThanOrEqualTo(30);
        var beyond = await _live.GetAsync("/v1/popular?offset=100000");
        beyond.Items.ShouldBeEmpty();
        (await _live.GetAsync("/v1/popular?limit=0")).ShouldBeProblem(400, "bad-page");
        (await _live.GetAsync("/v1/popular?offset=-1")).ShouldBeProblem(400, "bad-page");
    }
}
