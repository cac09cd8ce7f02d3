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
        var parse = Parsed(line);
        return [.. parse.Errors.Select(e => e.Message).Concat(Strange(parse)).Select(problem => $"{line}: {problem}")];
    }

    /// <summary>The same of a line that need not be whole: only what there is not at all.</summary>
    public static IReadOnlyList<string> Unknown(string line)
    {
        var parse = Parsed(line);
        return [.. parse.UnmatchedTokens.Select(token => $"there is no {token}").Concat(Strange(parse)).Select(problem => $"{line}: {problem}")];
    }

    private static ParseResult Parsed(string line)
    {
        // What may be left out is there, and must be right.
        List<string> words = [.. Words(line.Replace("[", "").Replace("]", "").Replace("...", ""))];
        for (var i = 0; i < words.Count; i++)
            if (IsPlaceholder(words[i])) words[i] = ValueAt(words, i);
        return CliApp.Parse(Root, words);
    }

    /// <summary>A verb that takes any number of files takes an option that it does not know for one.</summary>
    private static IEnumerable<string> Strange(ParseResult parse) =>
        parse.CommandResult.Tokens.Where(token => token.Value.StartsWith("--", StringComparison.Ordinal)).Select(token => $"there is no option {token.Value}");

    /// <summary>The commands that a document in Markdown shows, their arguments alone: in fences, in code within a line or a cell, and within other commands.</summary>
    public static IEnumerable<string> In(string markdown)
    {
        var inLine = Fence().Replace(markdown, "");
        foreach (var code in Fence().Matches(markdown).Select(m => m.Groups["code"].Value.Replace("\\\n", " ")).SelectMany(code => code.Split('\n'))
                     .Concat(InlineCode().Matches(inLine).Select(m => m.Groups["code"].Value)))
            foreach (var command in Command().Matches(code).Cast<Match>())
                yield return Redirection().Replace(command.Groups["arguments"].Value, "").Trim();
    }

    /// <summary>Code within a line or a cell that begins with a verb and goes on with its verbs or options, as <c>bench rank --all</c>.</summary>
    public static IEnumerable<string> MentionedIn(string markdown) =>
        from code in InlineCode().Matches(Fence().Replace(markdown, "")).Select(m => m.Groups["code"].Value)
        let words = Words(code).ToList()
        where words.Count > 1 && Root.Subcommands.Any(verb => verb.Name == words[0]) && Mention().IsMatch(code)
        select code;

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
    [GeneratedRegex("""(?<![\w/.])(?:\./run|dotnet /app/streaming\.dll)(?=$|[\s)])(?<arguments>(?:"[^"]*"|'[^']*'|(?!\s#)[^|;&)"'])*)""")]
    private static partial Regex Command();

    [GeneratedRegex(@"\d?>\s*\S+")]
    private static partial Regex Redirection();

    /// <summary>A verb and words; with figures, paths and settings only behind an option.</summary>
    [GeneratedRegex(@"^[a-z-]+( [a-z-]+| \[?[A-Z]+\]?(\.\.\.\]?)?)*( \[?--.*)?$")]
    private static partial Regex Mention();

    [GeneratedRegex("^[A-Z][A-Z0-9_]*$")]
    private static partial Regex Capitals();
}
