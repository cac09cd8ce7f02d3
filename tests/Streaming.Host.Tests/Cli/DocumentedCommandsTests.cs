using Streaming.Host.Cli;

namespace Streaming.Host.Tests.Cli;

/// <summary>Whatever the repository's documents tell a reader to type can be typed.</summary>
public sealed class DocumentedCommandsTests
{
    public static TheoryData<string> Documents => [.. All().Select(path => Path.GetRelativePath(ReadmeTests.Root(), path))];

    private static IEnumerable<string> All() =>
        ((string[])["src", "deploy"]).SelectMany(folder => Directory.EnumerateFiles(Path.Combine(ReadmeTests.Root(), folder), "*.md", SearchOption.AllDirectories))
            .Where(path => !path.Split(Path.DirectorySeparatorChar).Any(part => part is "node_modules" or "bin" or "obj"))
            .Prepend(Path.Combine(ReadmeTests.Root(), "README.md"));

    [Theory]
    [MemberData(nameof(Documents))]
    public async Task Every_command_is_one(string document) =>
        CommandLines.In(await File.ReadAllTextAsync(Path.Combine(ReadmeTests.Root(), document))).SelectMany(CommandLines.Problems).Distinct().ShouldBeEmpty();

    [Theory]
    [MemberData(nameof(Documents))]
    public async Task Every_mention_of_a_verb_is_of_verbs_and_options_that_there_are(string document) =>
        CommandLines.MentionedIn(await File.ReadAllTextAsync(Path.Combine(ReadmeTests.Root(), document))).SelectMany(CommandLines.Unknown).Distinct().ShouldBeEmpty();

    [Fact]
    public async Task They_are_found_in_all_documents()
    {
        var found = 0;
        foreach (var document in All()) found += CommandLines.In(await File.ReadAllTextAsync(document)).Count();
        found.ShouldBeGreaterThan(70);
        CommandLines.MentionedIn(await File.ReadAllTextAsync(Path.Combine(ReadmeTests.Root(), "README.md"))).Count().ShouldBeGreaterThan(30);
    }

    [Fact]
    public async Task Settings_in_the_first_of_them_are_settings()
    {
        var lines = CommandLines.In(await File.ReadAllTextAsync(Path.Combine(ReadmeTests.Root(), "README.md"))).Select(line => CommandLines.Words(line).ToList())
            .Where(words => words.Contains("--set")).ToList();
        lines.Count.ShouldBeGreaterThan(3);
        foreach (var words in lines) (await CliApp.RunAsync(["validate", .. CommandLines.Settings(words)])).ShouldBe(0, string.Join(' ', words));
    }

    [Fact]
    public void Commands_are_found_wherever_they_stand() => CommandLines.In(
        """
        Type `./run ab stop NAME`, or `UseAkka=false ./run`, but not `./runner` or ./run alone; ``./run data`` too.

        | command | |
        |---|---|
        | `./run bench rank --all --json`, and `./run bench ftrl` | fast |

        ```console
        $ ./run ab start mmr 0.2 --why "looks; good | so far" --json   # a fifth
        {"version":1}
        ```

        ```
        eval "$(./run completion bash)" && ./run node --set A:B=1 \
          --set C:D=2 2> log.txt
        ```
        In an image: `kubectl exec pod -- dotnet /app/streaming.dll validate --settings a.json`.
        """).Order(StringComparer.Ordinal).ShouldBe(((string[])
        [
            "", "ab start mmr 0.2 --why \"looks; good | so far\" --json", "ab stop NAME", "bench ftrl", "bench rank --all --json", "completion bash", "data",
            "node --set A:B=1    --set C:D=2", "validate --settings a.json",
        ]).Order(StringComparer.Ordinal));

    [Fact]
    public void Verbs_are_found_where_they_are_mentioned() => CommandLines.MentionedIn(
        """
        `demo --arms a,b` and `bench ab-aa`, not `demo`, `{"type":"click"}`, `data folder: x` or `./run node --json`.

        | `restore DIR --data-dir NEW` | `validate [FILE...]` |

        ```
        `bench rank --all`
        ```
        """).ShouldBe(["demo --arms a,b", "bench ab-aa", "restore DIR --data-dir NEW", "validate [FILE...]"]);

    [Theory]
    [InlineData("ab fly")]
    [InlineData("evaluate --wings")]
    [InlineData("validate [FILE...] --wings")]
    public void What_there_is_not_is_named(string mention) => CommandLines.Unknown(mention).ShouldNotBeEmpty();

    [Theory]
    [InlineData("evaluate --model gmf")]
    [InlineData("ab VERB")]
    [InlineData("restore DIR --data-dir NEW")]
    public void What_is_not_whole_may_be_mentioned(string mention) => CommandLines.Unknown(mention).ShouldBeEmpty();

    [Theory]
    [InlineData("replay FILE")]
    [InlineData("evaluate --data D --protocol P --model M [--seeds N] [--record]")]
    [InlineData("compare --data D --protocol P [--models A,B]")]
    [InlineData("VERB --help")]
    [InlineData("--set Deep:Models:0=din --seconds N")]
    [InlineData("")]
    [InlineData("--help")]
    [InlineData("--version")]
    public void What_is_a_command_passes(string line) => CommandLines.Problems(line).ShouldBeEmpty();

    [Theory]
    [InlineData("fly")]
    [InlineData("ab fly NAME")]
    [InlineData("node --wings")]
    [InlineData("--wings")]
    [InlineData("replay [--wings N] FILE")]
    [InlineData("evaluate --data D --seeds many")]
    [InlineData("replay")]
    [InlineData("restore DIR")]
    public void What_is_none_does_not(string line) => CommandLines.Problems(line).ShouldNotBeEmpty();
}
