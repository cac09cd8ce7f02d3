using System.Text;
using Streaming.Core.Events;
using Streaming.Core.Items;

namespace Streaming.Evaluation.DataSets;

/// <summary>
/// Taobao UserBehavior (Tianchi data set 649): user, item, category, behaviour, Unix seconds; no header. A page view (pv) is a
/// click, fav a like, cart an add-to-cart, buy a purchase. Rows are grouped by user in the file and are sorted by time here, ties
/// in file order, which holds them in memory (about 40 bytes a row). A last line without its end and without all fields was cut:
/// it is skipped and counted.
/// </summary>
public sealed class TaobaoBehavior(string file) : IDataSet
{
    private static readonly string[] Behaviours = ["pv", "fav", "cart", "buy"];
    private static readonly EventKind[] Kinds = [EventKind.Click, EventKind.Like, EventKind.AddToCart, EventKind.Purchase];

    private List<Row>? _rows;

    private readonly record struct Row(long Number, long User, long Item, long Category, byte Behaviour, long Seconds);

    public string Name => "taobao-behavior";
    public IReadOnlyList<string> Files { get; } = [Path.GetFullPath(file)];
    public string? TimeNote => null;
    public long? RowCount => _rows?.Count;
    public long SkippedRows { get; private set; }
    public IEnumerable<UserEvent> Profiles() => [];

    internal static bool Looks(ReadOnlySpan<byte> line)
    {
        var fields = Encoding.UTF8.GetString(line[..Math.Min(200, line.Length)]).Split(',');
        return fields.Length == 5 && Array.IndexOf(Behaviours, fields[3]) >= 0 && long.TryParse(fields[0], out _);
    }

    public IEnumerable<ItemChange> Items()
    {
        var rows = Load();
        if (rows.Count == 0) yield break;
        var first = rows.Min(r => r.Seconds) * 1000;
        var known = new HashSet<long>();
        foreach (var row in rows)
            if (known.Add(row.Item))
                yield return new ItemChange($"{row.Item}", new Item($"{row.Item}") { Categories = [$"{row.Category}"], FirstSeenMs = first }, first);
    }

    public IEnumerable<UserEvent> Events(long seed)
    {
        var rows = Load();
        foreach (var i in DataFiles.OrderByTime(rows.Count, i => rows[i].Seconds))
        {
            var row = rows[i];
            var kind = Kinds[row.Behaviour];
            yield return new UserEvent
            {
                Kind = kind, Type = EventKinds.Name(kind), User = $"{row.User}", Item = $"{row.Item}", TimeMs = row.Seconds * 1000,
                EventId = $"{Name}:{row.Number}",
            };
        }
    }

    private List<Row> Load()
    {
        if (_rows is not null) return _rows;
        var rows = new List<Row>();
        SkippedRows = 0;
        using var lines = LineReader.Open(Files[0]);
        Span<Range> f = stackalloc Range[5];
        while (lines.Next())
        {
            if (!lines.IsTerminated && IsCut(lines.Line))
            {
                SkippedRows++;
                break;
            }
            lines.Split((byte)',', f, 5);
            var name = Encoding.UTF8.GetString(lines.Line[f[3]]);
            var behaviour = Array.IndexOf(Behaviours, name);
            if (behaviour < 0) throw lines.Error($"behaviour is '{name}', expected {string.Join(", ", Behaviours)}");
            rows.Add(new Row(lines.Number, lines.Integer(f[0], "user"), lines.Integer(f[1], "item"), lines.Integer(f[2], "category"),
                (byte)behaviour, lines.Integer(f[4], "timestamp")));
        }
        return _rows = rows;
    }

    /// <summary>An unterminated last line with a missing or shortened timestamp (real ones have ten digits).</summary>
    private static bool IsCut(ReadOnlySpan<byte> line)
    {
        var commas = line.Count((byte)',');
        return commas < 4 || line.Length - line.LastIndexOf((byte)',') - 1 < 10;
    }
}
