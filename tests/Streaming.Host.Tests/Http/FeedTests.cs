using System.Text;
using Streaming.Core.Events;
using Streaming.Core.Log;
using Streaming.Host.Tests.Fixtures;

namespace Streaming.Host.Tests.Http;

[Collection(NodeCollection.Name)]
public sealed class FeedTests(SharedNode shared)
{
    private readonly LiveNode _live = shared.Live;

    [Fact]
    public async Task An_unknown_user_gets_the_popular_list()
    {
        var answer = await _live.GetAsync("/v1/feed/never-seen?limit=10");
        answer.Status.ShouldBe(200);
        answer.Items.Count.ShouldBe(10);
        var json = answer.Json;
        json.GetProperty("source").GetString().ShouldBe("segment");
        json.GetProperty("user").GetString().ShouldBe("never-seen");
        json.GetProperty("arm").GetString().ShouldBe("learned");
        json.GetProperty("list_version").GetInt64().ShouldBe(0);
        json.GetProperty("request_id").GetString().ShouldNotBeNullOrEmpty();
        json.GetProperty("items")[0].GetProperty("channel").GetString().ShouldNotBeNullOrEmpty();
    }

    [Fact]
    public async Task Declared_tags_choose_the_list_of_an_unknown_user()
    {
        (await _live.PostLinesAsync("/v1/items", Enumerable.Range(0, 3).Select(i => $$"""{"id":"jazz-{{i}}","tags":["jazz"]}"""))).Status.ShouldBe(200);
        var list = await _live.UntilAsync(() => _live.GetAsync("/v1/feed/never-seen-2?tags=unheard-of,jazz&limit=1000"), a => a.Items.Count(i => i.StartsWith("jazz-")) == 3);
        // Those with the tag come first; the list is filled up with what is popular.
        list.Items.Take(3).ShouldAllBe(i => i.StartsWith("jazz-"));
        list.Json.GetProperty("source").GetString().ShouldBe("segment");
    }

    [Fact]
    public async Task A_surface_without_a_list_falls_back_to_everybodys()
    {
        var answer = await _live.GetAsync("/v1/feed/never-seen-3?surface=nowhere&limit=5");
        answer.Json.GetProperty("surface").GetString().ShouldBe("nowhere");
        answer.Items.Count.ShouldBe(5);
    }

    [Fact]
    public async Task A_click_makes_a_list_of_the_users_own_that_has_seen_it()
    {
        var list = await _live.FeedAfterAsync("own", """{"type":"click","user":"own","item":"base-7","time":1700000000000}""");
        list.GetProperty("source").GetString().ShouldBe("own");
        list.GetProperty("list_version").GetInt64().ShouldBeGreaterThan(0);
        list.GetProperty("last_event_ms").GetInt64().ShouldBe(1_700_000_000_000);
        list.GetProperty("age_ms").GetInt64().ShouldBeGreaterThanOrEqualTo(0);
        list.GetProperty("models").GetString().ShouldNotBeNullOrEmpty();
        list.ItemIds().ShouldNotContain("base-7");
        list.ItemIds().Distinct().Count().ShouldBe(list.GetProperty("items").GetArrayLength());
    }

    [Fact]
    public async Task Every_click_makes_a_newer_list_with_a_request_id_of_its_own()
    {
        var first = await _live.FeedAfterAsync("newer", """{"type":"click","user":"newer","item":"base-1"}""");
        var second = await _live.FeedAfterAsync("newer", """{"type":"click","user":"newer","item":"base-2"}""");
        second.GetProperty("list_version").GetInt64().ShouldBeGreaterThan(first.GetProperty("list_version").GetInt64());
        second.GetProperty("request_id").GetString().ShouldNotBe(first.GetProperty("request_id").GetString());
        var again = await _live.GetAsync("/v1/feed/newer");
        again.Json.GetProperty("request_id").GetString().ShouldNotBe(second.GetProperty("request_id").GetString());
    }

    [Fact]
    public async Task After_takes_an_event_id_too()
    {
        await _live.EventAsync("""{"type":"click","user":"by-id","item":"base-3","event_id":"by-id:click"}""");
        var answer = await _live.GetAsync("/v1/feed/by-id?after=by-id:click&wait_ms=30000");
        answer.Status.ShouldBe(200);
        answer.Json.GetProperty("source").GetString().ShouldBe("own");
        answer.Items.ShouldNotContain("base-3");
    }

    [Fact]
    public async Task After_an_impression_on_another_surface_makes_a_list_there()
    {
        var position = await _live.EventAsync("""{"type":"impression","user":"elsewhere","item":"base-3","surface":"sidebar"}""");
        var answer = await _live.GetAsync($"/v1/feed/elsewhere?surface=sidebar&after={position}&wait_ms=30000");
        answer.Status.ShouldBe(200);
        answer.Json.GetProperty("source").GetString().ShouldBe("own");
    }

    [Fact]
    public async Task What_no_list_has_seen_answers_not_yet_after_a_bounded_wait()
    {
        await _live.FeedAfterAsync("waiting", """{"type":"click","user":"waiting","item":"base-1"}""");
        var answer = await _live.GetAsync("/v1/feed/waiting?after=0:99999999999&wait_ms=20");
        answer.ShouldBeProblem(503, "not-yet");
        answer.RetryAfter.ShouldBe("1");
    }

