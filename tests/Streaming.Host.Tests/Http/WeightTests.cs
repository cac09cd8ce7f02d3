using System.Text.Json;
using Streaming.Core.Settings;
using Streaming.Host.Tests.Cli;
using Streaming.Host.Tests.Fixtures;

namespace Streaming.Host.Tests.Http;

/// <summary><c>/v1/weights</c>: weights that are changed while the node runs.</summary>
public sealed class WeightTests
{
    private const string Like = "/v1/weights/Users:ActionWeights:like";

    [Fact]
    public async Task A_changed_weight_counts_for_what_is_sent_once_it_is_answered_and_outlives_a_restart()
    {
        using var folder = new TemporaryFolder();
        await using (var live = await LiveNode.StartAsync(folder: folder.Path))
        {
            await ItemsAsync(live);
            await live.FeedAfterAsync("ann", """{"type":"like","user":"ann","item":"a"}""");
            (await PutAsync(live, $"{Like}?value=4.5")).Status.ShouldBe(200);
            Of(await live.GetAsync("/v1/weights"), "Users:ActionWeights:like").ShouldBe((4.5, 2, true));
            await live.FeedAfterAsync("ann", """{"type":"like","user":"ann","item":"b"}""");
            (await WeightsOfAsync(live, "ann")).ShouldBe([2, 4.5]);
            // One type unknown before, and what had been set aside for it.
            await live.EventAsync("""{"type":"playlist_add","user":"ann","item":"c"}""");
            var letter = (await live.UntilAsync(() => live.GetAsync("/v1/dead-letters"), a => a.Json.GetProperty("letters").GetArrayLength() == 1)).Json.GetProperty("letters")[0];
            (await PutAsync(live, "/v1/weights/Users%3AActionWeights%3Aplaylist_add?value=3")).Status.ShouldBe(200);
            var sent = (await live.PostAsync($"/v1/dead-letters/{letter.GetProperty("offset")}/retry", "")).Json.GetProperty("position").GetString();
            (await live.GetAsync($"/v1/feed/ann?after={sent}&wait_ms=30000")).Status.ShouldBe(200);
            (await WeightsOfAsync(live, "ann")).ShouldBe([2, 4.5, 3]);
        }
        await using (var live = await LiveNode.StartAsync(folder: folder.Path))
        {
            Of(await live.GetAsync("/v1/weights"), "Users:ActionWeights:playlist_add").ShouldBe((3, null, true));
            await live.FeedAfterAsync("ann", """{"type":"like","user":"ann","item":"d"}""");
            (await DeleteAsync(live, Like)).Status.ShouldBe(200);
            await live.FeedAfterAsync("ann", """{"type":"like","user":"ann","item":"e"}""");
            (await WeightsOfAsync(live, "ann")).ShouldBe([2, 4.5, 3, 4.5, 2]);
            Of(await live.GetAsync("/v1/weights"), "Users:ActionWeights:like").ShouldBe((2, 2, false));
            var audit = (await live.GetAsync("/v1/experiments/audit")).Json.GetProperty("entries").EnumerateArray().Where(e => e.GetProperty("in_force").GetBoolean()).Select(e => (e.GetProperty("changed_by").GetString(), e.GetProperty("changes")[0].GetString()));
            audit.ShouldBe(
            [
                ("unknown", "weight Users:ActionWeights:like: 4.5 -> as in the settings"), ("pat", "weight Users:ActionWeights:playlist_add: as in the settings -> 3"),
                ("pat", "weight Users:ActionWeights:like: as in the settings -> 4.5"),
            ]);
        }
    }

    [Fact]
    public async Task Recall_is_weighed_for_everybody_but_the_hold_out_and_for_no_arm_that_says_otherwise()
    {
        await using var live = await LiveNode.StartAsync(LiveNode.SmallSettings with { Experiments = LiveNode.SmallSettings.Experiments with { HoldoutShare = .5 } });
        await ItemsAsync(live);
        var users = Enumerable.Range(0, 40).Select(i => $"u{i}").ToList();
        var (learned, held) = (users.First(u => live.Node.Splitter.ArmOf(u) == "learned"), users.First(u => live.Node.Splitter.ArmOf(u) == "holdout"));
        foreach (var user in (string[])[learned, held]) Channels(await live.FeedAfterAsync(user, $$"""{"type":"click","user":"{{user}}","item":"i1"}""")).ShouldContain("popular");
        (await PutAsync(live, "/v1/weights/Feeds:Quotas:popular?value=0")).Status.ShouldBe(200);
        Of(await live.GetAsync("/v1/weights"), "Feeds:Quotas:popular").ShouldBe((0, 40, true));
        Channels(await live.FeedAfterAsync(learned, $$"""{"type":"click","user":"{{learned}}","item":"i2"}""")).ShouldNotContain("popular");
        Channels(await live.FeedAfterAsync(held, $$"""{"type":"click","user":"{{held}}","item":"i2"}""")).ShouldContain("popular");
        var definitions = $$$"""{"testers":["{{{learned}}}"],"layers":[{"name":"l"}],"experiments":[{"name":"e","layer":"l","arms":[{"name":"control"},{"name":"own","settings":{"Feeds:Quotas:popular":40}}]}]}""";
        (await ExperimentCalls.PutAsync(live, definitions, "\"1\"", "pat")).Answer.Status.ShouldBe(200);
        Channels((await live.GetAsync($"/v1/feed/{learned}?limit=100&arm=e:control")).Json).ShouldNotContain("popular");
        Channels((await live.GetAsync($"/v1/feed/{learned}?limit=100&arm=e:own")).Json).ShouldContain("popular");
    }

