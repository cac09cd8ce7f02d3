using Streaming.Evaluation.Protocols;
using Streaming.Host.Tests.Fixtures;
using Streaming.Host.Tests.Http;

namespace Streaming.Host.Tests.Cli;

/// <summary><c>ab audit</c>, a page at a time.</summary>
[Collection(ConsoleTests.Name)]
public sealed class AuditTests
{
    [Fact]
    public async Task The_audit_says_how_to_see_older_changes()
    {
        await using var live = await LiveNode.StartAsync();
        for (var version = 1; version <= 5; version++)
            (await ExperimentCalls.PutAsync(live, $$"""{"testers":["t{{version}}"]}""", $"\"{version - 1}\"", "ann")).Answer.Status.ShouldBe(200);
        var first = await AuditAsync(live, "--limit", "2");
        first.Stdout.ShouldContain("testers: t5");
        first.Stdout.ShouldNotContain("testers: t3");
        var words = first.Stdout.TrimEnd().Split('\n')[^1];
        words.ShouldStartWith("older ones: --before ");
        var last = await AuditAsync(live, "--limit", "4", "--before", words.Split(' ')[^1]);
        last.Stdout.ShouldContain("testers: t3");
        last.Stdout.ShouldContain("testers: t1");
        last.Stdout.ShouldNotContain("testers: t4");
        last.Stdout.ShouldNotContain("older ones");
    }

    private static async Task<CliRun> AuditAsync(LiveNode live, params string[] options)
    {
        var run = await CliRun.RunAsync(ProtocolRegistry.Known, ["ab", "audit", "--url", live.Address.ToString(), .. options]);
        run.Code.ShouldBe(0, run.Stderr);
        return run;
    }
}
