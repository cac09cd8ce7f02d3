using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Streaming.Core.Experiments;
using Streaming.Core.Feeds;
using Streaming.Core.Settings;
using Streaming.Host.Tests.Fixtures;

namespace Streaming.Host.Tests.Http;

/// <summary>Experiments of a running node over HTTP.</summary>
public sealed class ExperimentTests
{
    /// <summary>Everybody in one experiment of two arms: lists of 3 items, and of 4.</summary>
    private const string Short = """
        {"testers":["tess"],"layers":[{"name":"length"}],"experiments":[
          {"name":"short","layer":"length","state":"running","share":1,"arms":[{"name":"three","settings":{"Feeds:ListLength":3}},{"name":"four","settings":{"Feeds:ListLength":4}}]}]}
        """;

    private static async Task<LiveNode> StartAsync(StreamingSettings? settings = null, string? folder = null)
    {
        var live = await LiveNode.StartAsync(settings, folder);
        (await live.PostLinesAsync("/v1/items", Enumerable.Range(0, 30).Select(i => $$"""{"id":"i{{i}}","tags":["t{{i % 3}}"]}"""))).Status.ShouldBe(200);
        return live;
    }

    private static Task<(Answer Answer, string? Tag)> PutAsync(LiveNode live, string definitions, string basedOn, string author = "ann") =>
        ExperimentCalls.PutAsync(live, definitions, basedOn, author);

    private static async Task<JsonElement> FeedAsync(LiveNode live, string user, string query = "") => (await live.GetAsync($"/v1/feed/{user}?limit=50{query}")).Json;

    private static string ArmOf(JsonElement list) => list.GetProperty("arm").GetString()!;

    [Fact]
    public async Task A_started_experiment_makes_lists_and_a_killed_one_stops_at_once()
    {
        await using var live = await StartAsync();
        var before = await live.FeedAfterAsync("ann", """{"type":"click","user":"ann","item":"i1"}""");
        ArmOf(before).ShouldBe("learned");
        before.ItemIds().Count.ShouldBeGreaterThan(10);
        var (put, tag) = await PutAsync(live, Short, "\"0\"");
        put.Status.ShouldBe(200, put.Text);
        tag.ShouldBe("\"1\"");

        // The answer to the change came when it was in force, so the very next look-up goes by it, first list and all.
        var during = await FeedAsync(live, "ann");
        ArmOf(during).ShouldStartWith("learned~short:");
        during.GetProperty("source").GetString().ShouldBe("own");
        during.ItemIds().Count.ShouldBe(ArmOf(during).EndsWith("three") ? 3 : 4);
        RequestId.TryParse(during.GetProperty("request_id").GetString(), out var arm, out _, out _).ShouldBeTrue();
        arm.ToString().ShouldBe(ArmOf(during));

        (await live.SendAsync(HttpMethod.Post, "/v1/experiments/short/kill")).Status.ShouldBe(200);
        var after = await FeedAsync(live, "ann");
        ArmOf(after).ShouldBe("learned");
        after.ItemIds().Count.ShouldBeGreaterThan(10);
        // The list of before the experiment is served, and renewed behind the look-up.
        var renewed = await live.UntilAsync(() => FeedAsync(live, "ann"), l => l.GetProperty("list_version").GetInt64() > before.GetProperty("list_version").GetInt64());
        ArmOf(renewed).ShouldBe("learned");
    }

    [Fact]
    public async Task Credit_stays_with_the_arm_that_showed_the_item()
    {
        await using var live = await StartAsync();
        await live.FeedAfterAsync("ann", """{"type":"click","user":"ann","item":"i1"}""");
        await PutAsync(live, Short, "\"0\"");
        var shown = await FeedAsync(live, "ann");
        var (request, item) = (shown.GetProperty("request_id").GetString(), shown.ItemIds()[0]);
        await live.EventAsync($$"""{"type":"impression","user":"ann","request_id":"{{request}}","items":["{{item}}"]}""");
        (await live.SendAsync(HttpMethod.Post, "/v1/experiments/short/stop")).Status.ShouldBe(200);
        var click = await live.EventAsync($$"""{"type":"click","user":"ann","item":"{{item}}","request_id":"{{request}}"}""");
        (await live.GetAsync($"/v1/feed/ann?after={click}&wait_ms=30000")).Json.GetProperty("arm").GetString().ShouldBe("learned");
        var examples = (await live.ReadTopicAsync(Core.Log.Topics.Examples)).Select(b => Core.Examples.ExampleCodec.Read(b)).Select(r => r.Example).OfType<Core.Examples.Example>();
        var labelled = examples.Single(e => e.ItemKey == Core.Ids.StableHash.Of(item) && e.Label > 0);
        labelled.Arm.ShouldBe(ArmOf(shown));
    }

