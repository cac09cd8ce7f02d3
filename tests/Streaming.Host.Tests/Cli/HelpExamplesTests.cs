using System.CommandLine;
using Shouldly;
using Streaming.Evaluation.Protocols;
using Streaming.Host.Cli;

namespace Streaming.Host.Tests.Cli;

/// <summary>The examples that the help of a verb ends with.</summary>
public sealed class HelpExamplesTests
{
    private static readonly RootCommand Root = CliApp.Root(ProtocolRegistry.Known);

    public static TheoryData<string> Examples => [.. HelpExamples.Verbs.SelectMany(HelpExamples.Of).Distinct()];

    [Fact]
    public void Each_verb_that_help_lists_has_some()
    {
        Root.Subcommands.Where(verb => !verb.Hidden).Select(verb => verb.Name).Where(verb => !HelpExamples.Of(verb).Any()).ShouldBeEmpty();
        // And none is of a verb that there is not, or of another verb.
        foreach (var verb in HelpExamples.Verbs.Where(verb => verb.Length > 0))
        {
            Root.Parse(verb.Split(' ')).CommandResult.Command.Name.ShouldBe(verb.Split(' ')[^1]);
            HelpExamples.Of(verb).ShouldAllBe(example => example == verb || example.StartsWith(verb + " "));
        }
    }

    [Theory]
    [MemberData(nameof(Examples))]
    public void They_are_commands(string example) => CommandLines.Problems(example).ShouldBeEmpty();

    [Fact]
    public async Task Settings_in_them_are_settings()
    {
        var some = 0;
        foreach (var words in HelpExamples.Verbs.SelectMany(HelpExamples.Of).Select(example => example.Split(' ')))
        {
            if (!words.Contains("--set")) continue;
            some++;
            (await CliApp.RunAsync(["validate", .. CommandLines.Settings(words)])).ShouldBe(0, string.Join(' ', words));
        }
        some.ShouldBeGreaterThan(1);
    }

    [Fact]
    public async Task Help_ends_with_them()
    {
        var output = new StringWriter();
        (await Root.Parse("chaos --help").InvokeAsync(new InvocationConfiguration { Output = output })).ShouldBe(0);
        var help = output.ToString();
        help.ShouldContain("--events-per-s");
        help[help.IndexOf("Examples:", StringComparison.Ordinal)..].ShouldContain("./run chaos --seconds 300 --json");
        // The list of verbs has none of theirs.
        output = new StringWriter();
        (await Root.Parse("--help").InvokeAsync(new InvocationConfiguration { Output = output })).ShouldBe(0);
        output.ToString().Split("Examples:").Length.ShouldBe(2);
    }
}
