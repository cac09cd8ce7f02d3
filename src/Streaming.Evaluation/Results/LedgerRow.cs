using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Streaming.Evaluation.Results;

/// <summary>One metric of a row, over the row's seeds.</summary>
/// <param name="Metric">Standard name with its cut-off, "ndcg@10".</param>
/// <param name="Mean">Mean over the seeds.</param>
/// <param name="Spread">Sample standard deviation over the seeds; NaN for one seed.</param>
/// <param name="Low">Lower end of the 95 % bootstrap interval of the first seed's run; NaN where the protocol computed none.</param>
/// <param name="High">Upper end.</param>
public sealed record LedgerFigure(string Metric, double Mean, double Spread = double.NaN, double Low = double.NaN, double High = double.NaN);

/// <summary>What one model reached on one data set under one protocol, and on what it was measured. In JSON one line.</summary>
public sealed record LedgerRow
{
    private const int Digits = 6;
    private static readonly string[] Members = ["data", "protocol", "model", "figures", "seeds", "seconds", "hardware", "commit", "date"];
    private static readonly JsonWriterOptions Plain = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public required string Data { get; init; }
    public required string Protocol { get; init; }
    public required string Model { get; init; }

    /// <summary>In the protocol's own order; at least one, no metric twice.</summary>
    public required IReadOnlyList<LedgerFigure> Figures { get; init; }

    public required IReadOnlyList<long> Seeds { get; init; }

    /// <summary>Wall time of one run, mean over the seeds, in seconds.</summary>
    public required double Seconds { get; init; }

    public required string Hardware { get; init; }

    /// <summary>Short hash of the commit that was measured, with a "+" when the checkout had changes on top; "unknown" outside a checkout.</summary>
    public required string Commit { get; init; }

    public required DateOnly Date { get; init; }

    /// <summary>There is one row of a key in a ledger.</summary>
    public (string Data, string Protocol, string Model) Key => (Data, Protocol, Model);

    /// <summary>The row as one JSON line, without its end; figures are rounded to six decimals.</summary>
    public string ToJson()
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, Plain))
        {
            json.WriteStartObject();
            json.WriteString("data", Data);
            json.WriteString("protocol", Protocol);
            json.WriteString("model", Model);
            json.WriteStartObject("figures");
            foreach (var figure in Figures) Write(json, figure);
            json.WriteEndObject();
            json.WriteStartArray("seeds");
            foreach (var seed in Seeds) json.WriteNumberValue(seed);
            json.WriteEndArray();
            json.WriteNumber("seconds", Math.Round(Seconds, 1));
            json.WriteString("hardware", Hardware);
            json.WriteString("commit", Commit);
            json.WriteString("date", Date.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture));
            json.WriteEndObject();
        }
        return Encoding.UTF8.GetString(buffer.ToArray());
    }

    /// <summary>Reads what <see cref="ToJson"/> writes.</summary>
    /// <exception cref="FormatException">The line is no row; the message says what is wrong with it.</exception>
    public static LedgerRow Parse(string line)
    {
        try
        {
            using var document = JsonDocument.Parse(line);
            var root = document.RootElement;
            if (root.ValueKind != JsonValueKind.Object) throw new FormatException($"expected an object, found {root.ValueKind}");
            foreach (var member in root.EnumerateObject())
                if (!Members.Contains(member.Name)) throw new FormatException($"'{member.Name}' is no member of a row; members are {string.Join(", ", Members)}");
            return Read(root);
        }
        catch (JsonException e)
        {
            throw new FormatException("the line is not valid JSON: " + e.Message, e);
        }
    }

    private static LedgerRow Read(JsonElement root)
    {
        var row = new LedgerRow
        {
            Data = Text(root, "data"), Protocol = Text(root, "protocol"), Model = Text(root, "model"),
            Figures = [.. Need(root, "figures", JsonValueKind.Object).EnumerateObject().Select(Figure)],
            Seeds = [.. Need(root, "seeds", JsonValueKind.Array).EnumerateArray().Select(Seed)],
            Seconds = Number(Need(root, "seconds", JsonValueKind.Number), "seconds"), Hardware = Text(root, "hardware"), Commit = Text(root, "commit"),
            Date = DateOnly.TryParseExact(Text(root, "date"), "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var date)
                ? date : throw new FormatException($"date is '{Text(root, "date")}', expected YYYY-MM-DD"),
        };
        if (row.Figures.Count == 0) throw new FormatException("figures is empty");
        if (row.Figures.CountBy(f => f.Metric).FirstOrDefault(c => c.Value > 1).Key is { } twice) throw new FormatException($"figures names '{twice}' twice");
        if (row.Seeds.Count == 0) throw new FormatException("seeds is empty");
        return row.Seconds >= 0 ? row : throw new FormatException($"seconds is {row.Seconds}, expected 0 or more");
    }

    private static LedgerFigure Figure(JsonProperty property)
    {
        if (property.Value.ValueKind != JsonValueKind.Object) throw new FormatException($"figures.{property.Name} is no object");
        double Part(string name) => property.Value.TryGetProperty(name, out var part) ? Number(part, $"figures.{property.Name}.{name}") : double.NaN;
        return new LedgerFigure(property.Name, Part("mean"), Part("spread"), Part("low"), Part("high"));
    }

    /// <summary>Parts that do not exist (one seed has no spread) are left out; a mean that is not defined is null.</summary>
    private static void Write(Utf8JsonWriter json, LedgerFigure figure)
    {
        json.WriteStartObject(figure.Metric);
        if (double.IsNaN(figure.Mean)) json.WriteNull("mean");
        foreach (var (name, value) in (ReadOnlySpan<(string, double)>)[("mean", figure.Mean), ("spread", figure.Spread), ("low", figure.Low), ("high", figure.High)])
            if (!double.IsNaN(value)) json.WriteNumber(name, Math.Round(value, Digits));
        json.WriteEndObject();
    }

    private static JsonElement Need(JsonElement root, string name, JsonValueKind kind) =>
        !root.TryGetProperty(name, out var value) ? throw new FormatException($"{name} is missing")
        : value.ValueKind == kind ? value : throw new FormatException($"{name} is {value.ValueKind}, expected {kind}");

    private static string Text(JsonElement root, string name) =>
        Need(root, name, JsonValueKind.String).GetString() is { Length: > 0 } text ? text : throw new FormatException($"{name} is empty");

    private static long Seed(JsonElement value) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out var seed) ? seed : throw new FormatException($"'{value}' among seeds is no whole number");

    private static double Number(JsonElement value, string name) => value.ValueKind switch
    {
        JsonValueKind.Null => double.NaN,
        JsonValueKind.Number when value.TryGetDouble(out var number) && double.IsFinite(number) => number,
        _ => throw new FormatException($"{name} is '{value}', expected a number"),
    };
}