    [Fact]
    public async Task A_tester_sees_any_arm_and_nobody_else_does()
    {
        await using var live = await StartAsync();
        await PutAsync(live, Short.Replace("running", "draft"), "\"0\"");
        var own = await live.FeedAfterAsync("tess", """{"type":"click","user":"tess","item":"i1"}""");
        ArmOf(own).ShouldBe("learned");
        foreach (var (wanted, length) in new[] { ("three", 3), ("four", 4) })
        {
            var forced = await FeedAsync(live, "tess", $"&arm=short:{wanted}");
            ArmOf(forced).ShouldBe($"learned~short:{wanted}");
            forced.GetProperty("source").GetString().ShouldBe("own");
            forced.ItemIds().Count.ShouldBe(length);
        }
        // The lists live side by side.
        ArmOf(await FeedAsync(live, "tess")).ShouldBe("learned");
        (await FeedAsync(live, "tess")).ItemIds().Count.ShouldBeGreaterThan(10);
        (await live.GetAsync("/v1/feed/bob?arm=short:three")).ShouldBeProblem(403, "bad-arm").ShouldContain("testers");
        (await live.GetAsync("/v1/feed/tess?arm=short:five")).ShouldBeProblem(400, "bad-arm").ShouldContain("there are learned, holdout, short:three, short:four");
        (await live.SendAsync(HttpMethod.Post, "/v1/experiments/short/kill")).Status.ShouldBe(200);
        (await live.GetAsync("/v1/feed/tess?arm=short:three")).ShouldBeProblem(403, "bad-arm").ShouldContain("killed");
    }

    [Fact]
    public async Task A_tester_sees_the_default_layers_arms_side_by_side()
    {
        await using var live = await StartAsync(LiveNode.SmallSettings with
        {
            Experiments = LiveNode.SmallSettings.Experiments with { ArmShares = new() { ["dpp"] = .5 } }, Feeds = LiveNode.SmallSettings.Feeds with { ExploreEvery = 0 },
        });
        await PutAsync(live, Short.Replace("running", "draft"), "\"0\"");
        await live.FeedAfterAsync("tess", """{"type":"click","user":"tess","item":"i1"}""");
        var lists = new Dictionary<string, IReadOnlyList<string>>();
        foreach (var wanted in (string[])["learned", "dpp", "holdout", "dpp,short:three"])
        {
            var forced = await FeedAsync(live, "tess", $"&arm={wanted}");
            ArmOf(forced).ShouldBe(wanted.Replace(',', '~'));
            forced.GetProperty("source").GetString().ShouldBe("own");
            lists[wanted] = forced.ItemIds();
            // Reasons are the arm's own: what is popular is there whatever the user did.
            var explained = (await live.GetAsync($"/v1/explain/tess?limit=3&arm={wanted}")).Json;
            explained.GetProperty("list").GetProperty("arm").GetString().ShouldBe(ArmOf(forced));
            explained.GetProperty("items").EnumerateArray().Select(i => i.GetProperty("item").GetString()).ShouldBe(lists[wanted].Take(3));
            (explained.GetProperty("items")[0].GetProperty("because").ValueKind == JsonValueKind.Object).ShouldBe(wanted != "holdout", wanted);
        }
        lists["dpp,short:three"].Count.ShouldBe(3);
        lists["learned"].ShouldNotBe(lists["holdout"]);
        // What the list has to have seen holds for another arm's as for the user's own.
        var second = await live.EventAsync("""{"type":"click","user":"tess","item":"i2"}""");
        var seen = await FeedAsync(live, "tess", $"&arm=dpp&after={second}&wait_ms=30000");
        (ArmOf(seen), seen.GetProperty("source").GetString()).ShouldBe(("dpp", "own"));
        seen.ItemIds().ShouldNotContain("i2");
        lists["dpp"].ShouldContain("i2");
        (await live.GetAsync("/v1/feed/tess?arm=dpp&after=0:999999999&wait_ms=0")).ShouldBeProblem(503, "not-yet");

        (await live.GetAsync("/v1/experiments/assignment?user=tess")).Json.GetProperty("choices").EnumerateArray().Select(c => c.GetString())
            .ShouldBe(["learned", "holdout", "dpp", "short:three", "short:four"]);
        (await live.GetAsync("/v1/feed/tess?arm=din")).ShouldBeProblem(400, "bad-arm").ShouldContain("there are learned, holdout, dpp, short:three");
        (await live.GetAsync("/v1/feed/bob?arm=dpp")).ShouldBeProblem(403, "bad-arm").ShouldContain("testers");
        (await live.GetAsync("/v1/explain/bob?arm=dpp")).ShouldBeProblem(403, "bad-arm");
        (await live.GetAsync("/v1/experiments/assignment?user=bob")).Json.GetProperty("choices").GetArrayLength().ShouldBe(0);
    }

