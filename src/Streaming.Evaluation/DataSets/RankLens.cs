using System.Globalization;
using System.Text.Json;
using Streaming.Core.Events;
using Streaming.Core.Items;

namespace Streaming.Evaluation.DataSets;

/// <summary>
/// RankLens in metarank's event format: every ranking becomes one impression of the whole list with positions, every interaction
/// a click that carries the ranking's id and the item's position. Items carry their tags, genres as categories, the director as
/// author, the release date as publish time and the rest as attributes.
/// </summary>
public sealed class RankLens(string file) : IDataSet
{
    private long? _rows;
    private LineReader? _reading;

    public string Name => "ranklens";
    public IReadOnlyList<string> Files { get; } = [Path.GetFullPath(file)];
    public string? TimeNote => null;
    public long? RowCount => _rows;
    public long SkippedRows => 0;
    public double ReadShare => _reading?.Share ?? double.NaN;
    public IEnumerable<UserEvent> Profiles() => [];

    internal static bool Looks(ReadOnlySpan<byte> line) =>
        line.StartsWith("{\"event\":\"item\""u8) || line.StartsWith("{\"event\":\"ranking\""u8);

    public IEnumerable<ItemChange> Items()
    {
        using var lines = LineReader.Open(Files[0]);
        while (lines.Next())
            if (lines.Line.StartsWith("{\"event\":\"item\""u8)) yield return Read(lines, ReadItem);
    }

    public IEnumerable<UserEvent> Events(long seed)
    {
        var shown = new Dictionary<string, UserEvent>();
        using var lines = _reading = LineReader.Open(Files[0]);
        var rows = 0L;
        while (lines.Next())
        {
            if (lines.Line.StartsWith("{\"event\":\"item\""u8)) continue;
            rows++;
            var e = Read(lines, root => ReadEvent(root, lines, shown));
            if (e.Kind == EventKind.Impression) shown[e.RequestId!] = e;
            yield return e;
        }
        _rows = rows;
    }

    private static T Read<T>(LineReader lines, Func<JsonElement, T> read)
    {
        try
        {
            var reader = new Utf8JsonReader(lines.Line);
            using var document = JsonDocument.ParseValue(ref reader);
            return read(document.RootElement);
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw lines.Error("not an event of metarank's format: " + e.Message, e);
        }
    }

    private static UserEvent ReadEvent(JsonElement root, LineReader lines, Dictionary<string, UserEvent> shown)
    {
        var user = Text(root, "user");
        var time = Time(root);
        var row = lines.Number;
        switch (Text(root, "event"))
        {
            case "ranking":
                var position = 0;
                var slots = new ShownItem[root.GetProperty("items").GetArrayLength()];
                foreach (var slot in root.GetProperty("items").EnumerateArray()) slots[position] = new ShownItem(Text(slot, "id"), position++);
                return new UserEvent
                {
                    Kind = EventKind.Impression, Type = "impression", User = user, TimeMs = time, EventId = $"ranklens:{row}",
                    Items = slots, RequestId = Text(root, "id"), SessionId = Text(root, "session"),
                };
            case "interaction":
                var ranking = Text(root, "ranking");
                var item = Text(root, "item");
                if (!shown.TryGetValue(ranking, out var list)) throw lines.Error($"interaction with ranking {ranking}, which was not shown before");
                return new UserEvent
                {
                    Kind = EventKind.Click, Type = "click", User = user, TimeMs = time, EventId = $"ranklens:{row}", Item = item,
                    RequestId = ranking, SessionId = Text(root, "session"), Position = PositionOf(list.Items, item),
                };
            case var other: throw lines.Error($"event is '{other}', expected item, ranking or interaction");
        }
    }

    private static int PositionOf(IReadOnlyList<ShownItem> slots, string item)
    {
        foreach (var slot in slots)
            if (slot.Item == item) return slot.Position;
        return -1;
    }

    private static ItemChange ReadItem(JsonElement root)
    {
        string? author = null;
        var published = 0L;
        List<string> tags = [], categories = [];
        List<KeyValuePair<string, string>> attributes = [];
        foreach (var field in root.GetProperty("fields").EnumerateArray())
        {
            var name = Text(field, "name");
            var value = field.GetProperty("value");
            switch (name)
            {
                case "tags": tags.AddRange(Texts(value)); break;
                case "genres": categories.AddRange(Texts(value)); break;
                case "director": author = value.GetString(); break;
                case "release_date": published = Math.Max(1, (long)(value.GetDouble() * 1000)); break;
                default: attributes.Add(new(name, Flat(value))); break;
            }
        }
        var id = Text(root, "item");
        var time = Time(root);
        return new ItemChange(id, new Item(id)
        {
            Tags = tags, Categories = categories, Author = string.IsNullOrEmpty(author) ? null : author, PublishedMs = published,
            FirstSeenMs = time, Attributes = attributes,
        }, time);
    }

    private static IEnumerable<string> Texts(JsonElement array) => array.EnumerateArray().Select(t => t.GetString() ?? "").Where(t => t.Length > 0);

    private static string Flat(JsonElement value) => value.ValueKind == JsonValueKind.Array ? string.Join('|', Texts(value)) : value.ToString();

    private static string Text(JsonElement of, string name) => of.GetProperty(name).GetString() is { Length: > 0 } text
        ? text : throw new FormatException($"{name} is empty");

    private static long Time(JsonElement root) => long.Parse(Text(root, "timestamp"), NumberStyles.None, CultureInfo.InvariantCulture);
}
