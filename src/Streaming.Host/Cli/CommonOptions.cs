using System.CommandLine;
using System.CommandLine.Completions;
using Streaming.Core.Settings;
using Streaming.Host.Settings;

namespace Streaming.Host.Cli;

/// <summary>Options that verbs with settings share.</summary>
/// <param name="hasNode">Whether the verb runs a node, with a log and a folder.</param>
internal sealed class CommonOptions(bool hasNode = true)
{
    private readonly Option<string?> _settings = new("--settings") { Description = "JSON file with settings", HelpName = "FILE" };
    private readonly Option<string[]> _set = new("--set") { Description = "One setting, as Section:Key=value; may be repeated", HelpName = "KEY=VALUE" };
    private readonly Option<string?> _dataDir = new("--data-dir") { Description = "Folder of log, state and checkpoints", HelpName = "DIR" };
    private readonly Option<string?> _kafka = new("--kafka") { Description = "Use Kafka at this address instead of the embedded log", HelpName = "HOST:PORT" };
    private readonly Option<long?> _seed = new("--seed") { Description = "Seed of every random draw" };
    private readonly Option<bool> _json = new("--json") { Description = "No terminal view; end with one JSON line on stdout" };

    public CommonOptions AddTo(Command command)
    {
        _set.CompletionSources.Add(_ => SettingsLoader.Keys.Select(key => new CompletionItem(key + "=")));
        foreach (var option in (Option[])[_settings, _set, .. hasNode ? (Option[])[_dataDir, _kafka] : [], _seed, _json]) command.Options.Add(option);
        return this;
    }

    public bool Json(ParseResult parse) => parse.GetValue(_json);

    public string? DataDir(ParseResult parse) => parse.GetValue(_dataDir);

    /// <summary>Settings with the flags on top.</summary>
    /// <param name="parse">The parsed command line.</param>
    /// <param name="defaults">What the verb itself sets, below everything that the user says on the command line.</param>
    public StreamingSettings Load(ParseResult parse, params (string Key, string Value)[] defaults)
    {
        var flags = new Dictionary<string, string?>(StringComparer.OrdinalIgnoreCase);
        foreach (var (key, value) in defaults) flags[key] = value;
        if (parse.GetValue(_kafka) is { } bootstrap)
        {
            flags["Log:Kind"] = "kafka";
            flags["Kafka:Bootstrap"] = bootstrap;
        }
        if (parse.GetValue(_dataDir) is { } dataDir) flags["Node:DataDir"] = dataDir;
        if (parse.GetValue(_seed) is { } seed) flags["Node:Seed"] = seed.ToString(System.Globalization.CultureInfo.InvariantCulture);
        foreach (var pair in parse.GetValue(_set) ?? [])
        {
            var equals = pair.IndexOf('=');
            if (equals <= 0) throw new SettingsException([$"--set {pair}: expected Section:Key=value"]);
            flags[pair[..equals]] = pair[(equals + 1)..];
        }
        return SettingsLoader.Load(parse.GetValue(_settings), flags);
    }

    /// <summary>The same for a node in a process of its own: arguments under which it loads what <see cref="Load"/> does.</summary>
    public IReadOnlyList<string> Arguments(ParseResult parse, params (string Key, string Value)[] defaults)
    {
        var arguments = new List<string>();
        if (parse.GetValue(_settings) is { } file) arguments.AddRange(["--settings", file]);
        foreach (var (key, value) in defaults) arguments.AddRange(["--set", $"{key}={value}"]);
        if (parse.GetValue(_kafka) is { } bootstrap) arguments.AddRange(["--kafka", bootstrap]);
        if (parse.GetValue(_dataDir) is { } dataDir) arguments.AddRange(["--data-dir", dataDir]);
        if (parse.GetValue(_seed) is { } seed) arguments.AddRange(["--seed", seed.ToString(System.Globalization.CultureInfo.InvariantCulture)]);
        foreach (var pair in parse.GetValue(_set) ?? []) arguments.AddRange(["--set", pair]);
        return arguments;
    }
}