    [Fact]
    public async Task Where_everybody_tests_anybody_sees_any_arm()
    {
        await using var live = await StartAsync(LiveNode.SmallSettings with { Experiments = LiveNode.SmallSettings.Experiments with { EverybodyTests = true } });
        await live.FeedAfterAsync("bob", """{"type":"click","user":"bob","item":"i1"}""");
        var forced = await FeedAsync(live, "bob", "&arm=holdout");
        (ArmOf(forced), forced.GetProperty("source").GetString()).ShouldBe(("holdout", "own"));
        (await live.GetAsync("/v1/feed/bob?arm=popular")).ShouldBeProblem(400, "bad-arm").ShouldContain("there are learned, holdout");
        (await live.GetAsync("/v1/explain/bob?arm=nobody:knows")).ShouldBeProblem(400, "bad-arm");
    }

    [Fact]
    public async Task Attributes_and_surfaces_target()
    {
        await using var live = await StartAsync();
        var target = Short.Replace("\"share\":1", """
            "share":1,"target":{"attributes":{"country":["de","at"]},"surfaces":["home"]}
            """.Trim());
        (await PutAsync(live, target, "\"0\"")).Answer.Status.ShouldBe(200);
        foreach (var (user, country) in new[] { ("ann", "de"), ("bob", "fr") })
        {
            (await live.PutAsync($"/v1/users/{user}", $$"""{"attributes":{"country":"{{country}}"} }""")).Status.ShouldBe(200);
            await live.FeedAfterAsync(user, $$"""{"type":"click","user":"{{user}}","item":"i1","surface":"home"}""", "home");
        }
        var home = await FeedAsync(live, "ann", "&surface=home");
        ArmOf(home).ShouldStartWith("learned~short:");
        home.GetProperty("source").GetString().ShouldBe("own");
        ArmOf(await FeedAsync(live, "ann")).ShouldBe("learned");
        ArmOf(await FeedAsync(live, "bob", "&surface=home")).ShouldBe("learned");
        (await live.GetAsync("/v1/experiments/assignment?user=ann&surface=home")).Json.GetProperty("arm").GetString().ShouldBe(ArmOf(home));
        // The attribute changes, and with it the arm.
        var position = (await live.PutAsync("/v1/users/ann", """{"attributes":{"country":"fr"}}""")).Json.GetProperty("results")[0].GetProperty("position").GetString();
        (await live.GetAsync($"/v1/feed/ann?surface=home&after={position}&wait_ms=30000")).Status.ShouldBeOneOf(200, 503);
        await live.UntilAsync(() => FeedAsync(live, "ann", "&surface=home"), l => ArmOf(l) == "learned");
    }

