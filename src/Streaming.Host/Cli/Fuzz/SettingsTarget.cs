using System.Collections;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Streaming.Core.Settings;
using Streaming.Host.Settings;

namespace Streaming.Host.Cli.Fuzz;

/// <summary>
/// Settings from a JSON file, or from lines KEY=VALUE as flags: they are refused with every problem named, or are sound, and written as a
/// file and read again they are the same.
/// </summary>
internal sealed class SettingsTarget : FuzzTarget
{
    private static readonly JsonSerializerOptions Json = new()
    {
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals, IgnoreReadOnlyProperties = true,
    };
    private static readonly Hashtable NoEnvironment = [];
    private readonly string _file = Path.GetTempFileName();

    public override string Name => "settings";

    public override IReadOnlyList<byte[]> Words { get; } =
    [
        .. typeof(StreamingSettings).GetProperties().Where(p => p.CanWrite).SelectMany(section => section.PropertyType.GetProperties().Where(p => p.CanWrite)
            .SelectMany(p => Texts($"{section.Name}:{p.Name}=", $"\"{section.Name}\":{{\"{p.Name}\":"))),
        .. Texts("{", "}", "[", "]", "null", "true", "NaN", "1e999", "-1", "\"\"", ":0", ":", "=", "\n", "\"Surfaces\":{\"home\":{", "Feeds:Surfaces:home:", "\u0000"),
    ];

    /// <summary>The configuration library keeps a path for every value.</summary>
    public override long AllocatedMax(int inputBytes) => (16 << 20) + 4096L * inputBytes;

    public override string Run(byte[] input)
    {
        StreamingSettings settings;
        try
        {
            settings = Load(input);
        }
        catch (SettingsException refusal)
        {
            Hold(refusal.Problems.Count > 0 && refusal.Problems.All(p => p.Length > 0), "refused without a problem");
            return "refused: " + refusal.Problems[0];
        }
        Hold(settings.Validate().Count == 0, "taken, and not sound");
        var written = JsonSerializer.Serialize(settings, Json);
        File.WriteAllText(_file, written);
        try
        {
            Hold(JsonSerializer.Serialize(SettingsLoader.Load(_file, null, NoEnvironment), Json) == written, "written and read again they are others");
        }
        catch (SettingsException refusal)
        {
            throw new FuzzFailure($"written as a file they are refused: {refusal.Problems[0]}", refusal);
        }
        return "taken";
    }

    public override void Dispose() => File.Delete(_file);

    private StreamingSettings Load(byte[] input)
    {
        if (input.AsSpan().TrimStart(" \t\r\n"u8) is [(byte)'{', ..] or [0xef, ..])
        {
            File.WriteAllBytes(_file, input);
            return SettingsLoader.Load(_file, null, NoEnvironment);
        }
        var flags = new Dictionary<string, string?>(StringComparer.OrdinalIgnoreCase);
        foreach (var line in Encoding.UTF8.GetString(input).Split('\n'))
            if (line.IndexOf('=') is var equals and > 0) flags[line[..equals]] = line[(equals + 1)..];
        return SettingsLoader.Load(null, flags, NoEnvironment);
    }
}
