using System.Diagnostics;
using System.Text.Json;
using Streaming.Core.Feeds;
using Streaming.Host.Tests.Fixtures;
using Streaming.Suites;

namespace Streaming.Host.Tests.Cli;

public sealed class VerbTests
{
    [Fact]
    public async Task Help_lists_the_verbs_with_examples_and_exit_codes()
    {
        var (code, help) = await RunAsync("--help");
        using var _ = help;
        code.ShouldBe(0);
        foreach (var verb in new[]
        {
            "demo", "node", "ab", "replay", "evaluate", "compare", "ledger", "data", "freshness-curve", "bench", "soak", "chaos", "fuzz", "backup", "restore", "validate", "explain-at", "completion",
        }) help.Stdout.ShouldMatch($@"(?m)^  {verb}\b");
        help.Stdout.ShouldContain("./run node --listen 127.0.0.1:8080");
        help.Stdout.ShouldContain("Exit codes: 0 done, 1 failed");
    }

    [Fact]
    public async Task Help_of_a_verb_lists_its_options()
    {
        var (code, help) = await RunAsync("node", "--help");
        using var _ = help;
        code.ShouldBe(0);
        foreach (var option in new[] { "--settings <FILE>", "--set <KEY=VALUE>", "--data-dir <DIR>", "--kafka <HOST:PORT>", "--listen <IP:PORT>", "--json" })
            help.Stdout.ShouldContain(option);
    }

    /// <summary>The script, in a shell that asks it as Tab would.</summary>
    [CommandsFact("bash")]
    public async Task Tab_completes()
    {
        var (code, script) = await RunAsync("completion", "bash");
        using var _ = script;
        code.ShouldBe(0, script.Stderr);
        foreach (var (line, wanted) in new[]
                 {
                     ("./run expl", "explain-at"), ("./run bench ab-gu", "ab-guardrail"), ("./run node --lis", "--listen"), ("./run node --set Users:HistoryM", "HistoryMax="),
                     ("./run node --set Users:", "HistoryMax="), ("./run evaluate --data ml-1", "ml-100k"),
                     ("./run evaluate --protocol leave-one-out-a", "leave-one-out-all-items"), ("./run evaluate --model sasr", "sasrec"),
                 })
        {
            var asked = $"{script.Stdout}\nCOMP_LINE='{line}' COMP_POINT={line.Length} COMP_WORDS=({line}) COMP_CWORD=1; _streaming_complete; printf '%s\\n' \"${{COMPREPLY[@]}}\"";
            using var bash = Process.Start(new ProcessStartInfo("bash", ["-c", asked]) { RedirectStandardOutput = true })!;
            var found = (await bash.StandardOutput.ReadToEndAsync()).Split('\n', StringSplitOptions.RemoveEmptyEntries);
            found.ShouldContain(wanted, $"{line}: {string.Join(' ', found)}");
            found.ShouldNotContain("demo");
        }
    }

    [Theory]
    [InlineData("fly")]
    [InlineData("node", "--wings")]
    [InlineData("replay")]
    [InlineData("bench", "ftrl", "--examples", "many")]
    [InlineData("evaluate")]
    [InlineData("evaluate", "--seeds", "many")]
    [InlineData("compare", "--protocol", "no-such-protocol")]
    [InlineData("ledger", "--check", "--readme", "/nowhere/README.md")]
    [InlineData("data", "no-such-set")]
    [InlineData("freshness-curve", "--data", "no-such-set")]
    [InlineData("freshness-curve", "--data", "simulator", "--model", "transitions")]
    [InlineData("data", "check")]
    [InlineData("data", "check", "/nowhere")]
    [InlineData("ab", "list", "--url", "http://127.0.0.1:1")]
    [InlineData("ab", "define", "/nowhere.json")]
    public async Task What_is_no_command_is_said_and_fails(params string[] arguments)
    {
        var (code, process) = await RunAsync(arguments);
        using var _ = process;
        code.ShouldNotBe(0);
        process.Stderr.ShouldNotBeEmpty();
        process.Stderr.ShouldNotContain("   at ");
    }

    [Fact]
    public async Task Validate_finds_sound_settings_and_records_sound()
    {
        using var folder = new TemporaryFolder();
        var settings = folder.Write("good.json", """{ "Users": { "HistoryMax": 10 } }""");
        var events = folder.Write("good.jsonl", "{\"type\":\"click\",\"user\":\"u\",\"item\":\"i\"}\n{\"type\":\"search\",\"user\":\"u\",\"query\":\"q\"}\n");
        var (code, process) = await RunAsync("validate", "--json", "--settings", settings, "--set", "Users:PendingMax=10", events);
        using var _ = process;
        code.ShouldBe(0, process.Stderr);
        process.Json.GetProperty("ok").GetBoolean().ShouldBeTrue();
        process.Json.GetProperty("records").GetInt64().ShouldBe(2);
        process.Json.GetProperty("malformed").GetInt64().ShouldBe(0);
    }

