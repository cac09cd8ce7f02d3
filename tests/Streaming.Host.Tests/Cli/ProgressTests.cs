using System.Text.RegularExpressions;
using Streaming.Host.Tests.Fixtures;

namespace Streaming.Host.Tests.Cli;

/// <summary>Verbs that take long show how far they are on a terminal, and nowhere else.</summary>
public sealed partial class ProgressTests
{
    [CommandsTheory("script")]
    [InlineData("FTRL", "bench", "ftrl", "--examples", "500000")]
    [InlineData("assigning", "bench", "ab-assign", "--users", "200000", "--p-min", "0")]
    [InlineData("8 curves", "bench", "frequency", "--items", "50", "--steps", "100")]
    [InlineData("2 x 1 runs", "bench", "ab-isolation", "--examples", "2000", "--seeds", "1")]
    [InlineData("rebalancing", "bench", "rebalance", "--shards", "50", "--nodes", "5")]
    public Task A_benchmark_has_a_bar(string title, params string[] arguments) => HasBarAsync(title, arguments);

    [CommandsFact("script")]
    public async Task Whatever_reads_files_or_a_log_has_a_bar()
    {
        using var folder = new TemporaryFolder();
        var events = folder.Write("some.jsonl", string.Join('\n', Enumerable.Range(0, 500).Select(i => $$"""{"type":"click","user":"u{{i % 7}}","item":"i{{i % 11}}"}""")));
        string At(string name) => Path.Combine(folder.Path, name);
        await HasBarAsync("some.jsonl", "validate", events);
        var (code, replay) = await StreamingProcess.RunAsync("replay", events, "--data-dir", At("data"), "--json");
        using var _ = replay;
        code.ShouldBe(0, replay.Stderr);
        await HasBarAsync("backing up", piped => ["backup", At(piped ? "piped" : "copy"), "--data-dir", At("data")]);
        await HasBarAsync("verifying", "backup", At("copy"), "--verify");
        await HasBarAsync("restoring", piped => ["restore", At("copy"), "--data-dir", At(piped ? "again" : "new")]);
        await HasBarAsync("reading the log", piped => ["ab", "report", "--offline", "--data-dir", At(piped ? "again" : "new")]);
    }

    [CommandsFact("script")]
    public async Task The_demo_redraws_itself_on_a_terminal_alone()
    {
        var running = StreamingProcess.RunAsync("demo", "--seconds", "3");
        var (code, terminal) = await StreamingProcess.RunOnTerminalAsync("demo", "--seconds", "3");
        using var _ = terminal;
        code.ShouldBe(0, terminal.Stdout);
        terminal.Stdout.ShouldContain("CTR now");
        var (pipedCode, piped) = await running;
        using var __ = piped;
        pipedCode.ShouldBe(0, piped.Stderr);
        piped.Stdout.ShouldStartWith("live feed: http://127.0.0.1:");
        piped.Stdout.ShouldContain("click to list p99");
        piped.Stdout.ShouldNotContain("CTR now");
        piped.Stdout.ShouldNotContain("\u001b");
    }

    private static Task HasBarAsync(string title, params string[] arguments) => HasBarAsync(title, _ => arguments);

    private static async Task HasBarAsync(string title, Func<bool, string[]> arguments)
    {
        var running = StreamingProcess.RunAsync(arguments(true));
        var (code, terminal) = await StreamingProcess.RunOnTerminalAsync(arguments(false));
        using var _ = terminal;
        code.ShouldBe(0, terminal.Stdout);
        Escapes().Replace(terminal.Stdout, "").ShouldMatch($@"{Regex.Escape(title)}\s.*\d+%");
        var (pipedCode, piped) = await running;
        using var __ = piped;
        pipedCode.ShouldBe(0, piped.Stderr);
        piped.Stdout.ShouldNotBeEmpty();
        (piped.Stdout + piped.Stderr).ShouldNotContain("\u001b");
        (piped.Stdout + piped.Stderr).ShouldNotMatch($@"{Regex.Escape(title)}\s.*\d+%");
    }

    [GeneratedRegex(@"\x1b\[[0-9;?]*[A-Za-z]")]
    private static partial Regex Escapes();
}
