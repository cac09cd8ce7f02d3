using System.Globalization;
using Streaming.Core.Events;
using Streaming.Core.Items;

namespace Streaming.Evaluation.DataSets;

/// <summary>
/// A file of events, one a line, by a declared mapping of roles to columns (<see cref="DataSetOptions.Columns"/>), in file order. The
/// event type is the type column's; without one a row is an impression with a click when its label is 1, a rating when there is a
/// value, else a click. Times are ISO 8601, or numbers in seconds, milliseconds or microseconds, told apart by their size.
/// </summary>
public abstract class DeclaredEvents : IDataSet
{
    /// <summary>What a column can mean.</summary>
    public static readonly IReadOnlyList<string> Roles =
        ["user", "item", "time", "type", "value", "label", "session", "request", "position", "surface", "query"];

    private long? _rows;
    private LineReader? _reading;

    private protected DeclaredEvents(string file, DataSetOptions options)
    {
        Files = [Path.GetFullPath(file)];
        Name = Path.GetFileName(file).Split('.')[0];
        Columns = options.Columns;
        foreach (var role in Columns.Keys)
        {
            if (!Roles.Contains(role))
                throw new DataSetException(file, 0, $"'{role}' is no role; roles are {string.Join(", ", Roles)}");
        }
        foreach (var need in (string[])["user", "item", "time"])
        {
            if (!Columns.ContainsKey(need))
                throw new DataSetException(file, 0, $"needs a column for '{need}', for example {need}=COLUMN");
        }
    }

    public string Name { get; }
    public IReadOnlyList<string> Files { get; }
    public string? TimeNote => null;
    public long? RowCount => _rows;
    public long SkippedRows { get; private set; }
    public double ReadShare => _reading?.Share ?? double.NaN;
    public IEnumerable<ItemChange> Items() => [];
    public IEnumerable<UserEvent> Profiles() => [];

    /// <summary>Role to column.</summary>
    private protected IReadOnlyDictionary<string, string> Columns { get; }

    /// <summary>Lines before the first row.</summary>
    private protected abstract int HeaderLines { get; }

    /// <summary>The current line's values by role; a role that the row has no value for may be absent.</summary>
    private protected abstract void Read(LineReader lines, Dictionary<string, string> values);

    public IEnumerable<UserEvent> Events(long seed)
    {
        using var lines = _reading = LineReader.Open(Files[0]);
        for (var i = 0; i < HeaderLines; i++) lines.Next();
        var values = new Dictionary<string, string>();
        long events = 0, blank = 0;
        while (lines.Next())
        {
            if (lines.Line.IsEmpty)
            {
                blank++;
                continue;
            }
            values.Clear();
            Read(lines, values);
            var row = Event(lines, values);
            var clicked = row.Kind == EventKind.Impression && IsPositive(lines, values);
            events++;
            yield return row;
            if (!clicked) continue;
            events++;
            yield return row with { Kind = EventKind.Click, Type = "click", EventId = row.EventId + ":click" };
        }
        (_rows, SkippedRows) = (events, blank);
    }

    private UserEvent Event(LineReader lines, Dictionary<string, string> values)
    {
        string? Get(string role) => values.GetValueOrDefault(role) is { Length: > 0 } text ? text : null;
        var type = Get("type") ?? (Columns.ContainsKey("label") ? "impression" : Columns.ContainsKey("value") ? "rating" : "click");
        return new UserEvent
        {
            Kind = EventKinds.Parse(type), Type = type, User = Get("user") ?? throw lines.Error("the user is empty"), Item = Get("item"),
            TimeMs = Time(lines, Get("time") ?? throw lines.Error("the time is empty")), EventId = $"{Name}:{lines.Number - HeaderLines}",
            Value = Get("value") is { } value ? Number(lines, value, "value") : double.NaN,
            Position = Get("position") is { } position ? Position(lines, position) : -1,
            SessionId = Get("session"), RequestId = Get("request"), Surface = Get("surface") ?? "", Query = Get("query"),
        };
    }

    private static bool IsPositive(LineReader lines, Dictionary<string, string> values) => values.GetValueOrDefault("label")?.ToLowerInvariant() switch
    {
        null => false,
        "1" or "1.0" or "true" => true,
        "0" or "0.0" or "-1" or "false" => false,
        var other => throw lines.Error($"label is '{other}', expected 0, 1, true or false"),
    };

    private static double Number(LineReader lines, string text, string name) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) && double.IsFinite(value)
            ? value : throw lines.Error($"{name} is '{text}', expected a number");

    private static int Position(LineReader lines, string text) =>
        Number(lines, text, "position") is var value && value == Math.Floor(value) && value is >= 0 and <= int.MaxValue
            ? (int)value : throw lines.Error($"position is '{text}', expected a whole number from 0");

    private static long Time(LineReader lines, string text)
    {
        if (double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number))
            // Seconds stay below 1e11 until the year 5138, milliseconds below 1e14; both are above 1e8 and 1e11 since 1973.
            return Math.Abs(number) switch { < 1e11 => (long)(number * 1000), < 1e14 => (long)number, _ => (long)(number / 1000) };
        return DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time)
            ? time.ToUnixTimeMilliseconds() : throw lines.Error($"time is '{text}', expected a number or an ISO 8601 date and time");
    }
}
