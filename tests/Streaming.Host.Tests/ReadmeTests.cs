using System.Diagnostics;
using System.Text.Json;
using System.Text.RegularExpressions;
using Streaming.Core.Experiments;
using Streaming.Host.Tests.Cli;
using Streaming.Host.Tests.Fixtures;

namespace Streaming.Host.Tests;

/// <summary>
/// Runs the README's console blocks from top to bottom against a node of its own: every command ends with 0, and what it prints
/// has every JSON member that the README shows. Commands marked "# takes a minute" are left out.
/// </summary>
public sealed partial class ReadmeTests
{
    private sealed record Example(string Command, string Shown);

    [CommandsFact("bash", "curl")]
    public async Task What_the_readme_shows_is_what_happens()
    {
        var examples = Examples(await File.ReadAllTextAsync(Path.Combine(Root(), "README.md")));
        examples.Count.ShouldBeGreaterThan(20);
        using var folder = new TemporaryFolder();
        var settings = LiveNode.SmallSettings;
        // Nobody in the hold-out, partitions as by default.
        await using var live = await LiveNode.StartAsync(settings with { Log = settings.Log with { Partitions = 4 } });
        folder.Write("run", $"exec dotnet '{typeof(RunningNode).Assembly.Location}' \"$@\"\n");
        folder.Write("experiments.json", ExperimentsOf(await File.ReadAllTextAsync(Path.Combine(Root(), "README.md"))));
        foreach (var example in examples)
        {
            var (code, stdout, stderr) = await BashAsync(example.Command.Replace("127.0.0.1:8080", live.Address.Authority).Replace("./run ", "bash ./run "), folder.Path);
            // A reader types more slowly than this: the popular lists are there by then.
            await live.UntilAsync(() => live.GetAsync("/v1/popular?tag=jazz"), a => a.Items.Count > 0);
            code.ShouldBe(0, $"{example.Command}\n{stdout}\n{stderr}");
            if (example.Shown.StartsWith('{'))
            {
                var missing = Members(JsonDocument.Parse(example.Shown).RootElement, "").Except(Members(JsonDocument.Parse(stdout).RootElement, ""));
                missing.ShouldBeEmpty($"{example.Command} answered {stdout}");
            }
            else
            {
                stdout.ShouldContain(example.Shown, customMessage: example.Command);
            }
        }
    }

    [Fact]
    public async Task The_experiments_are_sound_and_the_tunable_settings_all_named()
    {
        var readme = await File.ReadAllTextAsync(Path.Combine(Root(), "README.md"));
        var definitions = ExperimentsJson.ReadDefinitions(System.Text.Encoding.UTF8.GetBytes(ExperimentsOf(readme)));
        definitions.Experiments.Count.ShouldBeGreaterThan(1);
        ExperimentRules.Check(definitions, new Core.Settings.StreamingSettings(), ["learned", "holdout"]).ShouldBeEmpty();
        var named = Regex.Match(readme, "Arms may change these settings: (.*?)\\. ").Groups[1].Value;
        named.ShouldBe(string.Join(", ", Core.Settings.Tunables.All.Select(t => $"`{t.Replace(":*", "")}`")));
    }

    private static string ExperimentsOf(string readme) => Regex.Match(readme, "(?s)```json experiments\\.json\n(.*?)\n```").Groups[1].Value;

    [Fact]
    public async Task Every_json_example_of_an_event_or_item_is_sound()
    {
        var readme = await File.ReadAllTextAsync(Path.Combine(Root(), "README.md"));
        var objects = InlineJson().Matches(readme).Select(m => m.Groups[1].Value).Where(j => j.Contains("\"type\":")).ToList();
        objects.Count.ShouldBeGreaterThan(9);
        await using var live = await LiveNode.StartAsync();
        foreach (var json in objects) (await live.PostAsync("/v1/events", json)).Status.ShouldBe(200, json);
        var items = Regex.Matches(readme, "(?s)```json\n(.*?)\n```").Select(m => m.Groups[1].Value).ToList();
        items.ShouldNotBeEmpty();
        foreach (var json in items) (await live.PostAsync("/v1/items", json)).Status.ShouldBe(200, json);
    }

    [Fact]
    public async Task Every_setting_that_the_readme_names_exists()
    {
        var readme = await File.ReadAllTextAsync(Path.Combine(Root(), "README.md"));
        var sections = typeof(Core.Settings.StreamingSettings).GetProperties().Where(p => p.CanWrite).ToDictionary(p => p.Name);
        var named = SettingName().Matches(readme).ToList();
        named.Count.ShouldBeGreaterThan(20);
        foreach (var match in named)
            if (sections.TryGetValue(match.Groups[1].Value, out var section))
                section.PropertyType.GetProperty(match.Groups[2].Value).ShouldNotBeNull(match.Value);
    }

