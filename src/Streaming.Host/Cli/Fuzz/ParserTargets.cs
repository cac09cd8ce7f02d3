using System.Text.Json;
using System.Text.Json.Serialization;
using Streaming.Core.Events;
using Streaming.Core.Items;
using Streaming.Core.Log;
using Streaming.Core.Wire;

namespace Streaming.Host.Cli.Fuzz;

/// <summary>
/// The two record parsers: any bytes are a record or are refused with a reason; a record written and read again is the same; one that is
/// refused can be set aside whole.
/// </summary>
internal abstract class ParserTarget<T> : FuzzTarget where T : class
{
    protected const long FallbackMs = 1_700_000_000_000;

    protected static readonly JsonSerializerOptions Json = new() { NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals };

    public override string Run(byte[] input)
    {
        if (!TryParse(input, out var record, out var reason)) return "refused: " + SetAside(input, reason);
        var written = Written(record);
        Hold(TryParse(written, out var again, out reason), $"what the writer wrote is refused: {reason}");
        Hold(Told(record) == Told(again!), "written and read again it is another record");
        Hold(Written(again).AsSpan().SequenceEqual(written), "written again it has another form");
        return "taken: " + Kind(record);
    }

    public override IReadOnlyList<byte[]> Words { get; } = Texts(
        "\"type\":", "\"user\":", "\"item\":", "\"items\":[", "\"time\":", "\"event_id\":", "\"position\":", "\"value\":", "\"context\":{", "\"profile\":{",
        "\"interests\":[", "\"attributes\":{", "\"propensity\":", "\"query\":", "\"session_id\":", "\"request_id\":", "\"surface\":", "\"id\":", "\"tags\":[",
        "\"categories\":[", "\"category\":", "\"author\":", "\"published\":", "\"expires\":", "\"deleted\":true", "\"click\"", "\"impression\"", "\"rating\"",
        "\"search\"", "\"user_upsert\"", "\"tick\"", "\"served\"", "null", "true", "1e308", "-0", "1700000000000", "\"2024-05-01T12:00:00Z\"", "\"2024-05-01\"",
        "\\u0000", "\\ud83d", "\\ud83d\\ude00", "\\n", "{\"a\":", "[[[[", "}}}}", ",", ":", "\"\"", "\u00e9", "\u2028", "\uFEFF");

    protected abstract bool TryParse(byte[] input, out T record, out string reason);

    protected abstract byte[] Written(T record);

    /// <summary>Every member of a record, to compare two by.</summary>
    protected abstract string Told(T record);

    protected abstract string Kind(T record);

    private static string SetAside(byte[] input, string reason)
    {
        Hold(reason.Length is > 0 and < 8192, $"the reason has {reason.Length} characters");
        var into = new ByteWriter();
        new DeadLetter(reason, "events", new LogPosition(1, 2), 3, input).Write(into);
        var read = DeadLetter.Read(into.WrittenMemory);
        Hold(read.Payload.Span.SequenceEqual(input), "set aside and read again it has other bytes");
        Hold(read.Reason == reason, $"its reason reads as '{read.Reason}', was '{reason}'");
        return reason;
    }
}

/// <summary>Events.</summary>
internal sealed class EventTarget : ParserTarget<UserEvent>
{
    public override string Name => "parser/event";

    protected override bool TryParse(byte[] input, out UserEvent record, out string reason) => EventParser.TryParse(input, FallbackMs, out record!, out reason!);

    protected override byte[] Written(UserEvent record)
    {
        var into = new ByteWriter();
        EventWriter.Write(record, into);
        return into.WrittenSpan.ToArray();
    }

    protected override string Told(UserEvent record) => JsonSerializer.Serialize(record, Json);

    protected override string Kind(UserEvent e) =>
        $"{e.Kind} {e.Item is null} {e.Items.Count > 0} {e.Context.Count > 0} {e.Profile is null} {double.IsNaN(e.Value)} {e.Query is null} {e.SessionId is null}";
}

/// <summary>Catalogue changes.</summary>
internal sealed class ItemTarget : ParserTarget<ItemChange>
{
    public override string Name => "parser/item";

    protected override bool TryParse(byte[] input, out ItemChange record, out string reason) => ItemParser.TryParse(input, FallbackMs, out record!, out reason!);

    protected override byte[] Written(ItemChange record)
    {
        var into = new ByteWriter();
        ItemWriter.Write(record, into);
        return into.WrittenSpan.ToArray();
    }

    protected override string Told(ItemChange c) => JsonSerializer.Serialize(
        new { c.Id, c.TimeMs, c.Item?.Tags, c.Item?.Categories, c.Item?.Author, c.Item?.PublishedMs, c.Item?.ExpiresMs, c.Item?.Attributes }, Json);

    protected override string Kind(ItemChange c) => c.Item is not { } item ? "deleted" :
        $"{item.Tags.Count > 0} {item.Categories.Count > 0} {item.Author is null} {item.PublishedMs} {item.Attributes.Count > 0}";
}
