using System.Collections;
using System.Diagnostics;
using System.Globalization;
using YamlDotNet.Core;
using YamlDotNet.Serialization;

namespace Streaming.Host.Tests.Deploy;

/// <summary>The files of deploy/, as the programs that read them see them.</summary>
internal static class DeployFiles
{
    public static string Folder { get; } = Path.Combine(ReadmeTests.Root(), "deploy");

    public static string Text(string path) => File.ReadAllText(Path.Combine(Folder, path));

    /// <summary>Every YAML file's path below the folder.</summary>
    public static IEnumerable<string> YamlPaths() => Directory.EnumerateFiles(Folder, "*", SearchOption.AllDirectories)
        .Where(f => Path.GetExtension(f) is ".yaml" or ".yml").Select(f => Path.GetRelativePath(Folder, f)).Order(StringComparer.Ordinal);

    public static List<Yaml> Documents(string path) => Parse(Text(path));

    /// <summary>The documents of a stream, merge keys resolved.</summary>
    /// <exception cref="YamlException">It is not YAML, or a key stands twice.</exception>
    public static List<Yaml> Parse(string text)
    {
        var parser = new MergingParser(new Parser(new StringReader(text)));
        var deserializer = new DeserializerBuilder().Build();
        var documents = new List<Yaml>();
        parser.Consume<YamlDotNet.Core.Events.StreamStart>();
        while (parser.Accept<YamlDotNet.Core.Events.DocumentStart>(out _)) documents.Add(new Yaml(deserializer.Deserialize(parser)));
        return documents;
    }

    public static (int Code, string Output) Run(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { WorkingDirectory = Folder, RedirectStandardOutput = true, RedirectStandardError = true })!;
        var complaints = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, process.ExitCode == 0 ? output : output + complaints.GetAwaiter().GetResult());
    }
}

/// <summary>A node of a YAML document; what is missing is a node without a value.</summary>
internal readonly record struct Yaml(object? Value)
{
    public Yaml this[string key] => new((Value as IDictionary)?[key]);

    public bool Exists => Value is not null;

    public IReadOnlyList<Yaml> Items => Value is IList list ? [.. list.Cast<object?>().Select(v => new Yaml(v))] : [];

    public IReadOnlyList<(string Key, Yaml Value)> Members =>
        Value is IDictionary members ? [.. members.Keys.Cast<object>().Select(k => ((string)k, new Yaml(members[k])))] : [];

    /// <summary>Two mappings of scalars are the same labels.</summary>
    public Dictionary<string, string> Labels => Members.ToDictionary(m => m.Key, m => m.Value.Text);

    public int Number => int.Parse(Text, CultureInfo.InvariantCulture);

    public string Text => Value as string ?? "";
}
