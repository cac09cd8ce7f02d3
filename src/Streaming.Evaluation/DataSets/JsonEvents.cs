using System.Text.Json;

namespace Streaming.Evaluation.DataSets;

/// <summary>Any JSON lines by declared members: "user.id" is the member id inside the member user.</summary>
public sealed class JsonEvents : DeclaredEvents
{
    private readonly Dictionary<string, string[]> _paths;

    public JsonEvents(string file, DataSetOptions options) : base(file, options) => _paths = Columns.ToDictionary(c => c.Key, c => c.Value.Split('.'));

    private protected override int HeaderLines => 0;

    private protected override void Read(LineReader lines, Dictionary<string, string> values)
    {
        try
        {
            var reader = new Utf8JsonReader(lines.Line);
            using var document = JsonDocument.ParseValue(ref reader);
            if (document.RootElement.ValueKind != JsonValueKind.Object) throw lines.Error($"expected an object, found {document.RootElement.ValueKind}");
            if (reader.BytesConsumed < lines.Line.Length && reader.Read()) throw lines.Error("more than one JSON value on the line");
            foreach (var (role, path) in _paths)
                if (Text(lines, document.RootElement, path) is { } text) values[role] = text;
        }
        catch (JsonException e)
        {
            throw lines.Error("the line is not valid JSON: " + e.Message, e);
        }
    }

    private static string? Text(LineReader lines, JsonElement at, string[] path)
    {
        foreach (var name in path)
            if (at.ValueKind != JsonValueKind.Object || !at.TryGetProperty(name, out at)) return null;
        return at.ValueKind switch
        {
            JsonValueKind.String => at.GetString(),
            JsonValueKind.Null => null,
            JsonValueKind.Object or JsonValueKind.Array => throw lines.Error($"{string.Join('.', path)} is {at.ValueKind}, expected a string, a number or a boolean"),
            _ => at.GetRawText(),
        };
    }
}
