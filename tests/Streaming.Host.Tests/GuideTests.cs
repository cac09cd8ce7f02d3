using System.Text.RegularExpressions;

namespace Streaming.Host.Tests;

/// <summary>The guides beside the code: what they show of a file stands in it, so that whoever follows them does what was done here and is tested here.</summary>
public sealed partial class GuideTests
{
    private static readonly string[] Found = [.. Directory.EnumerateFiles(Path.Combine(ReadmeTests.Root(), "src"), "README.md", SearchOption.AllDirectories)
        .Select(path => Path.GetRelativePath(ReadmeTests.Root(), path)).Where(path => !path.Contains("node_modules")).Order(StringComparer.Ordinal)];

    public static TheoryData<string> Guides { get; } = [.. Found];

    [Fact]
    public void There_is_one_for_rankers_and_one_for_channels()
    {
        Found.ShouldContain("src/Streaming.Models/README.md");
        Found.ShouldContain("src/Streaming.Feeds/README.md");
    }

    [Theory]
    [MemberData(nameof(Guides))]
    public void Every_step_is_what_the_tree_has(string guide)
    {
        var text = File.ReadAllText(Path.Combine(ReadmeTests.Root(), guide));
        foreach (Match block in Block().Matches(text))
        {
            var path = Path.Combine(ReadmeTests.Root(), block.Groups[1].Value);
            File.Exists(path).ShouldBeTrue($"{guide} shows {block.Groups[1].Value}");
            File.ReadAllText(path).ShouldContain(block.Groups[2].Value.TrimEnd('\n'), customMessage: $"{guide}: {block.Groups[1].Value}");
        }
        foreach (Match name in Named().Matches(text))
            File.Exists(Path.Combine(ReadmeTests.Root(), Path.GetDirectoryName(guide)!, name.Groups[1].Value)).ShouldBeTrue($"{guide} names {name.Groups[1].Value}");
    }

    /// <summary>A fenced block whose fence names a file.</summary>
    [GeneratedRegex(@"(?s)```(?:csharp|python|typescript) (\S+)\n(.*?)```")]
    private static partial Regex Block();

    /// <summary>A file named by its path below the guide.</summary>
    [GeneratedRegex(@"`([A-Z]\w+/\w+\.cs)`")]
    private static partial Regex Named();
}