    /// <summary>The table of statuses has every type of problem that the host writes, in the row of its status, and no other.</summary>
    [Fact]
    public async Task Every_type_of_problem_is_named()
    {
        var written = new HashSet<string>();
        foreach (var file in Directory.EnumerateFiles(Path.Combine(Root(), "src", "Streaming.Host"), "*.cs", SearchOption.AllDirectories))
            foreach (var match in WrittenProblem().Matches(await File.ReadAllTextAsync(file)).Cast<Match>())
                written.Add($"{(match.Groups["status"].Success ? match.Groups["status"].Value : "400")} {match.Groups["type"].Value}");
        written.Count.ShouldBeGreaterThan(30);
        var rows = Regex.Matches(await File.ReadAllTextAsync(Path.Combine(Root(), "README.md")), @"(?m)^\| (\d{3}(?:, \d{3})*) \|(.*)\|$");
        var named = rows.SelectMany(row => Regex.Matches(row.Groups[2].Value, "`([a-z]+(?:-[a-z]+)*)`").Select(type => (Statuses: row.Groups[1].Value.Split(", "), Type: type.Groups[1].Value))).ToList();
        named.Select(n => n.Type).ShouldBe(written.Select(w => w[4..]).Distinct(), ignoreOrder: true);
        foreach (var one in written)
        {
            var (status, type) = (one[..3], one[4..]);
            named.ShouldContain(n => n.Type == type && n.Statuses.Contains(status), one);
        }
    }

    private static List<Example> Examples(string readme)
    {
        var examples = new List<Example>();
        foreach (var block in Regex.Matches(readme, "(?s)```console\n(.*?)```").Select(m => m.Groups[1].Value))
        foreach (var part in Regex.Split(block, @"^\$ ", RegexOptions.Multiline).Where(p => p.Length > 0))
        {
            var lines = part.Split('\n', 2);
            if (!lines[0].Contains("# takes a minute")) examples.Add(new Example(lines[0], lines[1].Trim()));
        }
        return examples;
    }

    /// <summary>Paths of all members; elements of arrays count as one, and an empty array shown asks for nothing.</summary>
    private static IEnumerable<string> Members(JsonElement json, string path) => json.ValueKind switch
    {
        JsonValueKind.Object => json.EnumerateObject().SelectMany(m => Members(m.Value, $"{path}.{m.Name}").Prepend($"{path}.{m.Name}")),
        JsonValueKind.Array => json.EnumerateArray().SelectMany(e => Members(e, path + "[]")),
        _ => [],
    };

    private static async Task<(int Code, string Stdout, string Stderr)> BashAsync(string command, string folder)
    {
        var start = new ProcessStartInfo("bash", ["-c", "set -o pipefail; " + command])
        {
            WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true,
        };
        using var process = Process.Start(start)!;
        process.StandardInput.Close();
        var stdout = process.StandardOutput.ReadToEndAsync();
        var stderr = process.StandardError.ReadToEndAsync();
        using var patience = new CancellationTokenSource(TimeSpan.FromMinutes(3));
        await process.WaitForExitAsync(patience.Token);
        return (process.ExitCode, await stdout, await stderr);
    }

    internal static string Root()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "Streaming.sln"))) folder = folder.Parent ?? throw new DirectoryNotFoundException("no Streaming.sln above the tests");
        return folder.FullName;
    }

    [GeneratedRegex(@"`(\{[^`]*\})`")]
    private static partial Regex InlineJson();

    [GeneratedRegex(@"(?:Problems\.Write\(context, |Problem\(|Later\(context, |Refuse\((?:context, )?)(?:(?<status>\d{3}), )?""(?<type>[a-z-]+)""|ChangeAsync\(.*, ""(?<type>[a-z-]+)""\)|statusCode: (?<status>\d{3}), type: ""urn:streaming:(?<type>[a-z-]+)""")]
    private static partial Regex WrittenProblem();

    [GeneratedRegex(@"\b([A-Z][A-Za-z]+):([A-Z][A-Za-z]+)\b")]
    private static partial Regex SettingName();
}

/// <summary>A test that needs these programs on the path.</summary>
public class CommandsFactAttribute : FactAttribute
{
    public CommandsFactAttribute(params string[] commands) => Skip = Missing(commands);

    /// <summary>Why a test cannot run; null where it can.</summary>
    internal static string? Missing(params string[] commands)
    {
        var folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator);
        var missing = commands.Where(c => !folders.Any(f => File.Exists(Path.Combine(f, c)))).ToList();
        return missing.Count > 0 ? $"needs {string.Join(", ", missing)}" : null;
    }
}

/// <summary>The same for several cases.</summary>
public sealed class CommandsTheoryAttribute : TheoryAttribute
{
    public CommandsTheoryAttribute(params string[] commands) => Skip = CommandsFactAttribute.Missing(commands);
}