    [Fact]
    public async Task Pages_are_disjoint_and_make_up_the_list()
    {
        var whole = await _live.FeedAfterAsync("pages", """{"type":"click","user":"pages","item":"base-1"}""");
        var ids = new List<string>();
        for (var offset = 0; offset < whole.GetProperty("total").GetInt32(); offset += 7)
        {
            var page = await _live.GetAsync($"/v1/feed/pages?limit=7&offset={offset}");
            page.Json.GetProperty("offset").GetInt32().ShouldBe(offset);
            page.Json.GetProperty("total").GetInt32().ShouldBe(whole.GetProperty("total").GetInt32());
            page.Json.GetProperty("list_version").GetInt64().ShouldBe(whole.GetProperty("list_version").GetInt64());
            ids.AddRange(page.Items);
        }
        ids.ShouldBe(whole.ItemIds());
        ids.Distinct().Count().ShouldBe(ids.Count);
        (await _live.GetAsync("/v1/feed/pages?offset=100000")).Items.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("limit=0", "bad-limit")]
    [InlineData("limit=1001", "bad-limit")]
    [InlineData("offset=-1", "bad-offset")]
    [InlineData("after=never-heard-of", "bad-after")]
    [InlineData("after=99:1", "bad-after")]
    [InlineData("limit=many", null)]
    public async Task A_bad_question_is_refused(string query, string? type) => (await _live.GetAsync("/v1/feed/asker?" + query)).ShouldBeProblem(400, type);

    [Fact]
    public async Task A_user_with_too_long_a_name_is_refused() =>
        (await _live.GetAsync("/v1/feed/" + new string('u', EventLimits.IdCharsMax + 1))).ShouldBeProblem(400, "bad-user");

    [Fact]
    public async Task A_page_of_a_list_goes_to_the_log_once_however_often_it_is_fetched()
    {
        var first = await _live.FeedAfterAsync("served", """{"type":"click","user":"served","item":"base-1"}""");
        for (var i = 0; i < 3; i++)
            (await _live.GetAsync("/v1/feed/served?limit=1000")).Json.GetProperty("list_version").GetInt64().ShouldBe(first.GetProperty("list_version").GetInt64());
        var page = await _live.GetAsync("/v1/feed/served?limit=5&offset=2");
        var events = await _live.UntilAsync(ServedAsync, all => all.Count == 2);
        events[0].RequestId.ShouldBe(first.GetProperty("request_id").GetString());
        events[0].Items.Select(i => i.Item).ShouldBe(first.ItemIds());
        events[1].Items.Select(i => (i.Item, i.Position)).ShouldBe(page.Items.Select((item, i) => (item, i + 2)));
        events[0].Items.ShouldAllBe(i => i.Propensity > 0 && i.Propensity <= 1);

        async Task<List<UserEvent>> ServedAsync() =>
            [.. (await _live.ReadTopicAsync(Topics.Events)).Select(json => EventParser.TryParse(json, EventLimits.TimeMsMin, out var e, out _) ? e : null!)
                .Where(e => e is { Kind: EventKind.Served, User: "served" })];
    }

    [Fact]
    public async Task The_arm_is_the_splitters()
    {
        var settings = LiveNode.SmallSettings;
        await using var split = await LiveNode.StartAsync(settings with { Experiments = settings.Experiments with { HoldoutShare = .5 } });
        await split.PostLinesAsync("/v1/items", """{"id":"a"}""", """{"id":"b"}""");
        var arms = new HashSet<string>();
        for (var i = 0; i < 20; i++)
        {
            var user = $"split-{i}";
            var list = await split.FeedAfterAsync(user, $$"""{"type":"click","user":"{{user}}","item":"a"}""");
            list.GetProperty("arm").GetString().ShouldBe(split.Node.Splitter.ArmOf(user));
            arms.Add(list.GetProperty("arm").GetString()!);
        }
        arms.ShouldBe(["learned", "holdout"], ignoreOrder: true);
    }

    [Fact]
    public async Task An_empty_node_has_an_empty_list_with_every_member()
    {
        await using var empty = await LiveNode.StartAsync();
        var answer = await empty.GetAsync("/v1/feed/first");
        answer.Status.ShouldBe(200);
        answer.Items.ShouldBeEmpty();
        answer.Json.GetProperty("source").GetString().ShouldBe("empty");
        foreach (var member in new[] { "request_id", "arm", "list_version", "age_ms", "last_event_ms", "models", "offset", "total" })
            answer.Json.TryGetProperty(member, out _).ShouldBeTrue(member);
    }

    public static TheoryData<string> OddUsers => new()
    {
        "line\nbreak", "slash/in/it", "per%2Fcent", "Zoë 你好 🎉", "quote\"back\\slash", "q?a=b&c#d", "+plus plus", "'; drop table users", new string('u', 1024), new string('好', 1024),
    };

    [Theory]
    [MemberData(nameof(OddUsers))]
    public async Task Any_string_is_a_user(string user)
    {
        var json = Encoding.UTF8.GetString(System.Text.Json.JsonSerializer.SerializeToUtf8Bytes(new { type = "click", user, item = "base-9" }));
        var list = await _live.FeedAfterAsync(user, json);
        list.GetProperty("source").GetString().ShouldBe("own");
        list.GetProperty("user").GetString().ShouldBe(user);
        var path = "/v1/users/" + Uri.EscapeDataString(user);
        (await _live.GetAsync(path)).Json.GetProperty("user").GetString().ShouldBe(user);
        (await _live.DeleteAsync(path)).Json.GetProperty("user").GetString().ShouldBe(user);
        (await _live.GetAsync(path)).ShouldBeProblem(404, "unknown-user");
    }
}
