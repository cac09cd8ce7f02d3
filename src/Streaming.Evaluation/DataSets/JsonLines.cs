using Streaming.Core.Events;
using Streaming.Core.Items;

namespace Streaming.Evaluation.DataSets;

/// <summary>
/// Our own events, one JSON object a line. A replay takes the lines as they are, so that malformed ones meet the live path's own
/// judgement; <see cref="Events"/> is for whoever wants parsed events and refuses the first bad line. Blank lines are passed over.
/// </summary>
public sealed class JsonLines : IRawDataSet
{
    private readonly string _file;
    private readonly string? _itemsFile;
    private long? _rows;
    private LineReader? _reading;

    /// <param name="file">Events.</param>
    /// <param name="itemsFile">Catalogue in the items' wire form, one a line; null for none.</param>
    public JsonLines(string file, string? itemsFile = null)
    {
        _file = Path.GetFullPath(file);
        _itemsFile = itemsFile is null ? null : Path.GetFullPath(itemsFile);
        Files = _itemsFile is null ? [_file] : [_file, _itemsFile];
        Name = Path.GetFileName(_file).Split('.')[0];
    }

    public string Name { get; }
    public IReadOnlyList<string> Files { get; }
    public string? TimeNote => null;
    public long? RowCount => _rows;
    public long SkippedRows { get; private set; }
    public double ReadShare => _reading?.Share ?? double.NaN;
    public IEnumerable<UserEvent> Profiles() => [];

    public IEnumerable<ItemChange> Items() => _itemsFile is null ? [] : ReadItems(_itemsFile);

    /// <summary>A file of items in wire form.</summary>
    /// <exception cref="DataSetException">A line is not an item.</exception>
    public static IEnumerable<ItemChange> ReadItems(string file)
    {
        using var lines = LineReader.Open(file);
        while (lines.Next())
        {
            if (lines.Line.IsEmpty) continue;
            if (!ItemParser.TryParse(lines.Line, 0, out var change, out var reason)) throw lines.Error(reason);
            yield return change;
        }
    }

    public IEnumerable<ReadOnlyMemory<byte>> Lines()
    {
        using var lines = _reading = LineReader.Open(_file);
        var arena = new Arena();
        long rows = 0, blank = 0;
        while (lines.Next())
        {
            if (lines.Line.IsEmpty)
            {
                blank++;
                continue;
            }
            rows++;
            yield return arena.Copy(lines.Line);
        }
        (_rows, SkippedRows) = (rows, blank);
    }

    /// <inheritdoc/>
    /// <remarks>An event without a time takes its line number's place after 2000-01-01, one second a line.</remarks>
    public IEnumerable<UserEvent> Events(long seed)
    {
        const long year2000 = 946_684_800_000;
        using var lines = LineReader.Open(_file);
        while (lines.Next())
        {
            if (lines.Line.IsEmpty) continue;
            if (!EventParser.TryParse(lines.Line, year2000 + lines.Number * 1000, out var e, out var reason)) throw lines.Error(reason);
            yield return e;
        }
    }
}
