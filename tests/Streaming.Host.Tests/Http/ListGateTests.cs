using System.Text.Json;
using Streaming.Core.Settings;
using Streaming.Host.Tests.Fixtures;

namespace Streaming.Host.Tests.Http;

/// <summary>Filters hold at the moment of the look-up, whatever list is in the cache.</summary>
public sealed class ListGateTests
{
    private static readonly StreamingSettings Settings = LiveNode.SmallSettings with
    {
        Feeds = LiveNode.SmallSettings.Feeds with { MatchedAttributes = ["region"], ExcludedCategories = ["barred"], ExploreEvery = 0 },
    };

    private static async Task<LiveNode> StartAsync()
    {
        var live = await LiveNode.StartAsync(Settings);
        (await live.PostLinesAsync("/v1/items", Enumerable.Range(0, 12).Select(i => $$"""{"id":"i{{i}}","tags":["t"],"categories":["{{(i % 2 == 0 ? "even" : "odd")}}"]}"""))).Status.ShouldBe(200);
        return live;
    }

    private static async Task<IReadOnlyList<string>> ItemsAsync(LiveNode live, string query) => (await live.GetAsync(query)).Json.ItemIds();

    [Fact]
    public async Task A_deleted_item_is_gone_from_lists_that_were_made_before_at_once()
    {
        await using var live = await StartAsync();
        var list = await live.FeedAfterAsync("ann", """{"type":"click","user":"ann","item":"i1"}""");
        list.ItemIds().ShouldContain("i4");
        (await live.SendAsync(HttpMethod.Delete, "/v1/items/i4")).Status.ShouldBe(200);
        // Ann does nothing; the delete itself takes a round.
        await live.UntilAsync(() => live.GetAsync("/v1/items/i4"), a => a.Status == 404);
        var after = (await live.GetAsync("/v1/feed/ann?limit=50")).Json;
        after.GetProperty("list_version").GetInt64().ShouldBe(list.GetProperty("list_version").GetInt64());
        after.ItemIds().ShouldBe(list.ItemIds().Where(i => i != "i4"));
        after.GetProperty("total").GetInt32().ShouldBe(list.GetProperty("total").GetInt32() - 1);
        // Pages are counted without it too.
        List<string> paged = [.. await ItemsAsync(live, "/v1/feed/ann?limit=3"), .. await ItemsAsync(live, "/v1/feed/ann?limit=47&offset=3")];
        paged.ShouldBe(after.ItemIds());
        (await ItemsAsync(live, "/v1/popular?limit=50")).ShouldNotContain("i4");
    }

    /// <summary>The user does nothing, so that no new list is made.</summary>
    [Fact]
    public async Task An_item_that_comes_to_be_barred_is_gone_from_lists_that_were_made_before_at_once()
    {
        await using var live = await StartAsync();
        var list = await live.FeedAfterAsync("ann", """{"type":"click","user":"ann","item":"i1"}""");
        foreach (var item in new[] { "i4", "i5", "i6" }) list.ItemIds().ShouldContain(item);
        foreach (var body in new[] { """{"id":"i4","tags":["t"],"categories":["even","barred"]}""", """{"id":"i5","tags":["t"],"categories":["odd"],"attributes":{"region":"fr"}}""", """{"id":"i6","tags":["other"],"categories":["odd"]}""" })
            (await live.PostAsync("/v1/items", body)).Status.ShouldBe(200);
        await live.UntilAsync(() => live.GetAsync("/v1/items/i6"), a => a.Json.GetProperty("tags")[0].GetString() == "other");
        var after = (await live.GetAsync("/v1/feed/ann?limit=50")).Json;
        after.GetProperty("list_version").GetInt64().ShouldBe(list.GetProperty("list_version").GetInt64());
        // What no filter reads may change.
        after.ItemIds().ShouldBe(list.ItemIds().Where(i => i is not ("i4" or "i5")));
        foreach (var path in new[] { "/v1/popular?limit=50", "/v1/feed/stranger?limit=50", "/v1/items/i1/similar?limit=50" })
            (await ItemsAsync(live, path)).ShouldAllBe(i => i != "i4" && i != "i5", path);
        var explained = (await live.GetAsync("/v1/explain/ann?limit=50")).Json;
        explained.ItemIds().ShouldBe(after.ItemIds());
        explained.GetProperty("items").EnumerateArray().Select(i => i.GetProperty("position").GetInt32()).ShouldBe(Enumerable.Range(0, after.ItemIds().Count));
        (await live.GetAsync("/v1/explain/ann/i4")).Status.ShouldBe(404);
        // A list that is made now goes by what the item is now.
        (await live.SendAsync(HttpMethod.Put, "/v1/users/ann", System.Text.Encoding.UTF8.GetBytes("""{"attributes":{"region":"fr"}}"""), "application/json")).Status.ShouldBe(200);
        var own = (await live.FeedAfterAsync("ann", """{"type":"click","user":"ann","item":"i2"}""")).ItemIds();
        own.ShouldContain("i5");
        own.ShouldNotContain("i4");
    }

