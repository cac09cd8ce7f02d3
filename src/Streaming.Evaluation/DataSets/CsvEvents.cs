using System.Globalization;
using System.Text;
using Streaming.Core.Events;
using Streaming.Core.Items;

namespace Streaming.Evaluation.DataSets;

/// <summary>
/// Any CSV of events, by a declared mapping of roles to columns (<see cref="DataSetOptions.Columns"/>), in file order. The event
/// type is the type column's; without one a row is an impression with a click when its label is 1, a rating when there is a value,
/// else a click. Fields may be quoted (RFC 4180) but not run over a line end. Times are ISO 8601, or numbers in seconds,
/// milliseconds or microseconds, told apart by their size.
/// </summary>
public sealed class CsvEvents : IDataSet
{
    /// <summary>What a column can mean.</summary>
    public static readonly IReadOnlyList<string> Roles =
        ["user", "item", "time", "type", "value", "label", "session", "request", "position", "surface", "query"];

    private readonly string _file;
    private readonly char _separator;
    private readonly bool _header;
    private readonly Dictionary<string, int> _columns = [];
    private long? _rows;

    public CsvEvents(string file, DataSetOptions options)
    {
        _file = Path.GetFullPath(file);
        Name = Path.GetFileName(_file).Split('.')[0];
        _separator = options.Separator ?? (file.Contains(".tsv", StringComparison.OrdinalIgnoreCase) ? '\t' : ',');
        foreach (var role in options.Columns.Keys)
        {
            if (!Roles.Contains(role))
                throw new DataSetException(file, 0, $"'{role}' is no role; roles are {string.Join(", ", Roles)}");
        }
        foreach (var need in (string[])["user", "item", "time"])
        {
            if (!options.Columns.ContainsKey(need))
                throw new DataSetException(file, 0, $"needs a column for '{need}', for example {need}=COLUMN");
        }
        _header = !options.Columns.Values.All(c => c.StartsWith('#'));
        using var lines = LineReader.Open(_file);
        var names = _header && lines.Next() ? Split(lines) : [];
        foreach (var (role, column) in options.Columns) _columns[role] = Resolve(column, names);
    }

    public string Name { get; }
    public IReadOnlyList<string> Files => [_file];
    public string? TimeNote => null;
    public long? RowCount => _rows;
    public long SkippedRows => 0;
    public IEnumerable<ItemChange> Items() => [];
    public IEnumerable<UserEvent> Profiles() => [];

    private int Resolve(string column, List<string> names)
    {
        if (column.StartsWith('#') && int.TryParse(column.AsSpan(1), NumberStyles.None, CultureInfo.InvariantCulture, out var n) && n >= 1) return n - 1;
        var at = names.IndexOf(column);
        return at >= 0 ? at : throw new DataSetException(_file, 1, $"has no column '{column}'; it has {string.Join(", ", names)} (or give #1, #2, ...)");
    }

    public IEnumerable<UserEvent> Events(long seed)
    {
        using var lines = LineReader.Open(_file);
        if (_header) lines.Next();
        var events = 0L;
        while (lines.Next())
        {
            if (lines.Line.IsEmpty) continue;
            var fields = Split(lines);
            var row = ReadRow(lines, fields, _header ? lines.Number - 1 : lines.Number);
            events++;
            yield return row;
            if (row.Kind != EventKind.Impression || !IsPositive(lines, fields)) continue;
            events++;
            yield return row with { Kind = EventKind.Click, Type = "click", EventId = row.EventId + ":click" };
        }
        _rows = events;
    }

    private UserEvent ReadRow(LineReader lines, List<string> f, long number)
    {
        var type = Get(lines, f, "type") is { Length: > 0 } named ? named
            : _columns.ContainsKey("label") ? "impression" : _columns.ContainsKey("value") ? "rating" : "click";
        var value = Get(lines, f, "value") is { Length: > 0 } text ? Number(lines, text, "value") : double.NaN;
        var position = Get(lines, f, "position") is { Length: > 0 } place ? (int)Number(lines, place, "position") : -1;
        var user = Get(lines, f, "user");
        var item = Get(lines, f, "item");
        if (string.IsNullOrEmpty(user)) throw lines.Error("the user is empty");
        return new UserEvent
        {
            Kind = EventKinds.Parse(type), Type = type, User = user, Item = string.IsNullOrEmpty(item) ? null : item,
            TimeMs = Time(lines, Get(lines, f, "time") ?? ""), EventId = $"{Name}:{number}", Value = value, Position = position,
            SessionId = Get(lines, f, "session"), RequestId = Get(lines, f, "request"), Surface = Get(lines, f, "surface") ?? "",
            Query = Get(lines, f, "query"),
        };
    }

    private bool IsPositive(LineReader lines, List<string> f) => Get(lines, f, "label")?.ToLowerInvariant() switch
    {
        null => false,
        "1" or "1.0" or "true" => true,
        "0" or "0.0" or "-1" or "false" => false,
        var other => throw lines.Error($"label is '{other}', expected 0, 1, true or false"),
    };

    private string? Get(LineReader lines, List<string> fields, string role)
    {
        if (!_columns.TryGetValue(role, out var column)) return null;
        return column < fields.Count ? fields[column] : throw lines.Error($"has {fields.Count} fields, '{role}' is field {column + 1}");
    }

    private static double Number(LineReader lines, string text, string name) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) && double.IsFinite(value)
            ? value : throw lines.Error($"{name} is '{text}', expected a number");

    private static long Time(LineReader lines, string text)
    {
        if (double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number))
            // Seconds stay below 1e11 until the year 5138, milliseconds below 1e14; both are above 1e8 and 1e11 since 1973.
            return Math.Abs(number) switch { < 1e11 => (long)(number * 1000), < 1e14 => (long)number, _ => (long)(number / 1000) };
        return DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time)
            ? time.ToUnixTimeMilliseconds() : throw lines.Error($"time is '{text}', expected a number or an ISO 8601 date and time");
    }

    private List<string> Split(LineReader lines)
    {
        var text = Encoding.UTF8.GetString(lines.Line);
        if (!text.Contains('"')) return [.. text.Split(_separator)];
        List<string> fields = [];
        var field = new StringBuilder();
        var quoted = false;
        for (var i = 0; i < text.Length; i++)
        {
            if (quoted && text[i] == '"' && i + 1 < text.Length && text[i + 1] == '"') field.Append(text[i++]);
            else if (text[i] == '"') quoted = !quoted;
            else if (text[i] == _separator && !quoted)
            {
                fields.Add(field.ToString());
                field.Clear();
            }
            else field.Append(text[i]);
        }
        if (quoted) throw lines.Error("a quoted field does not end on its line");
        fields.Add(field.ToString());
        return fields;
    }
}
