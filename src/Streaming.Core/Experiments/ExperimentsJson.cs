using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace Streaming.Core.Experiments;

/// <summary>
/// Definitions and versions as JSON, names in snake_case. A member that is not known is an error, so that a misspelt one is not taken
/// for its default.
/// </summary>
public static class ExperimentsJson
{
    /// <summary>Of the stored form of a version.</summary>
    public const byte FormatVersion = 1;

    public static readonly JsonSerializerOptions Options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        ReadCommentHandling = JsonCommentHandling.Skip,
        AllowTrailingCommas = true,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower, allowIntegerValues: false), new SettingsTextConverter() },
        TypeInfoResolver = new DefaultJsonTypeInfoResolver(),
    };

    private static readonly JsonSerializerOptions Indented = new(Options) { WriteIndented = true };
    private static readonly JsonSerializerOptions Lenient = new(Options) { UnmappedMemberHandling = JsonUnmappedMemberHandling.Skip };

    /// <summary>What people write.</summary>
    /// <param name="json">One object.</param>
    /// <param name="before">Where an experiment is written without its state or share, it keeps what it has here, and rollbacks and weights that are not spoken of stay: writing a text anew must not change what is served.</param>
    /// <exception cref="FormatException">Not JSON, an unknown member, or a value of the wrong kind; the message names the place.</exception>
    public static ExperimentDefinitions ReadDefinitions(ReadOnlySpan<byte> json, ExperimentDefinitions? before = null)
    {
        try
        {
            var read = JsonSerializer.Deserialize<ExperimentDefinitions>(json, Options) ?? throw new FormatException("the definitions are 'null'");
            // An empty list ends rollbacks, and an empty object changed weights; not to speak of them does not.
            read = read with
            {
                Rollbacks = (read.Rollbacks ?? before?.Rollbacks) is { Count: > 0 } rollbacks ? rollbacks : null,
                Weights = (read.Weights ?? before?.Weights) is { Count: > 0 } weights ? weights : null,
            };
            return before is null ? read : read with { Experiments = [.. Kept(read.Experiments, JsonSerializer.Deserialize<Written>(json, Lenient)!, before)] };
        }
        catch (JsonException problem)
        {
            throw new FormatException($"the definitions cannot be read: {problem.Message}", problem);
        }
    }

    /// <summary>Definitions for people to read and edit.</summary>
    public static string Write(ExperimentDefinitions definitions) => JsonSerializer.Serialize(definitions, Indented);

    /// <summary>The stored form of a version.</summary>
    public static byte[] Write(ExperimentsVersion version) => JsonSerializer.SerializeToUtf8Bytes(
        new Stored
        {
            Format = FormatVersion, Version = version.Version, ChangedMs = version.ChangedMs, ChangedBy = version.ChangedBy, Why = version.Why,
            Changes = version.Changes, Definitions = version.Definitions, Domains = StoredTable.Of(version.Domains),
            Layers = version.Layers.OrderBy(l => l.Key, StringComparer.Ordinal).ToDictionary(l => l.Key, l => StoredTable.Of(l.Value)!),
        },
        Options);

    /// <exception cref="FormatException">Damaged, or of a newer build.</exception>
    public static ExperimentsVersion ReadVersion(ReadOnlySpan<byte> json)
    {
        try
        {
            // Read first: what a newer build added would else be complained about as unknown.
            var format = JsonSerializer.Deserialize<FormatOnly>(json)?.Format ?? 0;
            if (format is 0 or > FormatVersion) throw new FormatException($"experiments have format {format}; this build reads 1 to {FormatVersion}");
            var stored = JsonSerializer.Deserialize<Stored>(json, Options)!;
            return new ExperimentsVersion
            {
                Version = stored.Version, ChangedMs = stored.ChangedMs, ChangedBy = stored.ChangedBy, Why = stored.Why, Changes = stored.Changes,
                Definitions = stored.Definitions, Domains = stored.Domains?.ToTable(),
                Layers = stored.Layers.ToDictionary(l => l.Key, l => l.Value.ToTable()),
            };
        }
        catch (JsonException problem)
        {
            throw new FormatException($"a version of the experiments is damaged: {problem.Message}", problem);
        }
    }

    private static IEnumerable<ExperimentDefinition> Kept(IReadOnlyList<ExperimentDefinition> read, Written written, ExperimentDefinitions before)
    {
        for (var i = 0; i < read.Count; i++)
        {
            var was = before.Find(read[i].Name);
            yield return read[i] with
            {
                State = written.Experiments[i].State ?? was?.State ?? read[i].State, Share = written.Experiments[i].Share ?? was?.Share ?? read[i].Share,
            };
        }
    }

    /// <summary>Which of the members that move an experiment are written at all.</summary>
    private sealed class Written
    {
        public IReadOnlyList<WrittenExperiment> Experiments { get; init; } = [];
    }

    private sealed class WrittenExperiment
    {
        public ExperimentState? State { get; init; }
        public double? Share { get; init; }
    }

    private sealed class FormatOnly
    {
        [JsonPropertyName("format")]
        public byte Format { get; init; }
    }

    private sealed class Stored
    {
        public byte Format { get; init; }
        public long Version { get; init; }
        public long ChangedMs { get; init; }
        public string ChangedBy { get; init; } = "";
        public string Why { get; init; } = "";
        public IReadOnlyList<string> Changes { get; init; } = [];
        public ExperimentDefinitions Definitions { get; init; } = new();
        public StoredTable? Domains { get; init; }
        public Dictionary<string, StoredTable> Layers { get; init; } = [];
    }

    private sealed class StoredTable
    {
        public IReadOnlyList<string> Owners { get; init; } = [];
        public string Buckets { get; init; } = "";

        public static StoredTable? Of(BucketTable? table) => table is null ? null : new StoredTable { Owners = table.Owners, Buckets = table.Pack() };

        public BucketTable ToTable() => BucketTable.Unpack(Owners, Buckets);
    }

    /// <summary>Values of settings and of other maps of strings: a number, true and false may be written plainly.</summary>
    private sealed class SettingsTextConverter : JsonConverter<Dictionary<string, string>>
    {
        public override Dictionary<string, string> Read(ref Utf8JsonReader reader, Type type, JsonSerializerOptions options)
        {
            if (reader.TokenType != JsonTokenType.StartObject) throw new JsonException("expected an object of names and single values");
            var values = new Dictionary<string, string>(StringComparer.Ordinal);
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                var name = reader.GetString()!;
                reader.Read();
                values[name] = reader.TokenType switch
                {
                    JsonTokenType.String => reader.GetString()!,
                    JsonTokenType.Number => System.Text.Encoding.UTF8.GetString(reader.ValueSpan),
                    JsonTokenType.True => "true",
                    JsonTokenType.False => "false",
                    _ => throw new JsonException($"'{name}' must have a single value"),
                };
            }
            return values;
        }

        public override void Write(Utf8JsonWriter writer, Dictionary<string, string> value, JsonSerializerOptions options)
        {
            writer.WriteStartObject();
            foreach (var (name, text) in value.OrderBy(v => v.Key, StringComparer.Ordinal)) writer.WriteString(name, text);
            writer.WriteEndObject();
        }
    }
}
