using System.Text.RegularExpressions;

namespace Streaming.Host.Tests.Faults;

/// <summary>The README's table of faults names tests that there are.</summary>
public sealed partial class FaultTableTests
{
    [Fact]
    public async Task Every_test_that_the_fault_table_names_exists()
    {
        var root = ReadmeTests.Root();
        var readme = await File.ReadAllTextAsync(Path.Combine(root, "README.md"));
        var section = readme[readme.IndexOf("\n## Faults\n", StringComparison.Ordinal)..];
        section = section[..section.IndexOf("\n## ", 5, StringComparison.Ordinal)];
        var rows = section.Split('\n').Where(line => line.StartsWith("| ", StringComparison.Ordinal)).Skip(1).ToList();
        rows.Count.ShouldBeGreaterThan(10);
        var sources = Directory.EnumerateFiles(Path.Combine(root, "tests"), "*.cs", SearchOption.AllDirectories)
            .Where(path => !path.Contains("/obj/", StringComparison.Ordinal)).Select(File.ReadAllText).ToList();
        foreach (var row in rows)
        {
            var named = TestName().Matches(row.Split('|')[3]).ToList();
            named.ShouldNotBeEmpty(row);
            foreach (var match in named)
            {
                var method = match.Groups[2].Success ? match.Groups[2].Value : @"\w+";
                var test = new Regex($@"(?s)\bclass {match.Groups[1].Value}\b.*\n\s*public (async )?(Task|void|ValueTask) {method}\(");
                sources.ShouldContain(source => test.IsMatch(source), match.Value);
            }
        }
    }

    [GeneratedRegex(@"`(\w+(?:Tests|Suite))(?:\.(\w+))?`")]
    private static partial Regex TestName();
}
