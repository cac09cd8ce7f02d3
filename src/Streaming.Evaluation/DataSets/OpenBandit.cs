using System.Globalization;
using System.Text;
using Streaming.Core.Events;
using Streaming.Core.Ids;
using Streaming.Core.Items;

namespace Streaming.Evaluation.DataSets;

/// <summary>
/// Open Bandit Dataset (Saito et al. 2020, arXiv:2008.07146): each row is one item shown at one of three positions with the
/// logging policy's propensity, and perhaps a click. Campaigns are surfaces, and prefix the item ids, which repeat between them.
/// There is no user id: the user is a hash of the four user features. All logs under the folder are merged by time.
/// </summary>
public sealed class OpenBandit : IDataSet
{
    private readonly List<Log> _logs = [];
    private List<Row>? _rows;

    private sealed record Log(string File, string Policy, string Campaign, string? ItemFile);

    private readonly record struct Row(Log Log, long Number, long TimeMs, int Item, int Position, bool Clicked, float Propensity, string[] Features);

    /// <param name="path">One log (men.csv.gz), a policy's folder, or the folder above.</param>
    public OpenBandit(string path)
    {
        var logs = File.Exists(path) ? [path] : FindLogs(path);
        if (logs.Count == 0) throw new DataSetException(path, 0, "has no men.csv, women.csv or all.csv (plain or .gz)");
        foreach (var log in logs.Select(Path.GetFullPath).Order(StringComparer.Ordinal))
        {
            var folder = Path.GetDirectoryName(log)!;
            var campaign = Path.GetFileName(log).Split('.')[0];
            _logs.Add(new Log(log, Path.GetFileName(folder), campaign, DataFiles.Find(folder, $"{campaign}.item_context.csv", "item_context.csv")));
        }
        Files = [.. _logs.Select(l => l.File)];
    }

    public string Name => "open-bandit";
    public IReadOnlyList<string> Files { get; }
    public string? TimeNote => null;
    public long? RowCount => _rows is null ? null : _rows.Count + _rows.Count(r => r.Clicked);
    public long SkippedRows => 0;
    public IEnumerable<UserEvent> Profiles() => [];

    internal static IReadOnlyList<string> FindLogs(string folder)
    {
        string[] names = ["men.csv", "women.csv", "all.csv"];
        IEnumerable<string> folders = [folder, .. Directory.EnumerateDirectories(folder)];
        return [.. from f in folders from n in names let found = DataFiles.Find(f, n) where found is not null select found];
    }

    internal static bool Looks(ReadOnlySpan<byte> line) => line.StartsWith(",timestamp,item_id,position,click,propensity_score"u8);

    public IEnumerable<ItemChange> Items()
    {
        var time = Load() is { Count: > 0 } rows ? rows[0].TimeMs : 0;
        foreach (var log in _logs.Where(l => l.ItemFile is not null).DistinctBy(l => l.Campaign))
        {
            using var lines = LineReader.Open(log.ItemFile!);
            lines.Next();
            while (lines.Next())
            {
                var f = Encoding.UTF8.GetString(lines.Line).Split(',');
                if (f.Length < 6) throw lines.Error("expected index, item_id and four item features");
                var id = $"{log.Campaign}:{f[1]}";
                yield return new ItemChange(id, new Item(id)
                {
                    Tags = [.. Enumerable.Range(1, 3).Select(i => $"f{i}:{f[i + 2]}")], Categories = [log.Campaign], FirstSeenMs = time,
                    Attributes = DataFiles.Pairs(("item_feature_0", f[2])),
                }, time);
            }
        }
    }

    public IEnumerable<UserEvent> Events(long seed)
    {
        foreach (var row in Load())
        {
            var request = $"{Name}/{row.Log.Policy}/{row.Log.Campaign}:{row.Number}";
            var item = $"{row.Log.Campaign}:{row.Item}";
            var shown = new UserEvent
            {
                Kind = EventKind.Impression, Type = "impression", User = StableHash.Of(string.Join('|', row.Features)).ToString("x16"),
                TimeMs = row.TimeMs, EventId = request, RequestId = request, Surface = row.Log.Campaign,
                Items = [new ShownItem(item, row.Position, row.Propensity)],
                Context = [new("policy", row.Log.Policy), .. row.Features.Select((f, i) => KeyValuePair.Create($"user_feature_{i}", f))],
            };
            yield return shown;
            if (row.Clicked)
                yield return shown with
                {
                    Kind = EventKind.Click, Type = "click", EventId = request + ":click", Items = [], Item = item, Position = row.Position,
                };
        }
    }

    private List<Row> Load()
    {
        if (_rows is not null) return _rows;
        var rows = new List<Row>();
        foreach (var log in _logs) ReadLog(log, rows);
        return _rows = [.. DataFiles.OrderByTime(rows.Count, i => rows[i].TimeMs).Select(i => rows[i])];
    }

    private static void ReadLog(Log log, List<Row> into)
    {
        using var lines = LineReader.Open(log.File);
        if (!lines.Next() || !Looks(lines.Line)) throw lines.Error("expected the header ,timestamp,item_id,position,click,propensity_score,...");
        Span<Range> f = stackalloc Range[11];
        while (lines.Next())
        {
            lines.Split((byte)',', f, 10);
            var time = Encoding.UTF8.GetString(lines.Line[f[1]]);
            if (!DateTimeOffset.TryParse(time, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var at))
                throw lines.Error($"timestamp is '{time}', expected a date and time");
            var position = lines.Integer(f[3], "position");
            var propensity = lines.Number64(f[5], "propensity_score");
            if (position is < 1 or > 100 || propensity is <= 0 or > 1)
                throw lines.Error($"position {position} or propensity {propensity} is out of range");
            var features = new string[4];
            for (var i = 0; i < 4; i++) features[i] = Encoding.UTF8.GetString(lines.Line[f[6 + i]]);
            into.Add(new Row(log, lines.Number - 1, at.ToUnixTimeMilliseconds(), (int)lines.Integer(f[2], "item_id"), (int)position - 1,
                lines.Integer(f[4], "click") != 0, (float)propensity, features));
        }
    }
}