    [Fact]
    public async Task Validate_names_every_bad_setting()
    {
        using var folder = new TemporaryFolder();
        var settings = folder.Write("bad.json", """{ "Users": { "HistoryMx": 10 }, "Log": { "Partitions": 0 } }""");
        var (code, process) = await RunAsync("validate", "--json", "--settings", settings);
        using var _ = process;
        code.ShouldBe(1);
        process.Stderr.ShouldContain("Users:HistoryMx: there is no such setting; did you mean 'HistoryMax'?");
        process.Stderr.ShouldContain("Log:Partitions: is 0; allowed is 1 to 4096");
        process.Stdout.ShouldBeEmpty();
    }

    [Fact]
    public async Task Validate_names_every_bad_record()
    {
        using var folder = new TemporaryFolder();
        var events = folder.Write("bad.jsonl", "{\"type\":\"click\",\"user\":\"u\",\"item\":\"i\"}\n{\"type\":\"click\",\"user\":\"u\"}\nnonsense\n");
        var (code, process) = await RunAsync("validate", "--json", events);
        using var _ = process;
        code.ShouldBe(1);
        process.Stderr.ShouldContain($"{events}: record 2: item is missing; click needs one");
        process.Stderr.ShouldContain($"{events}: record 3: the record is not valid JSON");
        process.Json.GetProperty("ok").GetBoolean().ShouldBeFalse();
        process.Json.GetProperty("malformed").GetInt64().ShouldBe(2);
    }

    [Fact]
    public async Task The_demo_ends_with_its_figures()
    {
        // On a busy machine the first seconds may end before the first event.
        JsonElement figures = default;
        foreach (var seconds in (string[])["5", "30", "120"])
        {
            var (code, process) = await RunAsync("demo", "--seconds", seconds, "--json");
            using var _ = process;
            code.ShouldBe(0, process.Stderr);
            figures = process.Json;
            if (figures.GetProperty("events").GetInt64() > 0) break;
        }
        foreach (var name in new[]
                 {
                     "events", "events_per_s", "examples", "auc", "logloss", "ctr_learned", "ctr_holdout", "click_to_list_ms_p50", "click_to_list_ms_p99",
                     "dead_letters", "lost", "peak_rss_mb", "seed", "hardware",
                 })
            figures.TryGetProperty(name, out _).ShouldBeTrue(name);
        figures.GetProperty("events").GetInt64().ShouldBeGreaterThan(0);
        figures.GetProperty("lost").GetInt64().ShouldBe(0);
        figures.GetProperty("dead_letters").GetInt64().ShouldBe(0);
    }

    [Fact]
    public async Task A_benchmark_says_what_it_counts()
    {
        var (code, process) = await RunAsync("bench", "ftrl", "--examples", "200000", "--json");
        using var _ = process;
        code.ShouldBe(0, process.Stderr);
        process.Json.GetProperty("examples").GetInt64().ShouldBe(200_000);
        process.Json.GetProperty("features").GetInt32().ShouldBe(20);
        process.Json.GetProperty("examples_per_s").GetDouble().ShouldBeGreaterThan(0);
        process.Json.GetProperty("counts").GetString().ShouldNotBeNullOrEmpty();
        process.Json.GetProperty("hardware").GetString()!.ShouldContain("cores");
    }

    [Fact]
    public async Task Recall_is_measured_channel_by_channel()
    {
        string[] model = new TorchFactAttribute().Skip is null ? ["--model", "two_tower", "--model", "mind"] : ["--no-models"];
        var (code, process) = await RunAsync(["bench", "recall", "--sizes", "300,600", "--calls", "100", .. model, "--json"]);
        using var _ = process;
        code.ShouldBe(0, process.Stderr);
        var points = process.Json.GetProperty("points").EnumerateArray().ToList();
        points.Select(p => p.GetProperty("items").GetInt32()).ShouldBe([300, 600]);
        foreach (var channels in points.Select(p => p.GetProperty("channels")))
        {
            channels.EnumerateObject().Select(c => c.Name).ShouldBe(FeedChannels.All.Where(c => !FeedChannels.Retrieval.Contains(c) || model.Contains(c)));
            foreach (var (name, figures) in channels.EnumerateObject().Select(c => (c.Name, c.Value)))
            {
                figures.GetProperty("found").GetDouble().ShouldBeGreaterThan(0, name);
                figures.GetProperty("p99_us").GetDouble().ShouldBeGreaterThanOrEqualTo(figures.GetProperty("p50_us").GetDouble(), name);
            }
        }
        var (refused, told) = await RunAsync("bench", "recall", "--sizes", "5");
        using var __ = told;
        refused.ShouldBe(1);
        told.Stderr.ShouldContain("--sizes holds '5'");
    }