    [Fact]
    public async Task An_item_leaves_at_its_time()
    {
        await using var live = await StartAsync();
        var expiresMs = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() + 1_500;
        (await live.PostAsync("/v1/items", $$"""{"id":"brief","tags":["t"],"expires":{{expiresMs}}}""")).Status.ShouldBe(200);
        await live.UntilAsync(() => live.GetAsync("/v1/items/brief"), a => a.Status == 200);
        await live.FeedAfterAsync("ann", """{"type":"click","user":"ann","item":"i1"}""");
        // Before its time it may be there, after it never: no event comes that would make a new list.
        await live.UntilAsync(() => Task.FromResult(DateTimeOffset.UtcNow.ToUnixTimeMilliseconds()), now => now >= expiresMs);
        (await ItemsAsync(live, "/v1/feed/ann?limit=50")).ShouldNotContain("brief");
        (await ItemsAsync(live, "/v1/popular?limit=50")).ShouldNotContain("brief");
        (await ItemsAsync(live, "/v1/feed/stranger?limit=50")).ShouldNotContain("brief");
    }

    [Fact]
    public async Task A_caller_excludes_items_and_asks_for_categories()
    {
        await using var live = await StartAsync();
        await live.FeedAfterAsync("ann", """{"type":"click","user":"ann","item":"i1"}""");
        await live.UntilAsync(() => ItemsAsync(live, "/v1/popular?limit=50"), items => items.Count >= 11);
        foreach (var path in (string[])["/v1/feed/ann?", "/v1/feed/stranger?", "/v1/popular?"])
        {
            var all = await ItemsAsync(live, $"{path}limit=50");
            (await ItemsAsync(live, $"{path}limit=50&exclude=i2,i3")).ShouldBe(all.Where(i => i is not ("i2" or "i3")), path);
            var even = all.Where(i => int.Parse(i[1..]) % 2 == 0).ToList();
            even.ShouldNotBeEmpty();
            (await ItemsAsync(live, $"{path}limit=50&categories=even")).ShouldBe(even, path);
            (await ItemsAsync(live, $"{path}limit=2&offset=1&categories=even&exclude={even[1]}")).ShouldBe(even.Where((_, i) => i != 1).Skip(1).Take(2), path);
            (await ItemsAsync(live, $"{path}limit=50&categories=even,odd")).ShouldBe(all, path);
        }
        // What was served is what left: its positions, with the items that did.
        var shown = (await live.GetAsync("/v1/feed/ann?limit=3&categories=even")).Json;
        var id = shown.GetProperty("request_id").GetString();
        (await live.EventAsync($$"""{"type":"impression","user":"ann","request_id":"{{id}}","items":["{{shown.ItemIds()[0]}}"]}""")).ShouldNotBeNull();
        (await live.GetAsync("/v1/feed/ann?categories=none-such")).Json.GetProperty("items").GetArrayLength().ShouldBe(0);
    }

    [Fact]
    public async Task Items_of_a_region_are_for_users_of_that_region()
    {
        await using var live = await StartAsync();
        foreach (var (id, region) in new[] { ("only-nl", "nl"), ("nl-de", "nl|de"), ("only-fr", "fr") })
            (await live.PostAsync("/v1/items", $$$"""{"id":"{{{id}}}","tags":["t"],"attributes":{"region":"{{{region}}}"}}""")).Status.ShouldBe(200);
        await live.UntilAsync(() => live.GetAsync("/v1/items/only-fr"), a => a.Status == 200);
        foreach (var (user, region, allowed) in new[] { ("ann", "nl", "nl-de only-nl"), ("bob", "de", "nl-de"), ("cid", "", "") })
        {
            if (region.Length > 0) (await live.SendAsync(HttpMethod.Put, $"/v1/users/{user}", System.Text.Encoding.UTF8.GetBytes($$$"""{"attributes":{"region":"{{{region}}}"}}"""), "application/json")).Status.ShouldBe(200);
            var list = await live.FeedAfterAsync(user, $$"""{"type":"click","user":"{{user}}","item":"i1"}""");
            string.Join(" ", list.ItemIds().Where(i => !i.StartsWith('i')).Order()).ShouldBe(allowed, user);
        }
        (await ItemsAsync(live, "/v1/popular?limit=50")).ShouldAllBe(i => i.StartsWith('i'));
        (await ItemsAsync(live, "/v1/feed/stranger?limit=50")).ShouldAllBe(i => i.StartsWith('i'));
    }
}
