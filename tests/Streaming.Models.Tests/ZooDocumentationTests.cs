using System.Text.RegularExpressions;

namespace Streaming.Models.Tests;

/// <summary>Whoever opens a model's file finds there what it is: the paper, what it reads, and what the paper says that it reaches.</summary>
public sealed partial class ZooDocumentationTests
{
    private static readonly string Source = Path.Combine(Root(), "src", "Streaming.Models");

    /// <summary>Files of the neural models; the classic ones are formulas that need neither.</summary>
    private static readonly string[] Folders = ["Neural", "Retrieval", "Sequences", "Ranking", "Reranking", "Deep"];

    private static readonly string[] Registries = ["Ranking/Rankers.cs", "Recall/RecallModels.cs", "Offline/Recommenders.cs"];

    /// <summary>Models that the live path makes by name without a registry of networks.</summary>
    private static readonly string[] Others = ["Din", "TwoTower", "PrmNetwork", "DuelingQNetwork"];

    private static readonly Dictionary<string, string> Comments = Folders
        .SelectMany(folder => Directory.EnumerateFiles(Path.Combine(Source, folder), "*.cs", SearchOption.AllDirectories))
        .Select(File.ReadAllText)
        // What trains networks of any kind is none itself.
        .Where(text => !text.Contains(": TrainedRecommender<"))
        .SelectMany(text => Declared().Matches(text))
        // A class in parts has its comment above one of them.
        .GroupBy(match => match.Groups["name"].Value)
        .ToDictionary(parts => parts.Key, parts => Break().Replace(string.Concat(parts.Select(match => match.Groups["comment"].Value)), " "));

    private static readonly string[] Names =
    [
        .. Registries.SelectMany(path => Made().Matches(File.ReadAllText(Path.Combine(Source, path)))).Select(match => match.Groups[1].Value)
            .Where(Comments.ContainsKey).Concat(Others).Distinct().Order(StringComparer.Ordinal),
    ];

    public static TheoryData<string> Registered { get; } = [.. Names];

    [Fact]
    public void The_registries_are_read()
    {
        Names.Length.ShouldBeGreaterThan(35);
        foreach (var one in (string[])["Gmf", "SasRec", "ItemAutoRec", "LogisticRegression", "Dien", "Ple", "TwoTowerRecommender"]) Names.ShouldContain(one);
    }

    [Theory]
    [MemberData(nameof(Registered))]
    public void A_model_says_its_paper_what_it_reads_and_its_known_number(string name)
    {
        Comments.ShouldContainKey(name);
        var comment = Comments[name];
        comment.ShouldMatch(@"\b(?:19|20)\d\d\b", $"{name}: the paper's year");
        comment.ShouldMatch(@"\bFeatures: \w", $"{name}: what it declares to read");
        comment.ShouldMatch(@"\bKnown number: [\w.]", $"{name}: what the paper reaches, or that it has no number for these data");
    }

    private static string Root()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "Streaming.sln"))) folder = folder.Parent ?? throw new DirectoryNotFoundException("no Streaming.sln above the tests");
        return folder.FullName;
    }

    /// <summary>A class with the comment above it, if there is one.</summary>
    [GeneratedRegex(@"(?m)(?<comment>(?:^///.*\n)*)^public sealed (?:partial )?class (?<name>\w+)")]
    private static partial Regex Declared();

    [GeneratedRegex(@"\s*\n/// ?")]
    private static partial Regex Break();

    [GeneratedRegex(@"\bnew (\w+)\(")]
    private static partial Regex Made();
}