    [Fact]
    public async Task A_freshness_curve_ends_with_its_points_and_draws_them()
    {
        using var folder = new TemporaryFolder();
        var picture = Path.Combine(folder.Path, "curve.svg");
        var (code, process) = await RunAsync("freshness-curve", "--data", "simulator", "--seeds", "2", "--hours", "1", "--svg", picture, "--json");
        using var _ = process;
        code.ShouldBe(0, process.Stderr);
        var points = process.Json.GetProperty("points").EnumerateArray().ToList();
        points.Select(p => p.GetProperty("interval").GetString()).ShouldBe(["never", "5 h", "1 h", "30 min", "1 min", "1 s", "every example"]);
        foreach (var metric in new[] { "auc", "logloss", "ctr", "regret" })
        {
            process.Json.TryGetProperty("monotone_" + metric, out var __).ShouldBeTrue(metric);
            points.ShouldAllBe(p => p.GetProperty(metric + "_low").GetDouble() <= p.GetProperty(metric).GetDouble());
        }
        (await File.ReadAllTextAsync(picture)).ShouldStartWith("<svg");
    }

    [Fact]
    public async Task A_replay_of_event_lines_ends_with_its_figures()
    {
        using var folder = new TemporaryFolder();
        var lines = Enumerable.Range(0, 300).Select(i => $$"""{"type":"{{(i % 3 == 0 ? "click" : "impression")}}","user":"u{{i % 7}}","item":"i{{i % 11}}","time":{{1_700_000_000_000 + i * 1000}}}""");
        var events = folder.Write("events.jsonl", string.Join('\n', lines) + "\nnonsense\n");
        var (code, process) = await RunAsync("replay", events, "--json");
        using var _ = process;
        code.ShouldBe(0, process.Stderr);
        process.Json.GetProperty("records").GetInt64().ShouldBe(301);
        process.Json.GetProperty("events").GetInt64().ShouldBe(300);
        process.Json.GetProperty("dead_letters").GetInt64().ShouldBe(1);
        process.Json.GetProperty("lost").GetInt64().ShouldBe(0);
        var (_, plain) = await RunAsync("replay", events);
        using var __ = plain;
        plain.Stdout.ShouldContain("Replay");
        plain.Stdout.ShouldNotContain("\u001b", Case.Sensitive, "colours are for terminals");
        plain.Stdout.ShouldNotContain("%", Case.Sensitive, "and so are bars");
    }

    [Fact]
    public async Task A_replay_names_the_line_of_a_table_that_it_cannot_read()
    {
        using var folder = new TemporaryFolder();
        var table = folder.Write("log.csv", "who,what,when\na,b,1700000000\na,c,soon\n");
        var (code, process) = await RunAsync("replay", table, "--columns", "user=who,item=what,time=when");
        using var _ = process;
        code.ShouldBe(1);
        process.Stderr.ShouldContain($"streaming: {table}:3: time is 'soon', expected a number or an ISO 8601 date and time");
    }

    [CommandsFact("env")]
    public async Task Ctrl_C_ends_a_verb_with_130()
    {
        using var folder = new TemporaryFolder();
        var events = folder.Write("long.jsonl", string.Join('\n', Enumerable.Range(0, 300_000).Select(i => $$"""{"type":"click","user":"u{{i % 999}}","item":"i{{i % 333}}"}""")));
        var data = Path.Combine(folder.Path, "data");
        // An event a round: it is far from done.
        using var replay = StreamingProcess.StartInForeground("replay", events, "--round", "1", "--data-dir", data, "--json");
        using var patience = new CancellationTokenSource(TimeSpan.FromMinutes(5));
        while (!Directory.Exists(Path.Combine(data, "log")) && !replay.HasExited) await Task.Delay(10, patience.Token);
        replay.Interrupt();
        (await replay.ExitAsync()).ShouldBe(130, replay.Stderr);
        // Said by the verb itself, which was not just killed.
        replay.Stderr.ShouldContain("interrupted");
        replay.Stdout.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("replay")]
    [InlineData("validate")]
    public async Task A_known_set_that_is_absent_says_where_to_get_it(string verb)
    {
        using var folder = new TemporaryFolder();
        var (code, process) = await RunAsync(verb, "ml-1m", "--data-root", folder.Path);
        using var _ = process;
        code.ShouldBe(1);
        process.Stderr.ShouldContain("https://files.grouplens.org/datasets/movielens/ml-1m.zip");
    }

    private static Task<(int Code, StreamingProcess Process)> RunAsync(params string[] arguments) => StreamingProcess.RunAsync(arguments);
}

/// <summary>A folder that goes with the test.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("streaming-test-");

    public string Path => _folder.FullName;

    public string Write(string name, string text)
    {
        var file = System.IO.Path.Combine(Path, name);
        File.WriteAllText(file, text);
        return file;
    }

    public void Dispose() => _folder.Delete(recursive: true);
}
