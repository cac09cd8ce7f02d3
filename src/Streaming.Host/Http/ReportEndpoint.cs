using System.Text.Json;
using System.Text.Json.Serialization;
using Streaming.Experiments.Inference;
using Streaming.Experiments.Reporting;
using Streaming.Node;

namespace Streaming.Host.Http;

/// <summary>GET /v1/experiments/{id}/report.</summary>
internal static class ReportEndpoint
{
    public static IResult Handle(StreamingNode node, string experiment)
    {
        if (node.Statistics is not { } statistics)
            return Results.Problem("this node keeps no figures of experiments (Experiments:Statistics:Enabled), or does not run yet", statusCode: 503, type: "urn:streaming:no-statistics");
        return statistics.Report(experiment) is { } report
            ? Results.Json(report, ReportJson.Options)
            : Results.Problem($"there are no figures of an experiment '{experiment}'", statusCode: 404, type: "urn:streaming:unknown-experiment");
    }
}

/// <summary>A report as JSON: names in snake_case, intervals as [low, high], and null for what is not known.</summary>
internal static class ReportJson
{
    public static JsonSerializerOptions Options { get; } = new(JsonSerializerDefaults.Web)
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower), new KnownNumber(), new KnownInterval() },
    };

    private sealed class KnownNumber : JsonConverter<double>
    {
        public override double Read(ref Utf8JsonReader reader, Type type, JsonSerializerOptions options) =>
            reader.TokenType == JsonTokenType.Null ? double.NaN : reader.GetDouble();

        public override bool HandleNull => true;

        public override void Write(Utf8JsonWriter writer, double value, JsonSerializerOptions options)
        {
            if (double.IsFinite(value)) writer.WriteNumberValue(value);
            else writer.WriteNullValue();
        }
    }

    private sealed class KnownInterval : JsonConverter<Interval>
    {
        public override Interval Read(ref Utf8JsonReader reader, Type type, JsonSerializerOptions options)
        {
            if (reader.TokenType == JsonTokenType.Null) return new Interval(double.NegativeInfinity, double.PositiveInfinity);
            var both = JsonSerializer.Deserialize<double[]>(ref reader, options) ?? [];
            return both.Length == 2 ? new Interval(both[0], both[1]) : throw new JsonException("an interval has two ends");
        }

        public override bool HandleNull => true;

        public override void Write(Utf8JsonWriter writer, Interval value, JsonSerializerOptions options)
        {
            if (double.IsFinite(value.Low) && double.IsFinite(value.High)) JsonSerializer.Serialize(writer, new[] { value.Low, value.High }, options);
            else writer.WriteNullValue();
        }
    }
}
