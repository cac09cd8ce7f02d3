using System.Diagnostics;
using System.Reflection;
using System.Runtime.Loader;
using System.Text.RegularExpressions;
using Streaming.Host.Tests.Cli;
using Streaming.Host.Tests.Fixtures;

namespace Streaming.Host.Tests;

/// <summary>
/// Walks the guides of rankers and recall channels in a copy of the sources, as somebody who adds one of each under a name of their own: the file, the lines that
/// the guides show, the build; then what the build made knows both.
/// </summary>
public sealed partial class GuideWalkTests
{
    private static readonly string[] Projects = ["Streaming.Core", "Streaming.Tensors", "Streaming.Users", "Streaming.Models", "Streaming.Learning", "Streaming.Feeds"];

    [CommandsFact("bash", "dotnet")]
    public async Task A_ranker_and_a_channel_are_added_as_the_guides_say()
    {
        using var folder = new TemporaryFolder();
        var copy = Path.Combine(folder.Path, "copy");
        foreach (var file in (string[])["Directory.Build.props", "Directory.Packages.props", ".editorconfig", ".probe/packages.props", .. Projects.SelectMany(Sources)])
        {
            if (!File.Exists(Path.Combine(ReadmeTests.Root(), file))) continue;
            Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(copy, file))!);
            File.Copy(Path.Combine(ReadmeTests.Root(), file), Path.Combine(copy, file));
        }

        const string Rankers = "src/Streaming.Models/README.md", Channels = "src/Streaming.Feeds/README.md";
        AddFile(copy, Shown(Rankers, "src/Streaming.Models/Ranking/Fwfm.cs"), "src/Streaming.Models/Ranking/Fwfm.cs", "src/Streaming.Models/Ranking/Mine.cs", [("Fwfm", "Mine")]);
        AddBeneath(copy, Shown(Rankers, "src/Streaming.Models/Ranking/Rankers.cs"), "src/Streaming.Models/Ranking/Rankers.cs", [("fwfm", "mine"), ("Fwfm", "Mine")]);
        Change(copy, "src/Streaming.Core/Settings/DeepSettings.cs", Shown(Rankers, "src/Streaming.Core/Settings/DeepSettings.cs"), shown => shown.Replace("\"fwfm\"", "\"fwfm\", \"mine\""));

        AddBeneath(copy, Shown(Channels, "src/Streaming.Core/Feeds/FeedChannels.cs"), "src/Streaming.Core/Feeds/FeedChannels.cs", [("Again", "Mine"), ("again", "mine_again")]);
        Change(copy, "src/Streaming.Core/Feeds/FeedChannels.cs", ".. Retrieval, Again]", _ => ".. Retrieval, Again, Mine]");
        AddFile(copy, Shown(Channels, "src/Streaming.Feeds/Recall/AgainChannel.cs"), "src/Streaming.Feeds/Recall/AgainChannel.cs", "src/Streaming.Feeds/Recall/MineChannel.cs", [("Again", "Mine")]);
        AddBeneath(copy, Shown(Channels, "src/Streaming.Feeds/FeedIndex.cs"), "src/Streaming.Feeds/FeedIndex.cs", [("Again", "Mine")]);

        // A compiler server of its own, which ends with it: each project's compiler would start cold otherwise.
        var command = $"set -m; dotnet build src/Streaming.Feeds -c Release -v q --nologo -p:UseSharedCompilation=true -p:SharedCompilationId=walk-{Environment.ProcessId} & "
            + "wait $!; code=$?; kill -- -$! 2>/dev/null; exit $code";
        var start = new ProcessStartInfo("bash", ["-c", command])
        {
            WorkingDirectory = copy, RedirectStandardOutput = true, Environment = { ["MSBUILDDISABLENODEREUSE"] = "1" },
        };
        using var build = Process.Start(start)!;
        var said = await build.StandardOutput.ReadToEndAsync();
        await build.WaitForExitAsync();
        build.ExitCode.ShouldBe(0, said);

        var built = new Built(Path.Combine(copy, "src", "Streaming.Feeds", "bin", "Release", "net10.0"));
        Names(built.Static("Streaming.Models", "Streaming.Models.Ranking.Rankers", "Live")).ShouldContain("mine");
        Names(built.Static("Streaming.Core", "Streaming.Core.Settings.DeepSettings", "Known")).ShouldContain("mine");
        Names(built.Static("Streaming.Core", "Streaming.Core.Feeds.FeedChannels", "All")).Last().ShouldBe("mine_again");
        built.Unload();
    }

    private static IEnumerable<string> Sources(string project) => Directory.EnumerateFiles(Path.Combine(ReadmeTests.Root(), "src", project), "*", SearchOption.AllDirectories)
        .Select(path => Path.GetRelativePath(ReadmeTests.Root(), path)).Where(path => !Ignored().IsMatch(path));

    /// <summary>What a guide shows of a file.</summary>
    private static string Shown(string guide, string file)
    {
        var shown = Regex.Match(File.ReadAllText(Path.Combine(ReadmeTests.Root(), guide)), $"(?s)```csharp {Regex.Escape(file)}\n(.*?)\n```").Groups[1].Value;
        shown.ShouldNotBeEmpty($"{guide} shows something of {file}");
        return shown;
    }

    /// <summary>Writes what is shown as a file of its own, under what the original has above its type.</summary>
    private static void AddFile(string copy, string shown, string original, string file, (string From, string To)[] names)
    {
        var head = Regex.Match(File.ReadAllText(Path.Combine(copy, original)), @"(?s)^.*?namespace [\w.]+;\n").Value;
        File.WriteAllText(Path.Combine(copy, file), $"{head}\n{Renamed(shown, names)}\n");
    }

    private static void AddBeneath(string copy, string shown, string file, (string From, string To)[] names) =>
        Change(copy, file, shown, line => $"{line}\n{Renamed(line, names)}");

    private static void Change(string copy, string file, string shown, Func<string, string> to)
    {
        var path = Path.Combine(copy, file);
        var text = File.ReadAllText(path);
        text.Split(shown).Length.ShouldBe(2, $"{file} has once: {shown}");
        File.WriteAllText(path, text.Replace(shown, to(shown)));
    }

    private static string Renamed(string text, (string From, string To)[] names) => names.Aggregate(text, (all, name) => all.Replace(name.From, name.To));

    private static string[] Names(object? list) =>
        [.. ((System.Collections.IEnumerable)list!).Cast<object>().Select(entry => entry as string ?? (string)entry.GetType().GetProperty("Name")!.GetValue(entry)!)];

    /// <summary>The assemblies of a folder, beside those of the test.</summary>
    private sealed class Built(string folder) : AssemblyLoadContext("the walk", isCollectible: true)
    {
        public object? Static(string assembly, string type, string name)
        {
            var of = LoadFromAssemblyPath(Path.Combine(folder, assembly + ".dll")).GetType(type, throwOnError: true)!;
            return of.GetProperty(name)?.GetValue(null) ?? of.GetField(name)?.GetValue(null);
        }

        protected override Assembly? Load(AssemblyName name) =>
            name.Name!.StartsWith("Streaming.", StringComparison.Ordinal) && Path.Combine(folder, name.Name + ".dll") is var path && File.Exists(path) ? LoadFromAssemblyPath(path) : null;
    }

    [GeneratedRegex(@"[\\/](bin|obj)[\\/]")]
    private static partial Regex Ignored();
}
