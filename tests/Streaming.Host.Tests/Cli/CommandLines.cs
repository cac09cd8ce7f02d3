using System.CommandLine;
using System.CommandLine.Completions;
using System.CommandLine.Parsing;
using System.Text.RegularExpressions;
using Streaming.Evaluation.Protocols;
using Streaming.Host.Cli;

namespace Streaming.Host.Tests.Cli;

/// <summary>Command lines that help and documents show, held against the real command line.</summary>
internal static partial class CommandLines
{
    private static readonly RootCommand Root = CliApp.Root(ProtocolRegistry.Known);

    /// <summary>What is wrong with a line's arguments, <c>./run</c> not among them; none where it is sound.</summary>
    /// <param name="line">Words; what may be left out in brackets; in capitals what a reader has to fill in.</param>
    public static IReadOnlyList<string> Problems(string line)
    {
        // What may be left out is there, and must be right.
        List<string> words = [.. Words(line.Replace("[", "").Replace("]", "").Replace("...", ""))];
        for (var i = 0; i < words.Count; i++)
            if (IsPlaceholder(words[i])) words[i] = ValueAt(words, i);
        var parse = CliApp.Parse(Root, words);
        // A verb that takes any number of files takes an option that it does not know for one.
        var strange = parse.CommandResult.Tokens.Where(token => token.Value.StartsWith("--", StringComparison.Ordinal)).Select(token => $"there is no option {token.Value}");
        return [.. parse.Errors.Select(e => e.Message).Concat(strange).Select(problem => $"{line}: {problem}")];
    }

    /// <summary>The commands that a document in Markdown shows, their arguments alone: in fences, in code within a line or a cell, and within other commands.</summary>
    public static IEnumerable<string> In(string markdown)
    {
        var inLine = Fence().Replace(markdown, "");
        foreach (var code in Fence().Matches(markdown).Select(m => m.Groups["code"].Value.Replace("\\\n", " ")).SelectMany(code => code.Split('\n'))
                     .Concat(InlineCode().Matches(inLine).Select(m => m.Groups["code"].Value)))
            foreach (var command in Command().Matches(code).Cast<Match>())
                yield return Redirection().Replace(command.Groups["arguments"].Value, "").Trim();
    }

    /// <summary>What of a line's words settles settings, as <c>validate</c> takes it.</summary>
    public static IEnumerable<string> Settings(IReadOnlyList<string> words) => words.Zip(words.Skip(1)).SelectMany(pair => pair.First switch
    {
        "--set" or "--kafka" => (string[])[pair.First, pair.Second],
        "--role" => [.. pair.Second.Split(',').SelectMany((role, i) => (string[])["--set", $"Node:Roles:{i}={role}"])],
        _ => [],
    });

    public static IEnumerable<string> Words(string line) => CommandLineParser.SplitCommandLine(line);

    private static bool IsPlaceholder(string word) => word.Split(',').All(part => Capitals().IsMatch(part));

    /// <summary>A word that could stand there: a verb or one of a few words where one is wanted, else a number, which is text and a file too.</summary>
    private static string ValueAt(List<string> words, int place)
    {
        var above = Root.Parse(words[..place]).CommandResult.Command;
        if (words[place] == "VERB") return above.Subcommands.First(verb => !verb.Hidden).Name;
        var option = place == 0 ? null : above.Options.FirstOrDefault(option => option.Name == words[place - 1]);
        return option?.GetCompletions(CompletionContext.Empty).FirstOrDefault()?.Label ?? "1";
    }

    [GeneratedRegex(@"(?ms)^```[^\n]*\n(?<code>.*?)^```")]
    private static partial Regex Fence();

    [GeneratedRegex("(?<ticks>`+)(?<code>.+?)\\k<ticks>(?!`)")]
    private static partial Regex InlineCode();

    /// <summary>Up to a comment, a pipe, the end of the command or of what it stands in; quoted words are whole.</summary>
    [GeneratedRegex("""(?<![\w/.])\./run(?=$|[\s)])(?<arguments>(?:"[^"]*"|'[^']*'|(?!\s#)[^|;&)"'])*)""")]
    private static partial Regex Command();

    [GeneratedRegex(@"\d?>\s*\S+")]
    private static partial Regex Redirection();

    [GeneratedRegex("^[A-Z][A-Z0-9_]*$")]
    private static partial Regex Capitals();
}
