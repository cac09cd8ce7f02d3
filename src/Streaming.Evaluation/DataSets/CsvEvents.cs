using System.Globalization;
using System.Text;

namespace Streaming.Evaluation.DataSets;

/// <summary>Any CSV of events by declared columns. Fields may be quoted (RFC 4180) but not run over a line end.</summary>
public sealed class CsvEvents : DeclaredEvents
{
    private readonly char _separator;
    private readonly bool _header;
    private readonly Dictionary<string, int> _places = [];

    public CsvEvents(string file, DataSetOptions options) : base(file, options)
    {
        _separator = options.Separator ?? (file.Contains(".tsv", StringComparison.OrdinalIgnoreCase) ? '\t' : ',');
        _header = !Columns.Values.All(c => c.StartsWith('#'));
        using var lines = LineReader.Open(Files[0]);
        var names = _header && lines.Next() ? Split(lines) : [];
        foreach (var (role, column) in Columns) _places[role] = Resolve(column, names);
    }

    private protected override int HeaderLines => _header ? 1 : 0;

    private int Resolve(string column, List<string> names)
    {
        if (column.StartsWith('#') && int.TryParse(column.AsSpan(1), NumberStyles.None, CultureInfo.InvariantCulture, out var n) && n >= 1) return n - 1;
        var at = names.IndexOf(column);
        return at >= 0 ? at : throw new DataSetException(Files[0], 1, $"has no column '{column}'; it has {string.Join(", ", names)} (or give #1, #2, ...)");
    }

    private protected override void Read(LineReader lines, Dictionary<string, string> values)
    {
        var fields = Split(lines);
        foreach (var (role, place) in _places)
            values[role] = place < fields.Count ? fields[place] : throw lines.Error($"has {fields.Count} fields, '{role}' is field {place + 1}");
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
