using Streaming.Core.Settings;
using Streaming.Evaluation.Protocols;
using Streaming.Host.Tests.Fixtures;

namespace Streaming.Host.Tests.Cli;

/// <summary>What an experiment shows, over HTTP and for people; and how many users it takes.</summary>
[Collection(ConsoleTests.Name)]
public sealed class AbReportTests
{
    private const int Users = 300;

    private static readonly StreamingSettings Half = LiveNode.SmallSettings with { Experiments = new ExperimentsSettings { HoldoutShare = 0.5 } };

    [Fact]
    public async Task A_report_is_asked_of_a_node_and_read_from_the_log_of_one_that_stopped()
    {
        var folder = Directory.CreateTempSubdirectory("streaming-report-");
        try
        {
            await using (var live = await LiveNode.StartAsync(Half, folder.FullName))
            {
                await BrowseAsync(live);
                var answer = await live.UntilAsync(() => live.GetAsync("/v1/experiments/default/report"), IsWhole);
                var report = answer.Json;
                report.GetProperty("control").GetString().ShouldBe("learned");
                report.GetProperty("sample_ratio").GetProperty("is_mismatch").GetBoolean().ShouldBeFalse();
                var ctr = report.GetProperty("metrics")[0];
                (ctr.GetProperty("metric").GetString(), ctr.GetProperty("verdict").GetString()).ShouldBe(("ctr", "worse"));
                ctr.GetProperty("interval")[1].GetDouble().ShouldBeLessThan(0);
                (await live.GetAsync("/v1/experiments/none/report")).ShouldBeProblem(404, "unknown-experiment");

                var url = live.Address.ToString();
                var words = await RunAsync("ab", "report", "--url", url);
                words.Code.ShouldBe(0, words.Stderr);
                words.Stdout.ShouldContain("holdout is worse than learned in ctr");
                words.Stdout.ShouldContain("Split of the users: as planned");
                (await RunAsync("ab", "report", "--url", url, "--json")).Json.GetProperty("metrics").GetArrayLength().ShouldBe(9);
                (await RunAsync("ab", "report", "none", "--url", url)).Stderr.ShouldContain("no figures of an experiment 'none'");
            }
            string[] offline = ["ab", "report", "--offline", "--json", "--set", "Log:Partitions=2", "--set", "Experiments:HoldoutShare=0.5", "--data-dir"];
            var after = await RunAsync([.. offline, folder.FullName]);
            after.Code.ShouldBe(0, after.Stderr);
            after.Json.GetProperty("arms").EnumerateArray().Sum(a => a.GetProperty("users").GetInt64()).ShouldBe(Users);
            // Added up anew, without what the node had saved, it is the same.
            Directory.Delete(Path.Combine(folder.FullName, "experiments"), recursive: true);
            (await RunAsync([.. offline, folder.FullName])).Stdout.ShouldBe(after.Stdout);
            Directory.Exists(Path.Combine(folder.FullName, "experiments")).ShouldBeFalse("a report writes nothing");
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task A_ranking_is_judged_from_the_log_before_it_sees_a_user()
    {
        const int users = 20;
        var folder = Directory.CreateTempSubdirectory("streaming-estimate-");
        try
        {
            var settings = LiveNode.SmallSettings;
            settings = settings with
            {
                Feeds = settings.Feeds with { SlateShare = 1, SlateCandidatesMax = 4, ExploreEvery = 0 },
                Users = settings.Users with { AttributionWindowMs = 200, LateWindowMs = 0 },
            };
            await using (var live = await LiveNode.StartAsync(settings, folder.FullName))
            {
                await live.PostLinesAsync("/v1/events", "abcdefgh".Select(i => $$"""{"type":"click","user":"first","item":"{{i}}"}"""));
                for (var u = 0; u < users; u++)
                {
                    var list = await live.FeedAfterAsync($"u{u}", $$"""{"type":"click","user":"u{{u}}","item":"h"}""");
                    var shown = list.ItemIds().Take(3).ToList();
                    await live.EventAsync($$"""{"type":"impression","user":"u{{u}}","items":["{{string.Join("\",\"", shown)}}"],"request_id":"{{list.GetProperty("request_id").GetString()}}"}""");
                    await live.EventAsync($$"""{"type":"click","user":"u{{u}}","item":"{{shown[0]}}","request_id":"{{list.GetProperty("request_id").GetString()}}"}""");
                }
                // The clicks on what no list had shown, those on lists, and the negatives once their window has ended.
                await live.UntilAsync(() => Task.FromResult(live.Node.Status().Examples), examples => examples >= 8 + users + 3 * users);
            }
            string[] estimate = ["ab", "estimate", "learned", "popular", "--set", "Log:Partitions=2", "--set", "Users:AttributionWindowMs=200", "--set", "Users:LateWindowMs=0", "--data-dir", folder.FullName];
            var found = await RunAsync([.. estimate, "--json"]);
            found.Code.ShouldBe(0, found.Stderr);
            (found.Json.GetProperty("slots").GetInt32() + found.Json.GetProperty("open").GetInt32()).ShouldBe(3 * users);
            found.Json.GetProperty("unmatched").GetInt32().ShouldBe(0);
            // One click on three slots.
            found.Json.GetProperty("logged")[0].GetDouble().ShouldBe(1 / 3.0, 0.05);
            found.Json.GetProperty("models").EnumerateArray().Select(m => m.GetProperty("model").GetString()).ShouldBe(["learned", "popular"]);
            (await RunAsync(estimate)).Stdout.ShouldContain("drawn at random, shown and labelled");
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Theory]
    [InlineData("there is no ranking 'lerned'", "ab", "estimate", "lerned")]
    [InlineData("recall channel", "ab", "estimate", "two_tower")]
    [InlineData("there is no log in", "ab", "estimate", "--data-dir", "/nowhere")]
    [InlineData("--runs is 1", "bench", "ab-estimate", "--runs", "1")]
    [InlineData("--runs is 1", "bench", "ab-guardrail", "--runs", "1")]
    [InlineData("no node answers", "ab", "report", "--url", "http://127.0.0.1:1")]
    [InlineData("there is no log in", "ab", "report", "--offline", "--data-dir", "/nowhere")]
    [InlineData("give --mde", "ab", "power", "--baseline", "0.05")]
    [InlineData("--baseline is 0", "ab", "power", "--baseline", "0", "--mde", "0.03")]
    [InlineData("--deviation", "ab", "power", "--baseline", "12", "--mde", "0.03")]
    [InlineData("--treatment-share", "ab", "power", "--baseline", "0.05", "--mde", "0.03", "--treatments", "2")]
    [InlineData("--runs is 1", "bench", "ab-aa", "--runs", "1")]
    public async Task What_cannot_be_done_is_said(string said, params string[] arguments)
    {
        var run = await RunAsync(arguments);
        run.Code.ShouldBe(1);
        run.Stderr.ShouldContain(said);
    }

    [Fact]
    public async Task Power_goes_both_ways()
    {
        var there = (await RunAsync("ab", "power", "--baseline", "0.05", "--mde", "0.1", "--users-per-day", "10000", "--json")).Json;
        there.GetProperty("users").GetDouble().ShouldBe(59_652);
        there.GetProperty("days").GetDouble().ShouldBe(6);
        there.GetProperty("users_sequential").GetDouble().ShouldBe(115_601);
        var back = (await RunAsync("ab", "power", "--baseline", "0.05", "--days", "6", "--users-per-day", "9942", "--json")).Json;
        back.GetProperty("mde_found").GetDouble().ShouldBe(0.1, 1e-5);
        var words = await RunAsync("ab", "power", "--baseline", "0.05", "--mde", "0.1");
        words.Stdout.ShouldContain("59,652 users if you look once");
    }

    [Fact]
    public async Task A_small_study_of_the_statistics_ends_with_its_figures()
    {
        var run = await RunAsync("bench", "ab-aa", "--runs", "10", "--users", "400", "--pool", "400", "--pages", "6", "--json");
        // So few runs judge nothing; that all figures are there is what is looked at.
        foreach (var name in (string[])["aa_ctr_fixed", "aa_ctr_naive", "aa_ctr_sequential", "power_observed_cuped", "sample_ratio_lost_5pc_of_40000", "broken"])
            run.Json.TryGetProperty(name, out _).ShouldBeTrue(name);
    }

    private static bool IsWhole(Answer answer) =>
        answer.Status == 200 && answer.Json.GetProperty("arms").EnumerateArray().Sum(a => a.GetProperty("users").GetInt64()) == Users
        && answer.Json.GetProperty("metrics")[0].GetProperty("p_value").ValueKind != System.Text.Json.JsonValueKind.Null;

    private static async Task BrowseAsync(LiveNode live)
    {
        List<string> events = [];
        for (var u = 0; u < Users; u++)
        {
            var arm = live.Node.Splitter.ArmOf($"u{u}");
            var id = $"{arm}.0.{u:x}";
            events.Add($$"""{"type":"impression","user":"u{{u}}","items":["a","b","c","d","e","f"],"request_id":"{{id}}"}""");
            for (var c = 0; c < (arm == "learned" ? 3 : 1) + u % 2; c++) events.Add($$"""{"type":"click","user":"u{{u}}","item":"{{"abcdef"[c]}}","request_id":"{{id}}"}""");
        }
        (await live.PostLinesAsync("/v1/events", events)).Status.ShouldBe(200);
    }

    private static Task<CliRun> RunAsync(params string[] arguments) => CliRun.RunAsync(ProtocolRegistry.Known, arguments);
}