    [Fact]
    public async Task Changes_are_checked_versioned_and_audited_and_outlive_the_node()
    {
        var folder = Directory.CreateTempSubdirectory("streaming-test-");
        try
        {
            string arm;
            await using (var live = await StartAsync(folder: folder.FullName))
            {
                (await live.GetAsync("/v1/experiments")).Json.GetProperty("version").GetInt64().ShouldBe(0);
                (await live.PutAsync("/v1/experiments", Short)).ShouldBeProblem(428, "if-match-required");
                (await PutAsync(live, Short, "\"7\"")).Answer.ShouldBeProblem(412, "changed-meanwhile");
                (await PutAsync(live, Short, "W/what")).Answer.ShouldBeProblem(400, "bad-if-match");
                (await PutAsync(live, "{", "\"0\"")).Answer.ShouldBeProblem(400, "bad-experiments");
                var wrong = (await PutAsync(live, Short.Replace("three", "v1.2").Replace("ListLength\":4", "ListLengt\":4"), "\"0\"")).Answer.ShouldBeProblem(400, "bad-experiments");
                wrong.ShouldContain("no dot");
                wrong.ShouldContain("did you mean 'Feeds:ListLength'");
                (await PutAsync(live, Short, "\"0\"", "Jörg")).Answer.Status.ShouldBe(200);
                (await PutAsync(live, Short, "\"0\"")).Answer.ShouldBeProblem(412);
                (await live.SendAsync(HttpMethod.Post, "/v1/experiments/none/stop")).ShouldBeProblem(404);
                (await live.SendAsync(HttpMethod.Post, "/v1/experiments/short/ramp?share=2")).ShouldBeProblem(400).ShouldContain("share");
                (await live.SendAsync(HttpMethod.Post, "/v1/experiments/short/dance")).ShouldBeProblem(400);
                (await live.SendAsync(HttpMethod.Post, "/v1/experiments/short/ramp?share=0.5")).Json.GetProperty("buckets").GetProperty("length").GetProperty("short:three").GetInt32().ShouldBe(250);
                // A text without state and share changes neither.
                (await PutAsync(live, Short.Replace("\"state\":\"running\",\"share\":1,", "\"description\":\"shorter is better\","), "\"2\"")).Answer.Json
                    .GetProperty("definitions").GetProperty("experiments")[0].GetProperty("state").GetString().ShouldBe("running");
                await ShouldHaveAuditAsync(live);
                arm = live.Node.Splitter.ArmOf("user-17");
                await live.StopAsync();
            }
            await using (var live = await LiveNode.StartAsync(folder: folder.FullName))
            {
                live.Node.Restored.ShouldNotBeNull();
                live.Node.Splitter.ArmOf("user-17").ShouldBe(arm);
                await ShouldHaveAuditAsync(live);
            }
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static async Task ShouldHaveAuditAsync(LiveNode live)
    {
        var entries = (await live.GetAsync("/v1/experiments/audit")).Json.GetProperty("entries").EnumerateArray().ToList();
        entries.Select(e => e.GetProperty("version").GetInt64()).ShouldBe([3, 2, 1]);
        entries[2].GetProperty("changed_by").GetString().ShouldBe("Jörg");
        entries[1].GetProperty("changes")[0].GetString().ShouldBe("experiment short: share 1 -> 0.5");
        entries.ShouldAllBe(e => e.GetProperty("in_force").GetBoolean());
        (await live.GetAsync("/v1/experiments/audit?limit=1")).Json.GetProperty("entries").GetArrayLength().ShouldBe(1);
    }

    [Fact]
    public async Task Two_writers_who_saw_the_same_version_do_not_both_win()
    {
        await using var live = await StartAsync();
        var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(i => PutAsync(live, Short.Replace("tess", $"tester-{i}"), "\"0\"")));
        answers.Count(a => a.Answer.Status == 200).ShouldBe(1);
        answers.Count(a => a.Answer.Status == 412).ShouldBe(7);
        // A record that another node appended on the same version is passed over by all.
        var late = live.Node.Experiments.Current with { ChangedBy = "late" };
        await live.Log.AppendAsync(Core.Log.Topics.Experiments, new[] { new Core.Log.LogEntry("1"u8.ToArray(), ExperimentsJson.Write(late), 1, 0) });
        (await live.SendAsync(HttpMethod.Post, "/v1/experiments/short/stop")).Status.ShouldBe(200);
        var audit = (await live.GetAsync("/v1/experiments/audit")).Json.GetProperty("entries").EnumerateArray().Select(e => (e.GetProperty("version").GetInt64(), e.GetProperty("in_force").GetBoolean()));
        audit.ShouldBe([(2, true), (1, false), (1, true)]);
    }

    [Fact]
    public async Task A_file_defines_them_where_nothing_is_yet()
    {
        var folder = Directory.CreateTempSubdirectory("streaming-test-");
        try
        {
            var file = Path.Combine(folder.FullName, "experiments.json");
            await File.WriteAllTextAsync(file, Short);
            var settings = LiveNode.SmallSettings with { Experiments = LiveNode.SmallSettings.Experiments with { File = file } };
            await using (var live = await LiveNode.StartAsync(settings, Path.Combine(folder.FullName, "data")))
            {
                live.Node.Splitter.ArmOf("u").ShouldStartWith("learned~short:");
                (await live.SendAsync(HttpMethod.Post, "/v1/experiments/short/stop")).Status.ShouldBe(200);
                await live.StopAsync();
            }
            // What was stopped stays stopped, whatever the file says.
            await using (var live = await LiveNode.StartAsync(settings, Path.Combine(folder.FullName, "data"))) live.Node.Splitter.ArmOf("u").ShouldBe("learned");
            await File.WriteAllTextAsync(file, Short.Replace("\"layer\":\"length\"", "\"layer\":\"width\""));
            (await Should.ThrowAsync<InvalidDataException>(() => LiveNode.StartAsync(settings, Path.Combine(folder.FullName, "other")))).Message.ShouldContain("no layer");
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task Arms_are_counted_in_the_metrics()
    {
        await using var live = await StartAsync();
        var name = $"metrics-{Environment.ProcessId % 1000}";
        (await PutAsync(live, Short.Replace("\"short\"", $"\"{name}\""), "\"0\"")).Answer.Status.ShouldBe(200);
        var list = await live.FeedAfterAsync("ann", """{"type":"click","user":"ann","item":"i1"}""");
        var (request, item, arm) = (list.GetProperty("request_id").GetString(), list.ItemIds()[0], ArmOf(list).Split(':')[^1]);
        await live.EventAsync($$"""{"type":"impression","user":"ann","request_id":"{{request}}","items":["{{item}}"]}""");
        await live.FeedAfterAsync("ann", $$"""{"type":"click","user":"ann","item":"{{item}}","request_id":"{{request}}"}""");
        await live.UntilAsync(
            async () => (await live.GetAsync("/metrics")).Text,
            text => new[] { "served", "impressions", "clicks", "examples", "positives" }.All(m => text.Split('\n').Any(
                l => l.StartsWith($"streaming_arm_{m}_total{{", StringComparison.Ordinal) && l.Contains($"experiment=\"{name}\"") && l.Contains($"arm=\"{arm}\""))));
    }
}

/// <summary>Calls with headers of their own.</summary>
internal static class ExperimentCalls
{
    public static async Task<(Answer Answer, string? Tag)> PutAsync(LiveNode live, string definitions, string basedOn, string author)
    {
        using var request = new HttpRequestMessage(HttpMethod.Put, "/v1/experiments") { Content = new ByteArrayContent(Encoding.UTF8.GetBytes(definitions)) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        request.Headers.TryAddWithoutValidation("If-Match", basedOn);
        request.Headers.Add("X-Streaming-Author", Uri.EscapeDataString(author));
        using var response = await live.Http.SendAsync(request);
        var answer = new Answer((int)response.StatusCode, response.Content.Headers.ContentType?.MediaType, null, await response.Content.ReadAsByteArrayAsync());
        if (answer.Status != 202) return (answer, response.Headers.ETag?.Tag);
        // Durable, and a busy node has not come to it within ten seconds: it answers the same once it has.
        var inForce = await live.UntilAsync(() => live.GetAsync("/v1/experiments"), a => $"\"{a.Json.GetProperty("version").GetInt64() - 1}\"" == basedOn);
        return (inForce, $"\"{inForce.Json.GetProperty("version").GetInt64()}\"");
    }
}
