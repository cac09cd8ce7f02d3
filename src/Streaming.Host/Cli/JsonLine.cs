using System.Text.Json;

namespace Streaming.Host.Cli;

/// <summary>The one JSON line that a verb ends with under <c>--json</c>. Figures that do not exist (NaN) are null.</summary>
internal static class JsonLine
{
    public static void Print(IEnumerable<(string Name, object? Value)> figures)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            foreach (var (name, value) in figures)
            {
                json.WritePropertyName(name);
                Write(json, value);
            }
            json.WriteEndObject();
        }
        Console.Out.WriteLine(System.Text.Encoding.UTF8.GetString(buffer.ToArray()));
        Console.Out.Flush();
    }

    private static void Write(Utf8JsonWriter json, object? value)
    {
        switch (value)
        {
            case null or double.NaN or float.NaN:
                json.WriteNullValue();
                break;
            case double number:
                json.WriteNumberValue(Math.Round(number, 6));
                break;
            default:
                JsonSerializer.Serialize(json, value);
                break;
        }
    }
}