    [Fact]
    public async Task What_cannot_be_is_refused_and_a_tick_is_nobodys_to_send()
    {
        await using var live = await LiveNode.StartAsync();
        (await PutAsync(live, "/v1/weights/Users:SessionGapMs?value=1")).ShouldBeProblem(404, "unknown-weight");
        (await DeleteAsync(live, "/v1/weights/nothing")).ShouldBeProblem(404, "unknown-weight");
        (await PutAsync(live, Like)).ShouldBeProblem(400, "bad-weight").ShouldContain("value=4");
        (await PutAsync(live, "/v1/weights/Users:ActionWeights:hide?value=2")).ShouldBeProblem(400, "bad-weight").ShouldContain("hide");
        (await PutAsync(live, "/v1/weights/Feeds:Quotas:fresh?value=1.5")).ShouldBeProblem(400, "bad-weight").ShouldContain("whole number");
        (await PutAsync(live, $"{Like}?value=much")).Status.ShouldBe(400);
        (await live.GetAsync("/v1/weights")).Json.GetProperty("version").GetInt64().ShouldBe(0);
        (await live.PostAsync("/v1/events", """{"type":"tick","context":{"version":"99","Users:ActionWeights:like":"900"}}""")).ShouldBeProblem(400, "rejected").ShouldContain("only the node itself");
        await ItemsAsync(live);
        await live.FeedAfterAsync("ann", """{"type":"like","user":"ann","item":"a"}""");
        (await WeightsOfAsync(live, "ann")).ShouldBe([2]);
    }

    private static async Task ItemsAsync(LiveNode live)
    {
        (await live.PostLinesAsync("/v1/items", Enumerable.Range(0, 40).Select(i => $$"""{"id":"i{{i}}","tags":["t{{i % 3}}"]}"""))).Status.ShouldBe(200);
        await live.UntilAsync(() => live.GetAsync("/v1/popular?limit=100"), a => a.Status == 200 && a.Items.Count >= 40);
    }

    private static Task<Answer> PutAsync(LiveNode live, string path) => InForceAsync(live, () => PutOnceAsync(live, path));

    private static Task<Answer> DeleteAsync(LiveNode live, string path) => InForceAsync(live, () => live.DeleteAsync(path));

    /// <summary>
    /// The answer once the change is in force: a node whose driver has not come to it within ten seconds, as on a machine that is busy with much else, says 202,
    /// and what is sent then may still count by the weight of before.
    /// </summary>
    private static Task<Answer> InForceAsync(LiveNode live, Func<Task<Answer>> change) => live.UntilAsync(change, answer => answer.Status != 202);

    private static async Task<Answer> PutOnceAsync(LiveNode live, string path)
    {
        using var request = new HttpRequestMessage(HttpMethod.Put, path);
        request.Headers.Add("X-Streaming-Author", "pat");
        using var response = await live.Http.SendAsync(request);
        return new Answer((int)response.StatusCode, response.Content.Headers.ContentType?.MediaType, null, await response.Content.ReadAsByteArrayAsync());
    }

    private static (double Value, double? Setting, bool Changed) Of(Answer weights, string name)
    {
        var weight = weights.Json.GetProperty("weights").EnumerateArray().Single(w => w.GetProperty("name").GetString() == name);
        return (weight.GetProperty("value").GetDouble(), weight.GetProperty("setting") is { ValueKind: JsonValueKind.Number } setting ? setting.GetDouble() : null, weight.GetProperty("changed").GetBoolean());
    }

    /// <summary>What the user's positive actions weighed when they came, the oldest first.</summary>
    private static async Task<IEnumerable<double>> WeightsOfAsync(LiveNode live, string user) =>
        (await live.GetAsync($"/v1/users/{user}")).Json.GetProperty("history").EnumerateArray().Select(a => a.GetProperty("weight").GetDouble()).Reverse();

    private static IEnumerable<string?> Channels(JsonElement list) => list.GetProperty("items").EnumerateArray().Select(i => i.GetProperty("channel").GetString());
}
