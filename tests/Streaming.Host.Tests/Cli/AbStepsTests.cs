using Streaming.Evaluation.Protocols;
using Streaming.Host.Tests.Fixtures;

namespace Streaming.Host.Tests.Cli;

/// <summary>An experiment's life by <c>ab</c>, verb by verb, against a running node.</summary>
[Collection(ConsoleTests.Name)]
public sealed class AbStepsTests
{
    private const string Definitions = """
        {
          "layers": [{ "name": "ranking" }, { "name": "look" }],
          "experiments": [
            { "name": "apart", "layer": "ranking", "isolated": true, "arms": [{ "name": "a" }, { "name": "b" }] },
            { "name": "plain", "layer": "look", "arms": [{ "name": "control" }, { "name": "flat", "settings": { "Feeds:MmrLambda": 1 } }] }
          ]
        }
        """;

    [Fact]
    public async Task From_its_definition_to_its_end()
    {
        using var folder = new TemporaryFolder();
        await using var live = await LiveNode.StartAsync();
        var url = live.Address.ToString();
        async Task<CliRun> AbAsync(params string[] arguments)
        {
            var run = await CliRun.RunAsync(ProtocolRegistry.Known, ["ab", .. arguments, "--url", url]);
            run.Code.ShouldBe(0, run.Stderr);
            return run;
        }
        async Task<string[]> ChangesAsync(params string[] arguments) =>
            [.. (await AbAsync([.. arguments, "--json"])).Json.GetProperty("changes").EnumerateArray().Select(c => c.GetString()!)];

        (await ChangesAsync("define", folder.Write("experiments.json", Definitions))).ShouldContain(c => c.StartsWith("experiment apart: added"));
        (await ChangesAsync("start", "apart", "0.2")).ShouldBe(["experiment apart: draft -> running, share 0 -> 0.2"]);
        (await ChangesAsync("start", "plain", "0.5")).ShouldBe(["experiment plain: draft -> running, share 0 -> 0.5"]);
        (await ChangesAsync("ramp", "apart", "0.6")).ShouldBe(["experiment apart: share 0.2 -> 0.6"]);

        var listed = (await AbAsync("list", "--json")).Json;
        listed.GetProperty("version").GetInt64().ShouldBe(4);
        listed.GetProperty("experiments").EnumerateArray().Select(e => $"{e.GetProperty("name")} {e.GetProperty("layer")} {e.GetProperty("state")} {e.GetProperty("share")} {e.GetProperty("arms")}")
            .ShouldBe(["apart ranking running 0.6 [\"a\",\"b\"]", "plain look running 0.5 [\"control\",\"flat\"]"]);
        var words = (await AbAsync("list")).Stdout;
        words.ShouldMatch(@"apart\s+│ ranking │ running │ 0\.6\s+│ a: \d+, b: \d+");
        words.ShouldContain("version 4, by ");

        var shown = (await AbAsync("show", "apart", "--json")).Json.GetProperty("experiments").EnumerateArray().ToList();
        shown.ShouldHaveSingleItem().GetProperty("name").GetString().ShouldBe("apart");
        // All of it is a file that can be defined again, and makes no new version.
        var all = await AbAsync("show");
        (await AbAsync("define", folder.Write("again.json", all.Stdout), "--json")).Json.GetProperty("version").GetInt64().ShouldBe(4);

        (await ChangesAsync("stop", "plain")).ShouldBe(["experiment plain: running -> stopped"]);
        (await ChangesAsync("promote", "apart", "b")).ShouldContain(c => c.Contains("promoted b"));
        (await AbAsync("list", "--json")).Json.GetProperty("experiments").EnumerateArray().Select(e => e.GetProperty("state").GetString()).ShouldBe(["stopped", "stopped"]);

        var refused = await CliRun.RunAsync(ProtocolRegistry.Known, "ab", "promote", "plain", "flat", "--url", url);
        refused.Code.ShouldBe(1);
        refused.Stderr.ShouldStartWith("streaming: ");
        refused.Stderr.ShouldNotContain("   at ");
        (await CliRun.RunAsync(ProtocolRegistry.Known, "ab", "show", "none", "--url", url)).Stderr.ShouldContain("there is no experiment 'none'");
    }
}
